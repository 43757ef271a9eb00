// The observer against numbers computed directly, and against a program without it.
#include <ATen/core/ivalue.h>
#include <torch/torch.h>
//
#include <ATen/record_function.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

#include "ogee/libtorch.h"
#include "monitor/json.h"
#include "ogee/monitor.h"
#include "ogee/torch.h"

namespace ogee::test::observer_test {
namespace {

using monitor::Layer;
using monitor::Record;
namespace nn_ = torch::nn;

MonitorOptions every_step() { return MonitorOptions().every(1).sample(0).print(false); }

struct Mlp : nn_::Module {
  explicit Mlp(int depth = 3, std::string unit = "relu") : unit_(std::move(unit)) {
    std::int64_t in = 20;
    for (int i = 0; i < depth; ++i, in = 16) {
      hidden.push_back(register_module("hidden" + std::to_string(i), nn_::Linear(in, 16)));
    }
    output = register_module("output", nn_::Linear(in, 4));
  }
  at::Tensor forward(at::Tensor x) {
    for (auto& layer : hidden) {
      z = layer(x);
      if (unit_ == "relu_") {
        x = torch::relu_(z);
      } else if (unit_ == "relu") {
        x = torch::relu(z);
      } else if (unit_ == "tanh") {
        x = torch::tanh(z);
      } else {
        x = ogee::apply(Activation(unit_), z);
      }
    }
    return output(x);
  }
  std::vector<nn_::Linear> hidden;
  nn_::Linear output{nullptr};
  at::Tensor z;

