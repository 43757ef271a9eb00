// The goals of speed, measured.
#pragma once

#include <string>
#include <vector>

namespace ogee::bench {

struct GoalsOptions {
  std::string target;  // empty: the best one here, then AVX2 in a process of its own
  bool json = false;
  double seconds = 0.05;  // for each competitor in each measurement
};

// Measures everything that the goals are about and prints each with its figure and "met" or "not met". The exit status:
// 0 if all are met, 1 otherwise.
int run_goals(const GoalsOptions& options);

struct SmallOptions {
  std::vector<std::string> activations;  // empty: a handful
  bool json = false;
  double seconds = 0.05;
};

// Calls on 64 to 1,024 elements: what a call costs above its arithmetic over spans, and beside LibTorch's own operators
// through LibTorch.
void run_small(const SmallOptions& options);

}  // namespace ogee::bench
