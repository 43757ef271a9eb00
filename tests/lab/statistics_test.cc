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

TEST(Statistics, SignFlipOfManyIsDrawn) {
  const std::vector<double> many{0.326,  0.068,  0.84,  0.305,  -0.336, 0.562,  1.504,  1.147,  -0.504,
                                 -1.065, -0.423, 0.241, -2.125, -0.019, -1.046, -0.532, -0.344, -0.116,
                                 0.612,  1.243,  0.071, 1.566,  -0.465, 0.552,  1.103};
  EXPECT_NEAR(sign_flip(many), 0.476338, 0.003);
  EXPECT_EQ(sign_flip(many), sign_flip(many));
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
