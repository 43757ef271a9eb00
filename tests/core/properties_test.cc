// The computed sheet against what is known of the functions.
#include <gtest/gtest.h>

#include <cmath>

#include "ogee/ogee.h"

namespace ogee::test {
namespace {

Properties of(const char* name) { return properties(Activation(name)); }

TEST(PropertiesTest, Relu) {
  const Properties p = of("relu");
  EXPECT_EQ(p.low, 0);
  EXPECT_EQ(p.high, infinity);
  EXPECT_TRUE(p.monotonic);
  EXPECT_TRUE(p.left.saturates && p.left.hard);
  EXPECT_NEAR(p.left.from, 0, 1e-9);
  EXPECT_FALSE(p.right.saturates);
  EXPECT_EQ(p.smoothness, 0);
  ASSERT_EQ(p.kinks.size(), 1u);
  EXPECT_NEAR(p.kinks[0], 0, 1e-9);
  EXPECT_NEAR(p.mean, 1 / std::sqrt(2 * std::acos(-1.0)), 1e-6);
  EXPECT_NEAR(p.gain, std::sqrt(2.0), 1e-5);  // He et al. 2015
  EXPECT_NEAR(p.zero_share, 0.5, 1e-6);
  EXPECT_EQ(p.lipschitz, 1);
}

TEST(PropertiesTest, SaturationHardAndSoft) {
  EXPECT_TRUE(of("sigmoid").left.saturates && of("sigmoid").right.saturates);
  EXPECT_FALSE(of("sigmoid").left.hard || of("sigmoid").right.hard);
  EXPECT_FALSE(of("tanh").right.hard);
  EXPECT_TRUE(of("hardtanh").right.hard);
  EXPECT_NEAR(of("hardtanh").right.from, 1, 1e-6);
  EXPECT_NEAR(of("hard_sigmoid").left.from, -3, 1e-6);
  EXPECT_TRUE(of("elu").left.saturates);
  EXPECT_FALSE(of("elu").left.hard || of("elu").right.saturates);
  EXPECT_FALSE(of("leaky_relu").left.saturates);
  EXPECT_FALSE(of("gaussian").right.hard);
}

TEST(PropertiesTest, RangesLimitsAndSlopes) {
  EXPECT_NEAR(of("sigmoid").lipschitz, 0.25, 1e-9);
  EXPECT_NEAR(of("tanh").lipschitz, 1, 1e-9);
  EXPECT_NEAR(of("silu").low, -0.278464543, 1e-6);
  EXPECT_FALSE(of("silu").monotonic);
  EXPECT_NEAR(of("atlu").limit_left, -1 / std::acos(-1.0), 1e-9);
  EXPECT_EQ(of("selu").limit_left, -1.7580993408473768599);
  EXPECT_EQ(of("squared_relu").lipschitz, infinity);
  EXPECT_TRUE(std::isnan(of("sine").limit_right));
  EXPECT_EQ(of("gcu").high, infinity);
  EXPECT_EQ(of("tanh").low, -1);
}

TEST(PropertiesTest, SmoothnessAndMoments) {
  EXPECT_EQ(of("step").smoothness, -1);
  EXPECT_EQ(of("elu").smoothness, 1);
  EXPECT_EQ(of("selu").smoothness, 0);
  EXPECT_EQ(of("gelu").smoothness, 2);
  EXPECT_EQ(of("squared_relu").smoothness, 1);
  EXPECT_EQ(of("hardshrink").smoothness, -1);
  EXPECT_NEAR(of("selu").mean, 0, 1e-6);  // Klambauer et al. 2017: the fixed point
  EXPECT_NEAR(of("selu").deviation, 1, 1e-6);
  EXPECT_NEAR(of("star_relu").mean, 0, 1e-6);  // Yu et al. 2022
  EXPECT_NEAR(of("star_relu").deviation, 1, 1e-6);
  EXPECT_NEAR(of("identity").gain, 1, 1e-6);
  EXPECT_EQ(of("tanh").mean, 0);
  EXPECT_THROW(properties(Activation("glu")), Error);
}

// The kinks that a spec declares are the ones that are computed.
TEST(PropertiesTest, DeclaredKinksAreTheComputedOnes) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    if (spec.inputs != 1 || spec.noise != Noise::none || !spec.differentiable) continue;
    const Activation activation(*f);
    const Properties p = properties(activation);
    for (const Kink& kink : spec.kinks) {
      if (std::fabs(kink.at) > 9.9) continue;
      bool found = false;
      for (double k : p.kinks) found = found || std::fabs(k - kink.at) < 2e-3;
      EXPECT_TRUE(found || spec.name == "aplu") << spec.name << " declares a kink at " << kink.at;
      const double x = kink.at;
      EXPECT_NEAR(exact(activation, {&x, 1}, 0, Mode::evaluation).derivatives[0], kink.slope, 2e-6)
          << spec.name << " at " << x;
    }
    for (double k : p.kinks) {
      bool declared = false;
      for (const Kink& kink : spec.kinks) declared = declared || std::fabs(k - kink.at) < 2e-3;
      EXPECT_TRUE(declared) << spec.name << " has an undeclared kink at " << k;
    }
  }
}

}  // namespace
}  // namespace ogee::test
