// One line on a terminal that says what is being measured; nothing elsewhere.
#pragma once

#include <chrono>
#include <string>

namespace ogee::bench {

class Progress {
 public:
  Progress();
  ~Progress() { done(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void say(const std::string& text);
  void done();

 private:
  bool terminal_, shown_ = false;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace ogee::bench
