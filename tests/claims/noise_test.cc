// The study of noisy units at one input: what can be worked out by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "claims/studies.h"
#include "ogee/ogee.h"
#include "refusal.h"

namespace ogee::claims {
namespace {

TEST(NoiseStudy, MeasuresWhatTheFormulaSays) {
  const std::string up = "nah(base=hard_tanh, alpha=1.2)", down = "nah(base=hard_tanh, alpha=0.9)";
  const auto study = study_of("noise", "arms = [\"" + up + "\", \"" + down +
                                           "\", \"hardtanh\"]\ninputs = [0.5, 4, -4]\ndraws = 4000\nseeds = 2");
  const auto seen = observe(*study);
  const auto value = [&](const std::string& arm, double at, const char* measure) {
    return value_of(seen, arm, at, measure);
  };
  EXPECT_NEAR(value(up, 4, "start"), 1.2 - 0.2 * 4, 1e-12);
  EXPECT_NEAR(value(down, 4, "start"), 0.9 + 0.1 * 4, 1e-12);
  EXPECT_NEAR(value(up, -4, "start"), -value(up, 4, "start"), 1e-12) << "odd";
  EXPECT_GE(value(up, 4, "lowest"), value(up, 4, "start"));
  EXPECT_LE(value(down, 4, "highest"), value(down, 4, "start"));
  EXPECT_GT(value(up, 4, "above"), 0.99);
  EXPECT_EQ(value(down, 4, "above"), 0);
  EXPECT_EQ(value(up, -4, "above"), 0);
  // sigma = c (s - 1/2)^2 with s = sigmoid(p (h - u)) = sigmoid(-3); half-normal noise has the mean sqrt(2/pi).
  const double c = Activation(up).parameter("c"), s = 1 / (1 + std::exp(3.0));
  const double sigma = c * (s - 0.5) * (s - 0.5), mean = 0.4 + sigma * std::sqrt(2 / std::acos(-1.0));
  EXPECT_NEAR(value(up, 4, "evaluated"), mean, 1e-9);
  EXPECT_NEAR(value(up, 4, "mean"), mean, 5 * sigma / std::sqrt(8000.0));
  // Nothing happens where there is nothing to push back.
  EXPECT_EQ(value(up, 0.5, "mean"), 0.5);
  EXPECT_EQ(value("hardtanh", 4, "passing"), 0);
  EXPECT_EQ(value("hardtanh", 0.5, "passing"), 1);
  EXPECT_EQ(value("hardtanh", 0.5, "slope"), 1);
  EXPECT_EQ(value("hardtanh", 0.5, "slope_spread"), 0);
  EXPECT_GT(value(up, 4, "passing"), 0.99);
}

TEST(NoiseStudy, RefusesWhatItCannotDraw) {
  refused([] { study_of("noise", "arms = [\"swiglu\"]"); }, "takes two inputs");
  refused([] { study_of("noise", "arms = [\"rrelu\"]"); }, "uniform noise");
}

}  // namespace
}  // namespace ogee::claims
