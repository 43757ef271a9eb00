#include "bench/speed/progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

namespace ogee::bench {

Progress::Progress() : terminal_(isatty(STDERR_FILENO) == 1), start_(std::chrono::steady_clock::now()) {}

void Progress::say(const std::string& text) {
  if (!terminal_) return;
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start_).count();
  fmt::print(stderr, "\r\033[K{:>4} s  {:.70}", seconds, text);
  std::fflush(stderr);
  shown_ = true;
}

void Progress::done() {
  if (shown_) fmt::print(stderr, "\r\033[K");
  shown_ = false;
}

}  // namespace ogee::bench
