#include "bench/speed/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

namespace ogee::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_of(const std::function<void()>& work, std::size_t times) {
  const auto start = Clock::now();
  for (std::size_t i = 0; i < times; ++i) work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

std::vector<Timing> time_in_turn(const std::vector<std::function<void()>>& works, const Budget& budget) {
  std::vector<std::size_t> times;
  for (const auto& work : works) {
    seconds_of(work, 1);  // page faults, code generated at the first call
    double once = seconds_of(work, 1);
    if (once < 1e-4) once = seconds_of(work, 16) / 16;
    const double turn = budget.seconds / budget.rounds;
    times.push_back(std::clamp<std::size_t>(static_cast<std::size_t>(turn / std::max(once, 1e-9)), 1, 10'000'000));
  }
  std::vector<std::vector<double>> taken(works.size());
  for (int round = 0; round < budget.rounds; ++round) {
    for (std::size_t i = 0; i < works.size(); ++i) {
      const std::size_t k = (i + static_cast<std::size_t>(round)) % works.size();
      if (budget.pause) std::this_thread::sleep_for(std::chrono::milliseconds(3));
      // A turn of one long call needs no warm-up: nothing of it stays in the cache.
      if (times[k] > 1) works[k]();
      taken[k].push_back(seconds_of(works[k], times[k]) / static_cast<double>(times[k]));
    }
  }
  std::vector<Timing> result;
  for (const std::vector<double>& mine : taken) {
    std::vector<double> ratios(mine.size());
    for (std::size_t round = 0; round < mine.size(); ++round) ratios[round] = mine[round] / taken[0][round];
    result.push_back({*std::min_element(mine.begin(), mine.end()), median(std::move(ratios))});
  }
  return result;
}

double median(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 != 0) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

double geometric_mean(const std::vector<double>& values) {
  double sum = 0;
  for (double v : values) sum += std::log(v);
  return values.empty() ? std::numeric_limits<double>::quiet_NaN() : std::exp(sum / static_cast<double>(values.size()));
}

}  // namespace ogee::bench
