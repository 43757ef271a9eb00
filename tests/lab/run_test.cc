// A run that is broken off and goes on elsewhere, bit for bit; optimisers; schedules.
#include "broken_off.h"
#include "ogee/libtorch.h"
#include "lab/run.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "data/dataset.h"
#include "lab/checkpoint.h"
#include "lab/optimiser.h"
#include "monitor/json.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

Experiment small(const data::Dataset& data) {
  Experiment experiment;
  experiment.depth = 3;
  experiment.width = 16;
  experiment.epochs = 5;
  experiment.batch = 24;
  experiment.train_limit = 200;
  experiment.arms = {{"", "relu", {}, {}},
                     {"annealed", "nah(base=tanh)", {{"c", 2, 0.1, Schedule::Shape::exponential}}, {}}};
  return resolve(experiment, data);
}

RunKey key_of(const Experiment& experiment, const std::string& arm) {
  return {arm, Stage::result, 1, 3e-3, experiment.steps};
}

std::string shown(const RunResult& result) {
  nlohmann::ordered_json json{{"validation", {result.validation_error, result.validation_loss}},
                              {"test", {result.test_error, result.test_loss}},
                              {"dead", result.dead},
                              {"findings", result.findings}};
  for (const Point& point : result.points)
    json["points"].push_back({point.epoch, point.train_loss, point.validation_loss, point.gradients, point.scheduled});
  return json.dump();
}

TEST(Run, GoesOnElsewhereToTheSameResult) {
  const data::Dataset data = data::load({"optdigits", "", 200});
  for (const char* optimiser : {"adam", "sgd", "rmsprop"}) {
    Experiment experiment = small(data);
    experiment.optimiser.name = optimiser;
    experiment.optimiser.momentum = experiment.optimiser.name != "adam" ? 0.9 : 0;
    for (const ArmSettings& arm : experiment.arms) {
      const RunKey key = key_of(experiment, arm.label());
      const RunResult whole = train(experiment, data, key, {});
      ASSERT_EQ(whole.status, Status::finished) << whole.message;
      const RunResult result = train_broken_off(experiment, data, key, 10);
      EXPECT_EQ(shown(result), shown(whole)) << arm.label() << " " << optimiser;
    }
  }
}

TEST(Run, AStateOfAnotherNetworkIsOfNoUseButHarmless) {
  const data::Dataset data = data::load({"optdigits", "", 200});
  const Experiment experiment = small(data);
  const RunKey key = key_of(experiment, "relu");
  Experiment other = experiment;
  other.width = 17;
  std::string state;
  RunHooks hooks;
  hooks.keep_seconds = 0;
  hooks.keep = [&](const std::string& bytes) { state = bytes; };
  train(other, data, key, hooks);
  ASSERT_FALSE(state.empty());
  for (const std::string& useless : {state, std::string("nonsense"), state.substr(0, state.size() / 2)}) {
    std::string why;
    RunHooks resumed;
    resumed.state = useless;
    resumed.damaged = [&](const std::string& reason) { why = reason; };
    EXPECT_EQ(shown(train(experiment, data, key, resumed)), shown(train(experiment, data, key, {})));
    EXPECT_FALSE(why.empty());
  }
}

TEST(Run, SchedulesMoveTheirAttributes) {
  const data::Dataset data = data::load({"optdigits", "", 200});
  const Experiment experiment = small(data);
  const RunResult result = train(experiment, data, key_of(experiment, "annealed"), {});
  ASSERT_EQ(result.points.size(), 6u);
  EXPECT_EQ(result.points.front().scheduled.at("c"), 2);
  EXPECT_EQ(result.points.back().scheduled.at("c"), 0.1);
  for (std::size_t i = 1; i < result.points.size(); ++i)
    EXPECT_LT(result.points[i].scheduled.at("c"), result.points[i - 1].scheduled.at("c"));
}

