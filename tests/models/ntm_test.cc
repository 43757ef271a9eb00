// Neural Turing machines as networks of the laboratory: what is seen while recording, noise, refusals, and that they
// learn to copy.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <string>
#include <vector>

#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "models/network.h"
#include "models/recording.h"
#include "ogee/ogee.h"
#include "refusal.h"
#include "tasks/task.h"

namespace ogee::models::ntm_test {
namespace {

data::Dataset data_of(const std::string& text) {
  data::Request request;
  request.data = text;
  return data::load(request);
}
const data::Dataset& recall() {
  static const data::Dataset set = data_of("associative_recall(bits=3,length=2,most=3,train=40,validation=20,test=20)");
  return set;
}

std::shared_ptr<Network> network(const std::string& model, const std::string& activation,
                                 const data::Dataset& data = recall(), std::int64_t depth = 1) {
  Settings settings;
  settings.model = model;
  settings.activation = activation;
  settings.depth = depth;
  settings.width = 5;
  return build(settings, data, 1);
}

// What is seen while recording is what is computed otherwise.
TEST(Ntm, IsTheSameRecordedAndFused) {
  const data::Part& part = recall().train;
  const auto task = tasks::make_task(recall());
  for (const auto& [model, activation, count] : {std::tuple("ntm(memory=7x3,gates=all)", "nan(base=tanh)", 10u),
                                                 {"ntm(memory=9x4,writes=2)", "relu", 4u},
                                                 {"ntm(controller=feedforward, memory=7x3, reads=2)", "prelu", 2u}}) {
    const auto net = network(model, activation, recall(), 2);
    ASSERT_EQ(net->layers.size(), count) << model;
    const auto gradients = [&] {
      net->zero_grad();
      const at::Tensor output = net->forward(part.x);
      task->loss(output, part.y).backward();
      std::vector<at::Tensor> all{output.detach()};
      for (const auto& parameter : net->named_parameters()) {
        const bool noise = parameter.key().ends_with("_p");  // without which p has no gradient
        EXPECT_TRUE(noise || parameter->grad().defined()) << parameter.key();
        all.push_back(parameter->grad().defined() ? parameter->grad().clone() : torch::zeros_like(*parameter));
      }
      return all;
    };
    net->eval();
    const auto fused = gradients();
    EXPECT_EQ(fused[0].sizes(), part.y.sizes());
    net->recording = true;
    const auto seen = gradients();
    for (const auto& layer : net->layers) {
      EXPECT_EQ(layer.z.sizes(), (std::vector<std::int64_t>{part.x.size(0) * part.x.size(1), 5}));
      EXPECT_GT(layer.z.grad().norm().item<double>(), 0);
    }
    for (std::size_t i = 0; i < fused.size(); ++i)
      EXPECT_TRUE(fused[i].allclose(seen[i], 1e-3, 1e-5)) << model << " " << activation << " " << i;
  }
}

TEST(Ntm, NoiseIsForTrainingAlone) {
  const auto net = network("ntm(gates=all,memory=7x3)", "nan(base=tanh)");
  EXPECT_FALSE(net->forward(recall().train.x).equal(net->forward(recall().train.x)));
  for (auto& layer : net->layers) layer.unit->set("c", 0);  // as a schedule would
  EXPECT_TRUE(net->forward(recall().train.x).equal(net->forward(recall().train.x)));
  for (auto& layer : net->layers) layer.unit->set("c", 1);
  const auto task = tasks::make_task(recall());
  const tasks::Score once = tasks::evaluate(*task, *net, recall().test),
                     again = tasks::evaluate(*task, *net, recall().test);
  EXPECT_EQ(once.loss, again.loss);
  EXPECT_EQ(once.error, again.error);
}

TEST(Ntm, FitsOtherSequences) {
  data::Dataset series;
  series.shape = {6, 2};
  series.classes = {"a", "b", "c"};
  EXPECT_EQ(network("ntm(memory=7x3)", "tanh", series)->forward(torch::randn({4, 6, 2})).sizes(),
            (std::vector<std::int64_t>{4, 3}));
  data::Dataset text;
  text.goal = data::Goal::language;
  text.shape = {6};
  text.classes = std::vector<std::string>(9, "x");
  EXPECT_EQ(network("ntm(memory=7x3)", "tanh", text)->forward(torch::zeros({4, 6}, torch::kLong)).sizes(),
            (std::vector<std::int64_t>{4, 6, 9}));
}

TEST(Ntm, WhatCannotBeIsRefused) {
  const auto resolved = [](const std::string& model, const std::string& activation = "tanh") {
    Settings settings;
    settings.model = model;
    settings.activation = activation;
    settings = resolve(settings, recall());
    check_activation(settings);
    return settings;
  };
  const Settings usual = resolved("ntm");
  EXPECT_EQ(usual.width, 100);
  EXPECT_EQ(usual.depth, 1);
  EXPECT_EQ(usual.memory.locations, 128);
  EXPECT_EQ(usual.memory.width, 20);
  EXPECT_EQ(resolved("").model, "lstm");
  EXPECT_EQ(resolved("ntm(memory=12x7,reads=2, writes=3)").memory.writes, 3);
  refused([&] { resolved("ntm(memory=12)"); }, "memory is '12', expected LOCATIONSxWIDTH");
  refused([&] { resolved("ntm(memory=0x3)"); }, "memory is '0x3', expected LOCATIONSxWIDTH");
  refused([&] { resolved("ntm(reads=0)"); }, "reads is 0, expected 1 to 64");
  refused([&] { resolved("ntm(controller=gru)"); }, "controller is 'gru', expected lstm or feedforward");
  refused([&] { resolved("ntm(heads=2)"); },
          "ntm has no attribute 'heads'; did you mean 'reads'?; it has controller, gates, memory, reads");
  refused([&] { resolved("ntm(controller=feedforward,gates=all)"); }, "a feedforward controller has no gates");
  refused([&] { resolved("ntm", "swiglu"); }, "swiglu takes two inputs");
  refused([&] { resolved("ntm(gates=all)", "relu"); }, "relu has no sigmoid to go with it");
  refused([&] { resolved("mlp"); }, "asks for answers along a sequence: use --model lstm, gru or ntm");
  refused([&] { resolved("lstm(head=mean)"); }, "asks for answers along it");
}

// The share of wrong bits after so many steps with Adam, whose rate falls to 0.
double wrong_bits_after(Network& net, const data::Dataset& data, int steps, std::int64_t batch) {
  torch::optim::Adam optimiser(net.parameters(), torch::optim::AdamOptions(1e-2));
  const auto task = tasks::make_task(data);
  torch::manual_seed(2);
  net.train();
  for (int step = 0; step < steps; ++step) {
    for (auto& group : optimiser.param_groups())
      static_cast<torch::optim::AdamOptions&>(group.options()).lr(2e-2 * (1 - static_cast<double>(step) / steps));
    const at::Tensor chosen = torch::randint(data.train.size(), {batch}, torch::kLong);
    optimiser.zero_grad();
    task->loss(net.forward(data.train.x.index_select(0, chosen)), data.train.y.index_select(0, chosen)).backward();
    optimiser.step();
  }
  return tasks::evaluate(*task, net, data.test).error;
}

TEST(Ntm, LearnsToCopy) {
  const data::Dataset data = data_of("copy(bits=4,shortest=1,longest=3,train=3000,validation=100,test=500)");
  for (const char* model : {"ntm(memory=12x6)", "ntm(controller=feedforward,memory=12x6)"}) {
    Settings settings;
    settings.model = model;
    settings.activation = "tanh";
    settings.width = 32;
    const auto net = build(settings, data, 1);
    EXPECT_LT(wrong_bits_after(*net, data, 800, 20), 0.01) << model;
  }
}

}  // namespace
}  // namespace ogee::models::ntm_test