 private:
  std::string unit_;
};

// The losses of some steps; the same numbers whatever watches.
std::vector<double> train(Mlp& model, int steps, double rate = 0.05) {
  torch::manual_seed(5);
  torch::optim::SGD optimizer(model.parameters(), rate);
  std::vector<double> losses;
  for (int i = 0; i < steps; ++i) {
    const at::Tensor x = torch::randn({32, 20}), y = torch::randint(4, {32});
    optimizer.zero_grad();
    const at::Tensor loss = torch::nn::functional::cross_entropy(model.forward(x), y);
    loss.backward();
    optimizer.step();
    losses.push_back(loss.item<double>());
  }
  return losses;
}

const Layer& layer_named(const Record& record, const std::string& name) {
  for (const Layer& layer : record.layers) {
    if (layer.name == name) return layer;
  }
  std::string names;
  for (const Layer& layer : record.layers) names += " " + layer.name;
  throw Error("no layer " + name + " among" + names);
}

class ResultsStay : public testing::TestWithParam<std::string> {};

TEST_P(ResultsStay, BitForBit) {
  // Unwatched; as it comes; every step, its tensors sampled or whole; with non-finite numbers traced.
  constexpr int ways = 5;
  std::vector<double> losses[ways];
  std::vector<at::Tensor> weights[ways];
  for (int watched = 0; watched < ways; ++watched) {
    torch::manual_seed(1);
    Mlp model(4, GetParam());
    std::unique_ptr<Monitor> monitor;
    const MonitorOptions quiet = MonitorOptions().print(false);
    if (watched == 1) monitor = std::make_unique<Monitor>(model, quiet);
    if (watched == 2) monitor = std::make_unique<Monitor>(model, MonitorOptions(quiet).every(1));
    if (watched == 3) monitor = std::make_unique<Monitor>(model, every_step());
    if (watched == 4) monitor = std::make_unique<Monitor>(model, MonitorOptions(quiet).trace_non_finite(true));
    losses[watched] = train(model, 30);
    for (const at::Tensor& p : model.parameters()) weights[watched].push_back(p.detach().clone());
  }
  for (int watched = 1; watched < ways; ++watched) {
    EXPECT_EQ(losses[watched], losses[0]);
    for (std::size_t i = 0; i < weights[0].size(); ++i) EXPECT_TRUE(torch::equal(weights[watched][i], weights[0][i]));
  }
}
INSTANTIATE_TEST_SUITE_P(Monitor, ResultsStay, testing::Values("relu", "relu_", "tanh", "gelu", "nah_tanh"));

TEST(Observer, NumbersAreTheTensors) {
  torch::manual_seed(1);
  Mlp model(1, "tanh");
  Monitor monitor(model, every_step());
  const at::Tensor x = torch::randn({64, 20}), y = torch::randint(4, {64});
  at::Tensor z, activation_gradient;
  const at::Tensor before = model.hidden[0]->weight.detach().clone();
  torch::optim::SGD optimizer(model.parameters(), 0.5);
  for (int i = 0; i < 3; ++i) {
    const at::Tensor loss = torch::nn::functional::cross_entropy(model.forward(x), y);
    if (i == 0) {
      z = model.z.detach().clone();
      model.z.retain_grad();
    }
    optimizer.zero_grad();
    const at::Tensor kept = model.z;
    loss.backward();
    if (i == 0) activation_gradient = kept.grad().clone();
    // The first two steps make a window: the same weights in both, so that its numbers are one step's.
    if (i == 2) break;
  }
  model.forward(x);
  const Record record = monitor.record();
  EXPECT_EQ(record.steps, 3);
  ASSERT_EQ(record.layers.size(), 1U);
  const Layer& layer = record.layers[0];
  EXPECT_EQ(layer.name, "hidden0");
  EXPECT_EQ(layer.weight, "hidden0.weight");
  EXPECT_EQ(layer.op, "aten::tanh");
  EXPECT_EQ(layer.function.text, "tanh");
  EXPECT_EQ(layer.units, 16);
  EXPECT_EQ(layer.fan_in, 20);
  const monitor::Snapshot& s = layer.first;
  EXPECT_NEAR(s.z_mean, z.mean().item<double>(), 1e-5);
  EXPECT_NEAR(s.z_deviation, z.std(false).item<double>(), 1e-5);
  const at::Tensor centred = (z - z.mean()) / z.std(false);
  EXPECT_NEAR(s.z_skew, centred.pow(3).mean().item<double>(), 1e-4);
  EXPECT_NEAR(s.z_kurtosis, centred.pow(4).mean().item<double>() - 3, 1e-3);
  EXPECT_NEAR(s.z_50, z.median().item<double>(), 0.05);
  EXPECT_NEAR(s.z_95, z.flatten().quantile(0.95).item<double>(), 0.1);
  EXPECT_NEAR(s.y_mean, z.tanh().mean().item<double>(), 1e-5);
  const double bound = layer.function.right_bound;
  EXPECT_NEAR(1 - std::tanh(bound) * std::tanh(bound), 0.05, 0.002);  // the slope there is 5 % of the largest, 1
  EXPECT_NEAR(s.right, z.ge(bound).to(torch::kFloat).mean().item<double>(), 1e-6);
  EXPECT_NEAR(s.z_gradient, activation_gradient.square().mean().sqrt().item<double>(), 1e-5 * s.z_gradient + 1e-9);
  EXPECT_NEAR(s.weight, before.square().mean().sqrt().item<double>(), 1e-6);
  EXPECT_EQ(s.update_ratio, 0);  // optimizer.step() was never called
  EXPECT_FALSE(std::isnan(s.one_sign));
  EXPECT_NEAR(s.one_sign_chance, 1 / std::sqrt(20.0), 1e-12);
}

// A monitor of one thread that is told where steps end: LibTorch calls it in its windows alone, and it sees the same.
TEST(Observer, OfOneThreadRestsBetweenItsWindows) {
  const auto run = [](bool told, int& called) {
    torch::manual_seed(1);
    Mlp model(2);
    Monitor monitor(model, MonitorOptions().every(8).sample(0).this_thread(true).print(false));
    torch::optim::SGD optimizer(model.parameters(), 0.05);
    called = 0;
    for (int i = 0; i < 40; ++i) {
      if (told) monitor.between_steps();
      called += at::getStepCallbacksUnlessEmpty(at::RecordScope::FUNCTION).has_value() ? 1 : 0;
      optimizer.zero_grad();
      torch::nn::functional::cross_entropy(model.forward(torch::randn({16, 20})), torch::randint(4, {16})).backward();
      optimizer.step();
    }
    return monitor.record();
  };
  int always = 0, windows = 0;
  const Record untold = run(false, always), told = run(true, windows);
  EXPECT_EQ(always, 40);
  EXPECT_EQ(windows, 10);  // two steps in eight
  ASSERT_EQ(untold.layers.size(), told.layers.size());
  EXPECT_EQ(untold.observed_steps, told.observed_steps);
  for (std::size_t i = 0; i < told.layers.size(); ++i) {
    EXPECT_EQ(told.layers[i].name, untold.layers[i].name);
    ASSERT_EQ(told.layers[i].history.size(), untold.layers[i].history.size());
    for (std::size_t k = 0; k < told.layers[i].history.size(); ++k) {
      EXPECT_EQ(told.layers[i].history[k].step, untold.layers[i].history[k].step);
      EXPECT_EQ(told.layers[i].history[k].z_mean, untold.layers[i].history[k].z_mean);
      EXPECT_EQ(told.layers[i].history[k].y_gradient, untold.layers[i].history[k].y_gradient);
      EXPECT_EQ(told.layers[i].history[k].update_ratio, untold.layers[i].history[k].update_ratio);
    }
  }
}

TEST(Observer, UpdatesAndTheirDirections) {
  torch::manual_seed(1);
  Mlp model(1);
  Monitor monitor(model, every_step());
  torch::NoGradGuard no_grad;
  at::Tensor w = model.hidden[0]->weight;
  const at::Tensor step = 0.01 * torch::randn_like(w);
  double ratio = 0;
  for (int i = 0; i < 4; ++i) {
    {
      torch::AutoGradMode grad(true);
      torch::nn::functional::cross_entropy(model.forward(torch::randn({8, 20})), torch::randint(4, {8})).backward();
    }
    if (i == 1) ratio = (step.norm() / w.norm()).item<double>();
    i % 2 == 0 ? w.add_(step) : w.sub_(step);  // there and back again
  }
  {
    torch::AutoGradMode grad(true);
    model.forward(torch::randn({8, 20}));
  }
  const Record record = monitor.record();
  const monitor::Snapshot& first = record.layers[0].first;
  EXPECT_NEAR(first.reversal, 1, 1e-4);
  EXPECT_NEAR(first.update_ratio, ratio, 0.1 * ratio);
}

TEST(Observer, DeadUnitsAreCounted) {
  torch::manual_seed(1);
  Mlp model(2);
  {
    torch::NoGradGuard no_grad;
    model.hidden[0]->bias.slice(0, 0, 4).fill_(-100);
  }
  Monitor monitor(model, every_step());
  train(model, 9, 0.001);
  const Record record = monitor.record();
  const Layer& layer = layer_named(record, "hidden0");
  EXPECT_EQ(layer.history.back().silent_units, 0.25);
  ASSERT_EQ(layer.unit.size(), 16U);
  for (int u = 0; u < 4; ++u) {
    EXPECT_EQ(layer.unit[static_cast<std::size_t>(u)].zero_slope, layer.unit[static_cast<std::size_t>(u)].seen);
    EXPECT_EQ(layer.unit[static_cast<std::size_t>(u)].gradient, 0);
  }
  EXPECT_GT(layer.unit[8].gradient, 0);
}

TEST(Observer, LayersOfARecurrentCellAndOfPictures) {
  torch::manual_seed(1);
  nn_::LSTM lstm(nn_::LSTMOptions(8, 12));
  nn_::Sequential pictures(nn_::Conv2d(nn_::Conv2dOptions(3, 6, 3)), nn_::BatchNorm2d(6), nn_::ReLU(),
                           nn_::Conv2d(nn_::Conv2dOptions(6, 4, 3)), nn_::LeakyReLU());
  Monitor monitor(every_step());
  for (int i = 0; i < 4; ++i) {
    const at::Tensor h = std::get<0>(lstm(torch::randn({5, 2, 8})));
    (h.sum() + pictures->forward(torch::randn({2, 3, 12, 12})).sum()).backward();
  }
  const Record record = monitor.record();
  EXPECT_TRUE(record.normalised);
  int sigmoids = 0, tanhs = 0;
  for (const Layer& layer : record.layers) {
    if (layer.function.text == "sigmoid") {
      ++sigmoids;
      EXPECT_EQ(layer.units, 12);
    } else if (layer.function.text == "tanh") {
      ++tanhs;
      EXPECT_EQ(layer.units, 12);
    } else if (layer.function.text == "relu") {
      EXPECT_EQ(layer.units, 6);
      EXPECT_EQ(layer.fan_in, 27);
    } else {
      EXPECT_EQ(layer.units, 4);
    }
    EXPECT_FALSE(std::isnan(layer.history.back().y_gradient)) << layer.name;
  }
  EXPECT_EQ(sigmoids, 3);  // input, forget and output gates, over all time steps
  EXPECT_EQ(tanhs, 2);     // the cell's candidate, and the cell itself
}

TEST(Observer, NoiseAndLearnedParametersOfOurOwn) {
  torch::manual_seed(1);
  nn_::Sequential model(nn_::Linear(20, 16), nn::Activation("nah_tanh"), nn_::Linear(16, 16),
                        nn::Activation(nn::ActivationOptions("prelu").channels(16).channel_dim(-1)));
  Monitor monitor(*model, every_step());
  for (int i = 0; i < 4; ++i) model->forward(torch::randn({32, 20}) * 3).sum().backward();
  const Record record = monitor.record();
  const Layer& noisy = layer_named(record, "0");
  EXPECT_TRUE(noisy.function.noisy);
  EXPECT_GT(noisy.history.back().noise, 0.001);
  const Layer& learned = layer_named(record, "2");
  ASSERT_EQ(learned.history.back().parameters.size(), 1U);
  EXPECT_NEAR(learned.history.back().parameters[0], 0.25, 1e-6);
}

TEST(Observer, MemoryDoesNotGrow) {
  torch::manual_seed(1);
  Mlp model(2);
  Monitor monitor(model, every_step());
  train(model, 1400, 0.001);
  const Record record = monitor.record();
  EXPECT_EQ(record.steps, 1400);
  for (const Layer& layer : record.layers) {
    EXPECT_LE(layer.history.size(), 256U);
    EXPECT_GE(layer.history.size(), 120U);
    EXPECT_EQ(layer.history.front().step, 2);
    EXPECT_GE(layer.history.back().step, 1396);
  }
  EXPECT_LE(record.losses.size(), 512U);
}

TEST(Observer, EvaluationBetweenStepsIsNotTraining) {
  torch::manual_seed(1);
  Mlp model(1);
  Monitor monitor(model, every_step());
  train(model, 4);
  const double before = monitor.record().layers[0].elements;
  {
    torch::NoGradGuard no_grad;
    model.forward(torch::randn({1000, 20}) * 50);
  }
  EXPECT_EQ(monitor.record().layers[0].elements, before);
}

TEST(Observer, ProgramsWithoutTraining) {
  torch::manual_seed(1);
  Mlp model(2);
  Monitor monitor(model, every_step());
  torch::NoGradGuard no_grad;
  for (int i = 0; i < 8; ++i) model.forward(torch::randn({16, 20}));
  const Record record = monitor.record();
  ASSERT_EQ(record.layers.size(), 2U);
  EXPECT_EQ(record.layers[1].name, "hidden1");
  EXPECT_EQ(record.steps, 0);
}

// A training that goes on in another process: a twin of it, watched without a break, shows the same to the last digit.
TEST(Observer, AStateCarriesOver) {
  const auto seen = [](const Monitor& monitor) {
    Record record = monitor.record();
    record.seconds = record.own_seconds = 0;
    return nlohmann::ordered_json(record).dump() + nlohmann::ordered_json(monitor.findings()).dump();
  };
  for (const char* activation : {"relu", "nah_tanh"}) {
    const auto options = MonitorOptions().every(9).print(false);
    torch::manual_seed(5);
    Mlp whole(3, activation);
    std::string expected;
    {
      const Monitor monitor(whole, options);
      for (int step = 0; step < 60; ++step) train(whole, 1);
      expected = seen(monitor);
    }
    torch::manual_seed(5);
    Mlp broken(3, activation);
    auto monitor = std::make_unique<Monitor>(broken, options);
    int breaks = 0, closed = 0;
    for (int step = 0; step < 60; ++step) {
      train(broken, 1);
      const std::string state = monitor->save();
      closed += state.empty();
      if (state.empty() || step % 5 != 0) continue;
      monitor = nullptr;
      monitor = std::make_unique<Monitor>(broken, options);
      monitor->restore(state, broken);
      ++breaks;
    }
    EXPECT_EQ(seen(*monitor), expected) << activation;
    EXPECT_GE(breaks, 5);
    EXPECT_GE(closed, 10);  // while a window is open there is no state
    EXPECT_LE(closed, 40);
    const torch::nn::Linear other(3, 3);
    std::string state;
    for (int step = 0; state.empty(); ++step) train(broken, 1), state = monitor->save();
    monitor = nullptr;
    Monitor fresh(broken, options);
    EXPECT_THROW(fresh.restore(state, *other), Error);
    EXPECT_THROW(fresh.restore("nonsense", broken), Error);
    EXPECT_THROW(fresh.restore(state.substr(0, state.size() / 2), broken), Error);
  }
}

TEST(Observer, OneAtATimeAndBadOptions) {
  Monitor monitor(MonitorOptions().print(false));
  EXPECT_THROW(Monitor(MonitorOptions().print(false)), Error);
  EXPECT_THROW(Monitor(MonitorOptions().every(-1)), Error);
  EXPECT_THROW(Monitor(MonitorOptions().budget(0)), Error);
}

// Operators may be announced with names that are strings of the moment: one after another in the same place.
TEST(Observer, NamesThatShareAnAddress) {
  torch::manual_seed(1);
  nn_::Linear linear(20, 16);
  const at::Tensor x = torch::randn({32, 20});
  char name[32] = "";
  const auto announce = [&name](const char* text, const at::Tensor& input, const at::Tensor& output) {
    std::snprintf(name, sizeof name, "%s", text);
    const std::vector<c10::IValue> inputs{input};
    at::RecordFunction call(at::RecordScope::FUNCTION);
    ASSERT_TRUE(call.isActive());
    call.before(static_cast<const char*>(name), c10::ArrayRef<const c10::IValue>(inputs.data(), inputs.size()));
    call.setOutputs(std::vector<c10::IValue>{output});
  };
  Monitor monitor(every_step());
  torch::NoGradGuard no_grad;
  for (int i = 0; i < 8; ++i) {
    const at::Tensor z = linear(x);
    announce("mine::scale", z, z);
    announce("aten::tanh", z, torch::empty_like(z).copy_(z));
    announce("aten::relu", z, torch::empty_like(z).copy_(z));
  }
  std::vector<std::string> ops;
  for (const Layer& layer : monitor.record().layers) ops.push_back(layer.op);
  EXPECT_EQ(ops, (std::vector<std::string>{"aten::tanh", "aten::relu"}));
}

// A program whose forward passes go on behind a gradient (a penalty on it, say) is seen to their ends.
TEST(Observer, ForwardPassesThatGoOnBehindAGradient) {
  torch::manual_seed(1);
  nn_::Linear first(20, 16), second(20, 16);
  Monitor monitor(MonitorOptions().every(1).print(false));
  constexpr int steps = 40;
  for (int i = 0; i < steps; ++i) {
    const at::Tensor x = torch::randn({32, 20}).requires_grad_();
    const at::Tensor slope = torch::autograd::grad({torch::relu(first(x)).sum()}, {x}, {}, true, true)[0];
    const at::Tensor loss = torch::mse_loss(torch::tanh(second(x)).sum(1), slope.sum(1));
    loss.backward();
  }
  const Record record = monitor.record();
  ASSERT_EQ(record.layers.size(), 2U);
  for (const Layer& layer : record.layers) EXPECT_GE(layer.calls, steps - 1) << layer.op;
  EXPECT_GE(record.losses.size(), static_cast<std::size_t>(steps - 1));
}

}  // namespace
}  // namespace ogee::test::observer_test
