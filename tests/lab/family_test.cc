// Many arms at once: the correction for choosing the lowest, and who is probably the best.
#include "lab/family.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

namespace ogee::lab {
namespace {

TEST(SmallestAgainstLowest, OfTwoArmsIsThePlainTest) {
  const SmallestAgainstLowest pair({5, 5});
  for (const double p : {0.01, 0.05, 0.3}) EXPECT_NEAR(pair.corrected(p), p, 4 * std::sqrt(p / 20000));
  EXPECT_NEAR(pair.quantile(0.05), 0.05, 0.006);
}

TEST(SmallestAgainstLowest, GrowsWithTheArms) {
  double before = 0.01;
  for (const std::size_t arms : {3, 6, 12, 24}) {
    const double corrected = SmallestAgainstLowest(std::vector<std::size_t>(arms, 10)).corrected(0.01);
    EXPECT_GT(corrected, before);
    // Never more than Bonferroni's over all pairs.
    EXPECT_LT(corrected, 0.01 * static_cast<double>(arms * (arms - 1) / 2) + 0.005);
    before = corrected;
  }
}

TEST(SmallestAgainstLowest, AllowsForUnequalNumbersOfSeeds) {
  // Arms with two seeds hardly ever show a small p, so that they add less to the correction than whole ones.
  const double whole = SmallestAgainstLowest({10, 10, 10, 10}).corrected(0.001);
  EXPECT_LE(SmallestAgainstLowest({10, 10, 2, 2}).corrected(0.001), whole);
  EXPECT_EQ(SmallestAgainstLowest({10, 1}).corrected(0.2), 0.2);
  EXPECT_TRUE(std::isnan(SmallestAgainstLowest({3, 3}).corrected(std::nan(""))));
}

TEST(ProbabilitiesOfBest, OfTwoIsThePosteriorOfThePairedT) {
  // Differences .03 .05 .02 .07 .04: one-sided p of the paired t test 0.00407 (scipy).
  const std::vector<std::vector<double>> errors{{0.10, 0.20, 0.30, 0.10, 0.25}, {0.13, 0.25, 0.32, 0.17, 0.29}};
  const auto probabilities = probabilities_of_best(errors);
  EXPECT_NEAR(probabilities[0], 1 - 0.00407, 0.004);
  EXPECT_NEAR(probabilities[0] + probabilities[1], 1, 1e-9);
}

TEST(ProbabilitiesOfBest, ShareTies) {
  const std::vector<double> same{0.1, 0.2, 0.15};
  const auto probabilities = probabilities_of_best(std::vector{same, same, same});
  for (const double each : probabilities) EXPECT_NEAR(each, 1.0 / 3, 1e-9);
  EXPECT_TRUE(std::isnan(probabilities_of_best(std::vector<std::vector<double>>{{0.1}, {0.2}})[0]));
  EXPECT_TRUE(probabilities_of_best({}).empty());
}

}  // namespace
}  // namespace ogee::lab
