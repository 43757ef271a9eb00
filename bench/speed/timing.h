// Timing several works against each other in one process.
#pragma once

#include <functional>
#include <vector>

namespace ogee::bench {

struct Budget {
  double seconds = 0.05;  // for each work, all rounds together
  int rounds = 9;
  bool pause = false;  // let other libraries' threads fall asleep before each turn
};

struct Timing {
  double seconds;  // a call, in the fastest round
  double ratio;    // to the first work: the median, over rounds, of this work's time over the first one's
};

// Works take turns, round by round, each turn beginning elsewhere in the list, so that all meet the same machine. Each
// turn starts with a call that is not timed, so that what fits the cache is there.
std::vector<Timing> time_in_turn(const std::vector<std::function<void()>>& works, const Budget& budget);

double median(std::vector<double> values);
double geometric_mean(const std::vector<double>& values);

}  // namespace ogee::bench
