// The statistics on comparisons of known truth, shrunken from ./dev trials (docs/statistics.md).
#include "lab/simulation.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ogee::lab {
namespace {

// Four standard errors of leeway: the generator is seeded, but another library may draw otherwise.
double leeway(const Share& share, double expected) { return 4 * std::sqrt(expected * (1 - expected) / share.of); }

void expect_right(const Simulated& result) {
  for (const Share& share : {result.mean_t, result.pair_t}) {
    EXPECT_GT(share.value(), 0.93 - leeway(share, 0.95));
    EXPECT_LT(share.value(), 0.97 + leeway(share, 0.95));
  }
  EXPECT_LT(result.false_worse.value(), 0.05 + leeway(result.false_worse, 0.05));
  EXPECT_GT(result.with_lowest.value(), 0.93 - leeway(result.with_lowest, 0.95));
  EXPECT_EQ(result.with_lowest.of, static_cast<double>(result.of.experiments));
}

TEST(Simulation, FewSeeds) {
  const Simulated result = simulate({.arms = 5, .seeds = 3, .experiments = 300});
  expect_right(result);
  // Why intervals are Student's: with three seeds the bootstrap misses a quarter.
  EXPECT_LT(result.mean_bca.value(), 0.85);
  EXPECT_GT(result.mean_bca.value(), 0.5);
}

TEST(Simulation, ManyArmsAndARace) {
  const Simulated result = simulate({.arms = 10, .seeds = 10, .race = true, .experiments = 300});
  expect_right(result);
  EXPECT_GT(result.found_worse.value(), 0.7);  // what is half worse, or worse than that
  EXPECT_GT(result.runs_spared.value(), 0.005);
  EXPECT_LT(result.wrong_stop.value(), 0.02);
  EXPECT_GT(result.stopped.value(), 0.93 - leeway(result.stopped, 0.95));
}

TEST(Simulation, TwentySeeds) {
  const Simulated result = simulate({.arms = 2, .seeds = 20, .experiments = 300});
  expect_right(result);
  EXPECT_GT(result.mean_bca.value(), 0.87);  // by then the bootstrap comes close
  EXPECT_GT(result.sure_and_best.value(), 0.93);
}

}  // namespace
}  // namespace ogee::lab
