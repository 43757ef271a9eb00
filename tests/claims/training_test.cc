// Watched training: signs, units and steps where the answer is known.
#include <gtest/gtest.h>

#include "ogee/libtorch.h"
#include "claims/studies.h"
#include "claims/studies/path_probe.h"
#include "claims/studies/unit_probe.h"
#include "models/network.h"
#include "refusal.h"

namespace ogee::claims::training_test {
namespace {

data::Dataset small_data() {
  data::Dataset data;
  data.shape = {2};
  data.classes = {"no", "yes"};
  return data;
}

std::shared_ptr<models::Network> small_network(const std::string& activation) {
  models::Settings settings;
  settings.depth = 2;
  settings.width = 4;
  settings.activation = activation;
  return models::build(settings, small_data(), 1);
}

TEST(PathProbe, AgreementIsTheLargerShareOfOneSign) {
  const at::Tensor rows = torch::tensor({{1.0, 2.0, 3.0, -1.0}, {0.0, 0.0, 0.0, 0.0}, {-1.0, 0.0, -2.0, 0.0}});
  const at::Tensor agreement = sign_agreement(rows);
  ASSERT_EQ(agreement.numel(), 2);  // of no sign at all there is no share
  EXPECT_EQ(agreement[0].item<double>(), 0.75);
  EXPECT_EQ(agreement[1].item<double>(), 1);
}

TEST(PathProbe, StepsBackAndForth) {
  const auto network = small_network("tanh");
  PathProbe probe(*network);
  const auto move = [&](double by) {
    const torch::NoGradGuard no_gradients;
    for (const at::Tensor& parameter : network->parameters()) {
      parameter.mutable_grad() = torch::ones_like(parameter);
      if (parameter.dim() == 2) parameter[0][0] = 0;
    }
    probe.before_step();
    for (const at::Tensor& parameter : network->parameters()) parameter.add_(by);
    probe.after_step();
  };
  move(1);
  move(1);
  move(-1);
  const auto seen = probe.measures();
  // Of the two pairs of steps one turns back wholly, the other not at all.
  EXPECT_EQ(seen.at("reversals"), 0.5);
  EXPECT_NEAR(seen.at("zigzag"), 0.5, 1e-6);
  EXPECT_NEAR(seen.at("alignment"), 1, 1e-6);
  EXPECT_EQ(seen.at("batch_agreement"), 1);
  EXPECT_GT(seen.at("path_ratio"), 2.5);
}

TEST(UnitProbe, TellsOffFromDead) {
  for (const bool leaky : {false, true}) {
    const auto network = small_network(leaky ? "leaky_relu" : "relu");
    network->recording = true;
    const at::Tensor z = torch::tensor({{-1.0F, -1.0F, 2.0F, 1.0F}, {-2.0F, 3.0F, 2.0F, 1.0F}});
    for (auto& layer : network->layers) layer.z = z;
    UnitProbe probe;
    probe.look(*network);
    auto seen = probe.measures();
    EXPECT_EQ(seen.at("off_first"), 0.25);
    EXPECT_EQ(seen.at("dead_first"), leaky ? 0 : 0.25);
    EXPECT_EQ(seen.at("saturated_first"), 3.0 / 8);
    EXPECT_EQ(seen.at("recovered"), 0);
    // The first layer's unit comes back, the second's second goes.
    network->layers[0].z = z + 10;
    network->layers[1].z = z - torch::tensor({0.0F, 5.0F, 0.0F, 0.0F});
    probe.look(*network);
    seen = probe.measures();
    EXPECT_EQ(seen.at("off_first"), 0.25);
    EXPECT_EQ(seen.at("off"), 0.25);
    EXPECT_EQ(seen.at("ever_off"), 3.0 / 8);
    EXPECT_NEAR(seen.at("recovered"), 1.0 / 3, 1e-12);
  }
}

TEST(UnitProbe, WithoutALargestSlopeWhatWasSeenStandsInForIt) {
  const auto network = small_network("squared_relu");
  // Slopes of 2z: 0, 0.2, 2, 20 in the first layer; all the same in the second.
  network->layers[0].z = torch::tensor({{-1.0F, 0.1F, 1.0F, 10.0F}});
  network->layers[1].z = torch::full({1, 4}, 0.01F);
  UnitProbe probe;
  probe.look(*network);
  EXPECT_EQ(probe.measures().at("saturated_first"), 2.0 / 8);
}

constexpr const char* small = "train_limit = 400\ndepth = 2\nwidth = 16\nseeds = 2\n";

TEST(Training, OneSignBehindReluByExample) {
  const auto study = study_of("training", std::string(small) +
                                              "arms = ['relu', 'tanh']\nvary = 'batch'\nvalues = [1, 16]\n"
                                              "rates = [0.05]\nsteps = 60\nevery = 20\npath = true\n");
  const auto seen = observe(*study);
  for (const double at : {1.0, 16.0}) EXPECT_EQ(value_of(seen, "relu", at, "example_agreement"), 1);
  EXPECT_LT(value_of(seen, "tanh", 16, "example_agreement"), 0.8);
  // A step by one example has its gradient's signs.
  EXPECT_EQ(value_of(seen, "relu", 1, "batch_agreement"), 1);
  EXPECT_LT(value_of(seen, "relu", 16, "batch_agreement"), 1);
  EXPECT_GE(value_of(seen, "relu", 16, "path_ratio"), 1);
}

TEST(Training, DeadReluStaysDead) {
  const auto study = study_of("training", std::string(small) +
                                              "arms = ['relu; bias=-100', 'leaky_relu', 'relu', 'relu; bias=-100, "
                                              "share=0.25']\nvalues = [0.1]\n"
                                              "steps = 100\nevery = 20\n");
  const auto seen = observe(*study);
  EXPECT_EQ(value_of(seen, "relu; bias=-100", 0.1, "dead_first"), 1);
  EXPECT_EQ(value_of(seen, "relu; bias=-100", 0.1, "dead"), 1);
  EXPECT_EQ(value_of(seen, "relu; bias=-100", 0.1, "recovered"), 0);
  EXPECT_GT(value_of(seen, "relu; bias=-100", 0.1, "test_error"), 0.7);
  EXPECT_EQ(value_of(seen, "leaky_relu", 0.1, "dead"), 0);
  // A quarter of each layer's units begins off and stays so; that does not keep the others from learning.
  EXPECT_GE(value_of(seen, "relu; bias=-100, share=0.25", 0.1, "dead"), 0.25);
  EXPECT_LT(value_of(seen, "relu; bias=-100, share=0.25", 0.1, "test_error"), 0.5);
  EXPECT_LT(value_of(seen, "relu", 0.1, "test_error"), 0.5);
}

TEST(Training, DivergedRunsHaveNumbers) {
  const auto study =
      study_of("training", std::string(small) + "arms = ['squared_relu']\nvalues = [1000]\nsteps = 50\n");
  const auto seen = observe(*study);
  EXPECT_EQ(value_of(seen, "squared_relu", 1000, "diverged"), 1);
  EXPECT_EQ(value_of(seen, "squared_relu", 1000, "steps"), 50);
  EXPECT_NEAR(value_of(seen, "squared_relu", 1000, "train_loss"), std::log(10.0), 1e-9);
  EXPECT_GT(value_of(seen, "squared_relu", 1000, "test_error"), 0.8);
}

TEST(Training, TakesTheBestRate) {
  const std::string rest =
      "arms = ['relu']\nvary = 'scale'\nvalues = [1]\nsteps = 300\nevery = 10\ntarget = 0.5\nstop_at_target = true\n";
  const auto steps = [&](const std::string& rates, std::uint64_t seed) {
    const auto study = study_of("training", small + rest + "rates = " + rates + "\n");
    return value_of(observe(*study), "relu", 1, "steps", seed);
  };
  for (const std::uint64_t seed : {1, 2}) {
    const double slow = steps("[0.001]", seed), quick = steps("[0.1]", seed);
    EXPECT_LT(quick, slow);
    EXPECT_EQ(steps("[0.001, 0.1]", seed), quick);
    EXPECT_EQ(steps("[0.1, 0.001]", seed), quick);
  }
}

TEST(Training, RefusesContradictions) {
  refused([] { study_of("training", "arms = ['swiglu']\n"); }, "one input");
  refused([] { study_of("training", "vary = 'bias'\narms = ['relu; bias=1']\n"); }, "sets what is varied");
  refused([] { study_of("training", "arms = ['relu; bias=1, share=2']\n"); }, "from 0 to 1");
  refused([] { study_of("training", "vary = 'rate'\nrates = [0.1]\n"); }, "the rate is what is varied");
  refused([] { study_of("training", "vary = 'batch'\nvalues = [1.5]\n"); }, "whole numbers");
  refused([] { study_of("training", "optimiser = 'adam'\nmomentum = 0.9\n"); }, "is one of sgd");
}

}  // namespace
}  // namespace ogee::claims::training_test