// Runs that tune see no untrained network, whose error must not count for those that measure, either.
TEST(Run, LoweringByValidationIsTheSameInTuningAndResults) {
  const data::Dataset data = data::load({"optdigits", "", 200});
  Experiment experiment = small(data);
  Schedule schedule{"c", 2, 0.01, Schedule::Shape::validation};
  schedule.factor = 0.25;
  experiment.arms = {{"lowered", "nan(base=tanh)", {schedule}, {}}};
  experiment = resolve(experiment, data);
  RunKey key = key_of(experiment, "lowered");
  key.rate = 0;  // nothing ever improves: the first epoch is the best, and every other one lowers
  const RunResult still = train(experiment, data, key, {});
  ASSERT_EQ(still.status, Status::finished) << still.message;
  std::vector<double> values;
  for (const Point& point : still.points) values.push_back(point.scheduled.at("c"));
  EXPECT_EQ(values, (std::vector<double>{2, 2, 2, 0.5, 0.125, 0.03125}));
  // At a rate at which next to nothing improves: the noise takes the same course in both, and so do the weights.
  key.rate = 1e-6;
  const RunResult result = train(experiment, data, key, {});
  ASSERT_EQ(result.status, Status::finished) << result.message;
  ASSERT_GE(result.points[1].validation_error, result.points[0].validation_error);
  key.stage = Stage::tune;
  const RunResult tuning = train(experiment, data, key, {});
  EXPECT_EQ(tuning.validation_loss, result.validation_loss);
  EXPECT_EQ(tuning.validation_error, result.validation_error);
}

TEST(Optimiser, CutsLongGradientsDown) {
  torch::nn::Linear network(2, 1);
  const at::Tensor start = network->weight.detach().clone();
  const auto flat = make_optimiser({"sgd", 0.0, 0.0, 2.0}, *network);
  const auto stepped = [&](double x, double y) {
    network->weight.data().copy_(start);
    flat->zero_gradients();
    network->weight.mutable_grad().copy_(torch::tensor({{x, y}}));
    flat->step(1);
    return (start - network->weight.detach()).flatten();
  };
  EXPECT_TRUE(torch::allclose(stepped(30, 40), torch::tensor({1.2F, 1.6F}), 1e-4, 1e-5)) << "of length 2";
  EXPECT_TRUE(torch::allclose(stepped(0.3, 0.4), torch::tensor({0.3F, 0.4F}), 1e-4, 1e-5)) << "short ones are left";
}

// Against LibTorch's own.
TEST(Optimiser, TheSameStepsAsLibTorch) {
  const auto make = [] {
    torch::manual_seed(3);
    return torch::nn::Sequential(torch::nn::Linear(5, 7), torch::nn::Tanh(), torch::nn::Linear(7, 2));
  };
  const at::Tensor x = torch::ones({4, 5}), y = torch::zeros({4, 2});
  const auto loss_of = [&](torch::nn::Sequential& network) { return at::mse_loss(network->forward(x), y); };
  for (const bool sgd : {false, true}) {
    for (const double decay : {0.0, 0.1}) {
      auto ours = make(), theirs = make();
      const auto flat = make_optimiser({sgd ? "sgd" : "adam", sgd ? 0.9 : 0.0, decay}, *ours);
      std::unique_ptr<torch::optim::Optimizer> reference;
      if (sgd)
        reference = std::make_unique<torch::optim::SGD>(
            theirs->parameters(), torch::optim::SGDOptions(0.01).momentum(0.9).weight_decay(decay));
      else
        reference = std::make_unique<torch::optim::AdamW>(theirs->parameters(),
                                                          torch::optim::AdamWOptions(0.01).weight_decay(decay));
      for (int step = 0; step < 20; ++step) {
        flat->zero_gradients();
        loss_of(ours).backward();
        flat->step(0.01);
        reference->zero_grad();
        loss_of(theirs).backward();
        reference->step();
      }
      const auto a = ours->parameters(), b = theirs->parameters();
      for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(torch::allclose(a[i], b[i], 1e-4, 1e-6)) << sgd << decay;
    }
  }
}

}  // namespace
}  // namespace ogee::lab
