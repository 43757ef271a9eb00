// The contract on errors, function by function, on every target; and the measuring instrument itself.
#include "accuracy/sweep.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "accuracy/compare.h"

namespace ogee::test {
namespace {

using accuracy::error_in_ulp;
using accuracy::Finding;

TEST(Accuracy, UnitsAreTheExactValues) {
  EXPECT_EQ(error_in_ulp(1.0F, 1.0), 0);
  EXPECT_EQ(error_in_ulp(std::nextafter(1.0F, 2.0F), 1.0), 1);
  EXPECT_EQ(error_in_ulp(std::nextafter(1.0F, 0.0F), 1.0), 0.5);  // below 1 the floats are twice as dense
  EXPECT_EQ(error_in_ulp(1.0F, 1.0 + 0x1p-24), 0.5);
  EXPECT_EQ(error_in_ulp(0.0F, 0x1p-149), 1);  // subnormal numbers count in units of the smallest normal one
  EXPECT_EQ(error_in_ulp(0x1p-126F, 0x1p-126 + 0x1p-150), 0.5);
  const float huge = std::numeric_limits<float>::max(), inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(error_in_ulp(inf, 0x1p128), 0);
  EXPECT_EQ(error_in_ulp(inf, 1e300), 0);
  EXPECT_EQ(error_in_ulp(inf, huge), 1);
  EXPECT_EQ(error_in_ulp(huge, infinity), 1);
  EXPECT_GT(error_in_ulp(-inf, infinity), 1e6);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(error_in_ulp(nan, nan), 0);
  EXPECT_EQ(error_in_ulp(nan, 1.0), infinity);
  EXPECT_EQ(error_in_ulp(1.0, nan), infinity);
  EXPECT_EQ(error_in_ulp(1.0F + 0x1p-7F, 1.0, accuracy::bfloat16_format), 1);
  EXPECT_EQ(error_in_ulp(0x1p-24, 0.0, accuracy::float16_format), 1);
  EXPECT_EQ(error_in_ulp(0x1p-20, 0.0, accuracy::float32_format, 0x1p3), 1);  // of a difference of terms near 8
}

TEST(Accuracy, TheFastComparisonAgreesWithTheSlowOne) {
  std::vector<float> got;
  std::vector<double> exact;
  const double inf = infinity, nan = std::numeric_limits<double>::quiet_NaN();
  for (double e : {0.0, -0.0, 1.0, -1.5, 1e-40, -3e-45, 1e38, 3.4028235e38, 1e39, inf, -inf, nan}) {
    for (double y : {0.0, 1.0, 1.0000001, -1.5, 1e-40, 2e-45, 1e38, 3.4028235e38, inf, -inf, nan}) {
      got.push_back(static_cast<float>(y));
      exact.push_back(e);
    }
  }
  for (const std::string& target : targets()) {
    use_target(target);
    for (std::size_t i = 0; i < got.size(); ++i) {
      // Alone (the ragged end) and within a whole vector.
      std::vector<float> g(65, 1.0F);
      std::vector<double> e(65, 1.0);
      for (std::size_t at : {std::size_t{0}, std::size_t{37}, std::size_t{64}}) {
        g[at] = got[i];
        e[at] = exact[i];
        const double fast = accuracy::worst(g.data(), e.data(), g.size());
        const double slow = error_in_ulp(got[i], exact[i]);
        EXPECT_EQ(fast, slow) << got[i] << " for " << exact[i] << " on " << target;
        g[at] = 1;
        e[at] = 1;
      }
    }
  }
  use_target("");
}

// The check can fail: in float arithmetic throughout, gelu's tail is not within the contract.
TEST(Accuracy, FindsWhatIsBeyondTheContract) {
  accuracy::Plan plan;
  plan.stride = 10007;
  plan.precision = Precision::fast;
  plan.targets = {"SCALAR"};
  if (targets().back() != "SCALAR") GTEST_SKIP() << "no one-lane target here";
  bool broken = false;
  for (const Finding& f : measure(Activation("gelu"), plan)) broken = broken || !f.holds();
  EXPECT_TRUE(broken);
}

TEST(Accuracy, RefusesNonsense) {
  accuracy::Plan plan;
  plan.stride = 0;
  EXPECT_THROW(measure(Activation("relu"), plan), Error);
  plan.stride = 1;
  plan.types = {Type::float64};
  EXPECT_THROW(measure(Activation("relu"), plan), Error);
  plan.types = {Type::float32};
  plan.targets = {"MMX"};
  EXPECT_THROW(measure(Activation("relu"), plan), Error);
}

class Contract : public testing::TestWithParam<const Function*> {};

TEST_P(Contract, Holds) {
  accuracy::Plan plan;
  plan.types = {Type::float32, Type::bfloat16, Type::float16};
  plan.targets = targets();  // the one-lane fallback, too
  plan.stride = 200003;
  plan.samples = 1 << 13;
  for (const Finding& f : measure(Activation(*GetParam()), plan)) {
    EXPECT_TRUE(f.holds()) << f.direction << " " << f.argument << " in " << accuracy::name_of(f.type) << " on "
                           << f.target << ": " << f.max_ulp << " units at " << f.worst_x[0] << ", got " << f.got
                           << ", exactly " << f.expected;
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Contract, testing::ValuesIn(functions().begin(), functions().end()),
                         [](const auto& info) { return std::string(spec_of(*info.param).name); });

}  // namespace
}  // namespace ogee::test
