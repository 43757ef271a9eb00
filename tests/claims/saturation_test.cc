// The study of saturated units in training: what can be worked out by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "claims/studies.h"
#include "ogee/ogee.h"
#include "refusal.h"

namespace ogee::claims::saturation_test {
namespace {

TEST(SaturationStudy, MeasuresWhatTheFormulaSays) {
  const std::string plain = "hardtanh", still = "nan(base=hard_tanh, c=0)", quiet = "nan(base=tanh, c=0.01)",
                    louder = "nan(base=tanh, c=0.1)", falling = "nan(base=tanh, c=0.01); anneal_from=0.1";
  const auto study = study_of("saturation", "arms = [\"" + plain + "\", \"" + still + "\", \"" + quiet + "\", \"" +
                                                louder + "\", \"" + falling +
                                                "\"]\ndata = \"optdigits\"\ntrain_limit = 200\ndepth = 2\nwidth = 16\n"
                                                "weight_scale = 3\nsteps = 120\nat = [0, 120]\ndraws = 40\nseeds = 2");
  const auto seen = observe(*study);
  const auto value = [&](const std::string& arm, double at, const char* measure) {
    return value_of(seen, arm, at, measure);
  };
  EXPECT_GT(value(plain, 0, "saturated"), 0.3);
  EXPECT_EQ(value(plain, 0, "slope"), 0);
  EXPECT_EQ(value(plain, 0, "passing"), 0);
  EXPECT_TRUE(std::isnan(value(plain, 0, "signal_to_noise"))) << "there is no noise";
  // Without noise alpha*h + (1 - alpha)*u is left, whose slope is 1 - alpha, of alpha = 1.15.
  EXPECT_NEAR(value(still, 0, "slope"), 0.15, 1e-6);
  EXPECT_EQ(value(still, 0, "passing"), 1);
  EXPECT_TRUE(std::isnan(value(still, 0, "signal_to_noise")));
  // Small noise moves gradients of a smooth function in proportion to c: their variance is a hundred times as large.
  EXPECT_NEAR(value(quiet, 0, "signal_to_noise") - value(louder, 0, "signal_to_noise"), 2, 0.1);
  EXPECT_GT(value(louder, 0, "flow"), -3);
  // c/sqrt(t+1): as loud at first, and at step 120 as the hundredth part of its square.
  EXPECT_EQ(value(falling, 0, "signal_to_noise"), value(louder, 0, "signal_to_noise"));
  EXPECT_GT(value(falling, 120, "signal_to_noise"), value(louder, 120, "signal_to_noise") + 1);
  EXPECT_LT(value(plain, 120, "train_loss"), value(plain, 0, "train_loss"));
  EXPECT_GT(value(plain, 0, "test_error"), 0.5);
}

TEST(SaturationStudy, RefusesWhatItCannotMeasure) {
  refused([] { study_of("saturation", "arms = [\"swiglu\"]"); }, "takes two inputs");
  refused([] { study_of("saturation", "arms = [\"tanh; anneal_from=3\"]"); }, "c");
  refused([] { study_of("saturation", "steps = 100\nat = [200]"); }, "none above those of the whole training");
}

}  // namespace
}  // namespace ogee::claims::saturation_test
