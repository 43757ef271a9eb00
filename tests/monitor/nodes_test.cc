// What nodes tell the monitor of themselves, against what it sees of operators.
#include <ATen/core/ivalue.h>
#include <torch/torch.h>
//
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "ogee/libtorch.h"
#include "ogee/monitor.h"
#include "ogee/torch.h"

namespace ogee::test {
namespace {

using monitor::Layer;
using monitor::Record;
namespace nn_ = torch::nn;

MonitorOptions every_step() { return MonitorOptions().every(1).sample(0).print(false); }

const Layer& layer_named(const Record& record, const std::string& name) {
  for (const Layer& layer : record.layers) {
    if (layer.name == name) return layer;
  }
  std::string names;
  for (const Layer& layer : record.layers) names += " " + layer.name;
  throw Error("no layer " + name + " among" + names);
}

// Linear layers and their activations as one node each, which tell the process's monitor of themselves once it knows
// them; one of this thread has them taken apart. Both see the same, and nothing of it changes the training.
struct Joined : nn_::Module {
  explicit Joined(const std::string& unit) : unit_(unit) {
    for (int i = 0; i < 3; ++i)
      layers.push_back(register_module("hidden" + std::to_string(i), nn_::Linear(i == 0 ? 20 : 16, 16)));
    output = register_module("output", nn_::Linear(16, 4));
  }
  at::Tensor forward(at::Tensor x) {
    for (auto& layer : layers) x = ogee::apply_linear(unit_, x, layer->weight, layer->bias);
    return output(foreign ? torch::tanh(x) : x);
  }
  std::vector<nn_::Linear> layers;
  nn_::Linear output{nullptr};
  bool foreign = false;  // with an activation of LibTorch's behind them

 private:
  Activation unit_;
};

class NodesTell : public testing::TestWithParam<std::string> {};

TEST_P(NodesTell, WhatOperatorsShow) {
  constexpr int steps = 60;
  std::vector<double> losses[3];
  Record seen[3];
  for (int watched = 0; watched < 3; ++watched) {
    torch::manual_seed(1);
    Joined model(GetParam());
    std::unique_ptr<Monitor> monitor;
    if (watched > 0) monitor = std::make_unique<Monitor>(model, every_step().sample(8192).this_thread(watched == 2));
    torch::manual_seed(5);
    torch::optim::SGD optimizer(model.parameters(), 0.05);
    for (int i = 0; i < steps; ++i) {
      const at::Tensor x = torch::randn({32, 20}), y = torch::randint(4, {32});
      optimizer.zero_grad();
      const at::Tensor loss = torch::nn::functional::cross_entropy(model.forward(x), y);
      loss.backward();
      optimizer.step();
      losses[watched].push_back(loss.item<double>());
    }
    if (monitor) seen[watched] = monitor->record();
  }
  EXPECT_EQ(losses[1], losses[0]);
  EXPECT_EQ(losses[2], losses[0]);
  EXPECT_EQ(seen[1].losses.size(), static_cast<std::size_t>(steps));
  ASSERT_EQ(seen[1].layers.size(), seen[2].layers.size());
  for (std::size_t i = 0; i < seen[1].layers.size(); ++i) {
    const Layer &told = seen[1].layers[i], &shown = seen[2].layers[i];
    EXPECT_EQ(told.name, shown.name);
    EXPECT_EQ(told.calls, steps) << told.name;
    // A last window ends when something runs after it.
    ASSERT_GE(told.history.size() + 1, shown.history.size());
    for (std::size_t k = 0; k < told.history.size(); ++k) {
      const monitor::Snapshot &a = told.history[k], &b = shown.history[k];
      EXPECT_EQ(a.step, b.step);
      EXPECT_EQ(a.z_mean, b.z_mean);
      EXPECT_EQ(a.z_95, b.z_95);
      EXPECT_EQ(a.y_deviation, b.y_deviation);
      EXPECT_EQ(a.left, b.left);
      EXPECT_EQ(a.y_gradient, b.y_gradient);
      EXPECT_NEAR(a.z_gradient, b.z_gradient, 1e-5 * b.z_gradient);
      EXPECT_EQ(a.weight_gradient, b.weight_gradient);
      EXPECT_EQ(a.update_ratio, b.update_ratio);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Monitor, NodesTell, testing::Values("relu", "gelu", "tanh"));

// An activation that comes later, and tells nothing, is seen from its first window on.
TEST(Nodes, OthersThanNodesThatTell) {
  torch::manual_seed(1);
  Joined model("relu");
  Monitor monitor(model, every_step());
  torch::optim::SGD optimizer(model.parameters(), 0.01);
  for (int i = 0; i < 60; ++i) {
    model.foreign = i >= 30;
    optimizer.zero_grad();
    model.forward(torch::randn({16, 20})).sum().backward();
    optimizer.step();
  }
  const Record record = monitor.record();
  EXPECT_EQ(record.layers.size(), 4U);
  EXPECT_GE(layer_named(record, "hidden2 tanh").calls, 26);
  EXPECT_EQ(layer_named(record, "hidden2").calls, 60);
}

}  // namespace
}  // namespace ogee::test
