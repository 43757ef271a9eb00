// This program again, as a process of its own.
#pragma once

#include <string>
#include <vector>

namespace ogee::bench {

// Runs it with these arguments and gives its standard output. Throws std::runtime_error if it does not start or ends by
// a signal or with an exit status above 1 (1: it worked and fell short).
std::string output_of_self(const std::vector<std::string>& arguments);

}  // namespace ogee::bench
