// Slopes and gradients through deep stacks, where the answer is known.
#include <gtest/gtest.h>

#include "claims/studies.h"
#include "ogee/ogee.h"
#include "refusal.h"

namespace ogee::claims {
namespace {

TEST(Slopes, ProductsOfKnownSlopes) {
  const auto study = study_of("slopes", "arms = ['sigmoid', 'relu', 'identity']\ndepths = [1, 50]\nseeds = 4\n");
  const auto seen = observe(*study);
  EXPECT_NEAR(value_of(seen, "sigmoid", 50, "largest_product"), 50 * std::log10(0.25), 1e-9);
  EXPECT_EQ(value_of(seen, "identity", 50, "drawn_product"), 0);
  EXPECT_EQ(value_of(seen, "identity", 50, "above_1e-18"), 1);
  EXPECT_EQ(value_of(seen, "sigmoid", 1, "above_1e-18"), 1);
  // Of fifty normal pre-activations some are negative: relu's whole product is 0, while what is counted of it is 1.
  EXPECT_EQ(value_of(seen, "relu", 50, "above_1e-18"), 0);
  EXPECT_EQ(value_of(seen, "relu", 50, "drawn_product"), 0);
  EXPECT_NEAR(value_of(seen, "relu", 50, "zero_share"), 0.5, 0.2);
}

TEST(Slopes, UniformDraws) {
  const auto study = study_of("slopes", "arms = ['relu']\ndepths = [50]\nuniform = true\nseeds = 2000\n");
  const auto seen = observe(*study);
  // -ln of each is exponential: the sum of 50 has mean 50, and is below 18 ln 10 with a chance of 0.107 (the gamma
  // distribution of shape 50).
  EXPECT_NEAR(value_of(seen, "uniform", 50, "drawn_product"), -50 / std::log(10), 0.3);
  EXPECT_NEAR(value_of(seen, "uniform", 50, "above_1e-18"), 0.107, 0.025);
}

TEST(Slopes, RefusesWhatItCannotMeasure) {
  refused([] { study_of("slopes", "arms = ['relu; gain=1']\n"); }, "no settings of their own");
  refused([] { study_of("slopes", "arms = ['uniform']\n"); }, "uniform = true");
  refused([] { study_of("slopes", "arms = ['swiglu']\n"); }, "two inputs");
  refused([] { study_of("slopes", "arms = ['rellu']\n"); }, "did you mean");
}

TEST(Depth, IdentityWithOrthogonalGainPassesAll) {
  const auto study = study_of(
      "depth", "arms = ['identity', 'identity; gain=0.5']\ndepths = [1, 11]\nwidth = 128\nsteps = 2\nseeds = 6\n");
  const auto seen = observe(*study);
  EXPECT_EQ(value_of(seen, "identity", 1, "ratio"), 0);
  EXPECT_TRUE(std::isnan(value_of(seen, "identity", 1, "decay")));
  // Ten square matrices of variance 1/width keep a gradient's norm on the average; half the gain halves it each time.
  EXPECT_NEAR(value_of(seen, "identity", 11, "ratio"), 0, 0.15);
  EXPECT_NEAR(value_of(seen, "identity; gain=0.5", 11, "ratio") - value_of(seen, "identity", 11, "ratio"),
              10 * std::log10(0.5), 0.05);
  EXPECT_NEAR(value_of(seen, "identity; gain=0.5", 11, "decay") - value_of(seen, "identity", 11, "decay"),
              -std::log10(0.5), 0.01);
}

TEST(Depth, SigmoidLosesMoreTheDeeper) {
  const auto study =
      study_of("depth", "arms = ['sigmoid', 'relu', 'swiglu']\ndepths = [4, 12]\nsteps = 3\nseeds = 3\n");
  const auto seen = observe(*study);
  EXPECT_LT(value_of(seen, "sigmoid", 12, "ratio"), value_of(seen, "sigmoid", 4, "ratio") - 2);
  EXPECT_LT(value_of(seen, "sigmoid", 12, "moved"), -1);
  EXPECT_LT(value_of(seen, "sigmoid", 12, "weight_ratio"), -2);
  EXPECT_GT(value_of(seen, "relu", 12, "ratio"), -1);
  EXPECT_TRUE(std::isfinite(value_of(seen, "swiglu", 12, "decay")));
}

TEST(Depth, RefusesWhatItCannotMeasure) {
  refused([] { study_of("depth", "arms = ['swiglu; gain=1']\n"); }, "gated");
  refused([] { study_of("depth", "arms = ['relu; slope=1']\n"); }, "one of gain");
  refused([] { study_of("depth", "arms = ['relu; gain=x']\n"); }, "'x'");
  refused([] { study_of("depth", "arms = ['relu', 'relu']\n"); }, "twice");
  refused([] { study_of("depth", "dephts = [3]\n"); }, "dephts");
}

}  // namespace
}  // namespace ogee::claims
