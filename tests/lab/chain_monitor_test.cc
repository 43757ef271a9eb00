// What the monitor sees of a network that is run by hand: what it sees of the same one run by operators.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <string>

#include "models/chain.h"
#include "models/network.h"
#include "ogee/monitor.h"
#include "tasks/task.h"

namespace ogee::lab {
namespace {

data::Dataset columns() {
  data::Dataset set;
  set.name = "columns";
  set.shape = {7};
  set.classes = {"a", "b", "c"};
  return set;
}

monitor::Record watched(const std::string& activation, bool by_hand) {
  models::Settings settings;
  settings.activation = activation;
  settings.depth = 4;
  settings.width = 16;
  const auto network = models::build(settings, columns(), 2);
  const auto task = tasks::make_task(columns());
  for (const at::Tensor& parameter : network->parameters())
    at::Tensor(parameter).mutable_grad() = torch::zeros_like(parameter);
  torch::manual_seed(3);
  const at::Tensor x = torch::randn({40, 7}), y = torch::randint(3, {40}, torch::kLong);
  Monitor monitor(*network, MonitorOptions().every(8).this_thread(true).print(false));
  for (int step = 0; step < 20; ++step) {
    monitor.between_steps();
    if (by_hand) {
      const auto found = task->differentiated(network->chain()->forward(x, true), y);
      network->chain()->backward(found.gradient);
    } else {
      for (const at::Tensor& parameter : network->parameters()) parameter.grad().zero_();
      task->loss(network->forward(x), y).backward();
    }
    const torch::NoGradGuard no_gradients;
    for (const at::Tensor& parameter : network->parameters()) at::Tensor(parameter).sub_(parameter.grad(), 0.02);
  }
  return monitor.record();
}

void expect_near(double got, double want, const char* what) {
  if (std::isnan(want))
    EXPECT_TRUE(std::isnan(got)) << what;
  else
    EXPECT_NEAR(got, want, 1e-3 * std::abs(want) + 1e-4) << what;
}

TEST(ChainMonitor, SeesTheSameByHandAndByOperators) {
  for (const char* activation : {"tanh", "prelu", "swiglu", "nah(base=tanh)"}) {
    SCOPED_TRACE(activation);
    const monitor::Record want = watched(activation, false), got = watched(activation, true);
    EXPECT_EQ(got.steps, want.steps);
    EXPECT_EQ(got.observed_steps, want.observed_steps);
    ASSERT_EQ(got.losses.size(), want.losses.size());
    for (std::size_t i = 0; i < want.losses.size(); ++i) {
      EXPECT_EQ(got.losses[i].step, want.losses[i].step);
      expect_near(got.losses[i].value, want.losses[i].value, "loss");
    }
    ASSERT_EQ(got.layers.size(), want.layers.size());
    for (std::size_t i = 0; i < want.layers.size(); ++i) {
      const monitor::Layer &a = got.layers[i], &b = want.layers[i];
      SCOPED_TRACE(b.name);
      EXPECT_EQ(a.name, b.name);
      EXPECT_EQ(a.op, b.op);
      EXPECT_EQ(a.weight, b.weight);
      EXPECT_EQ(a.function.text, b.function.text);
      EXPECT_EQ(a.units, b.units);
      EXPECT_EQ(a.fan_in, b.fan_in);
      EXPECT_EQ(a.calls, b.calls);
      ASSERT_EQ(a.history.size(), b.history.size());
      for (std::size_t k = 0; k < b.history.size(); ++k) {
        const monitor::Snapshot &now = a.history[k], &then = b.history[k];
        EXPECT_EQ(now.step, then.step);
        expect_near(now.z_mean, then.z_mean, "z_mean");
        expect_near(now.z_deviation, then.z_deviation, "z_deviation");
        expect_near(now.y_mean, then.y_mean, "y_mean");
        expect_near(now.y_gradient, then.y_gradient, "y_gradient");
        expect_near(now.z_gradient, then.z_gradient, "z_gradient");
        expect_near(now.weight_gradient, then.weight_gradient, "weight_gradient");
        expect_near(now.update_ratio, then.update_ratio, "update_ratio");
        expect_near(now.rank, then.rank, "rank");
        expect_near(now.noise, then.noise, "noise");
      }
    }
  }
}

}  // namespace
}  // namespace ogee::lab
