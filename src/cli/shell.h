// What verbs share that live in a shell: words that can be typed back into it, and Ctrl-C.
#pragma once

#include <atomic>
#include <string>

namespace ogee::cli {

// The word as a POSIX shell reads it back.
std::string quoted(const std::string& word);

// Becomes true at the first Ctrl-C (or SIGTERM); the second ends the program at once.
std::atomic<bool>& stop_when_interrupted();

}  // namespace ogee::cli
