// Against values that scipy 1.10 computed.
#include "lab/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace ogee::lab {
namespace {

const std::vector<double> six{0.012, 0.005, -0.002, 0.009, 0.011, 0.004};

TEST(Statistics, MeanDeviationInterval) {
  EXPECT_NEAR(mean(six), 0.0065, 1e-15);
  EXPECT_NEAR(deviation(six), 0.0052440442408507575, 1e-15);
  const Interval interval = t_interval(six);
  EXPECT_NEAR(interval.low, 0.0009967130743652516, 1e-11);
  EXPECT_NEAR(interval.high, 0.012003286925634751, 1e-11);
}

TEST(Statistics, TTest) {
  EXPECT_NEAR(t_test(six), 0.028877708054077973, 1e-12);
  EXPECT_NEAR(t_test(std::vector<double>{.01, .02, .03, .04, .05}), 0.013235599563682686, 1e-12);
  EXPECT_EQ(t_test(std::vector<double>{0, 0, 0}), 1);
  EXPECT_TRUE(std::isnan(t_test(std::vector<double>{1})));
}

TEST(Statistics, SignFlipIsExact) {
  EXPECT_DOUBLE_EQ(sign_flip(six), 0.0625);
  const std::vector<double> five{.01, .02, .03, .04, .05};
  EXPECT_DOUBLE_EQ(sign_flip(five), 0.0625);
  EXPECT_DOUBLE_EQ(smallest_sign_flip(5), 0.0625);
  EXPECT_DOUBLE_EQ(sign_flip(std::vector<double>{0, 0, 0, 0}), 1);
  // Ties between patterns count, though their sums round differently.
  EXPECT_DOUBLE_EQ(sign_flip(std::vector<double>{0.1, 0.2, -0.3}), 1);
}

const std::vector<double> many{0.326,  0.068,  0.84,  0.305,  -0.336, 0.562,  1.504,  1.147,  -0.504,
                               -1.065, -0.423, 0.241, -2.125, -0.019, -1.046, -0.532, -0.344, -0.116,
                               0.612,  1.243,  0.071, 1.566,  -0.465, 0.552,  1.103};

TEST(Statistics, SignFlipOfTwentyFiveIsExact) { EXPECT_NEAR(sign_flip(many), 0.4759007692337036, 1e-12); }

TEST(Statistics, SignFlipOfManyIsDrawn) {
  std::vector<double> forty = many;
  forty.insert(forty.end(), many.begin(), many.begin() + 15);
  // The normal approximation, which is close at forty.
  EXPECT_NEAR(sign_flip(forty), 0.6345, 0.01);
  EXPECT_EQ(sign_flip(forty), sign_flip(forty));
  EXPECT_GT(sign_flip(std::vector<double>(40, 1.0)), 0);
}

TEST(Statistics, EqualNumbersAreNotCertain) {
  // Three differences of two examples in 100: what rounding hides is not known to be nothing.
  const std::vector<double> same(3, 0.02);
  EXPECT_EQ(t_test(same), 0);
  EXPECT_GT(t_test(same, 0.01), 0.005);
  EXPECT_GT(t_interval(same, 0.95, 0.01).high, 0.025);
}

TEST(Statistics, BcaInterval) {
  const Interval small = bca_interval(six);
  EXPECT_NEAR(small.low, 0.0021667, 2e-4);
  EXPECT_NEAR(small.high, 0.0098333, 2e-4);
  std::vector<double> skewed;
  for (const double value : many) skewed.push_back(std::exp(value));
  const Interval large = bca_interval(skewed);
  EXPECT_NEAR(large.low, 1.157, 0.03);
  EXPECT_NEAR(large.high, 2.165, 0.05);
  EXPECT_EQ(bca_interval(skewed).low, large.low);
  EXPECT_TRUE(std::isnan(bca_interval(std::vector<double>{1}).low));
  EXPECT_EQ(bca_interval(std::vector<double>{2, 2, 2}).high, 2);
}

TEST(Statistics, StandardisedDifference) {
  const Effect few = standardised(six);
  EXPECT_NEAR(few.size, 1.0421091403876865, 1e-12);
  EXPECT_NEAR(few.interval.low, 0.1156720735486664, 1e-5);
  EXPECT_NEAR(few.interval.high, 2.3035914216021847, 1e-5);
  const Effect more = standardised(many);
  EXPECT_NEAR(more.size, 0.1404726034084364, 1e-12);
  EXPECT_NEAR(more.interval.low, -0.2505378477516592, 1e-5);
  EXPECT_NEAR(more.interval.high, 0.5376868036917486, 1e-5);
  EXPECT_TRUE(std::isnan(standardised(std::vector<double>{1, 1, 1}).size));
}

TEST(Statistics, Holm) {
  const auto corrected = holm(std::vector<double>{0.01, 0.04, 0.03, 0.005});
  const std::vector<double> expected{0.03, 0.06, 0.06, 0.02};
  ASSERT_EQ(corrected.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(corrected[i], expected[i], 1e-12);
  EXPECT_TRUE(holm({}).empty());
}

TEST(Statistics, TooFewForAnInterval) {
  EXPECT_TRUE(std::isnan(t_interval(std::vector<double>{1}).low));
  EXPECT_TRUE(std::isnan(deviation(std::vector<double>{1})));
}

}  // namespace
}  // namespace ogee::lab
