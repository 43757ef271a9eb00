// Networks with attention as networks of the laboratory: what is seen while recording, padding, noise, refusals, and
// that they learn to translate.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "data/subwords.h"
#include "models/network.h"
#include "ogee/ogee.h"
#include "refusal.h"
#include "tasks/task.h"

namespace ogee::models {
namespace {

// Numbers in words, to be said as digits from the last to the first.
const data::Dataset& numbers() {
  static const data::Dataset set = [] {
    const char* const names[] = {"zero", "one", "two", "three", "four", "five"};
    const std::string folder = testing::TempDir() + "ogee-attention";
    std::filesystem::create_directories(folder);
    unsigned seed = 1;
    for (const auto& [part, count] : {std::pair("train", 1500), {"valid", 30}, {"test", 60}}) {
      std::ofstream left(folder + "/" + part + ".words"), right(folder + "/" + part + ".digits");
      for (int i = 0; i < count; ++i) {
        std::string text, digits;
        const int all = 2 + i % 4;
        for (int j = 0; j < all; ++j) {
          seed = seed * 1664525 + 1013904223;
          const unsigned which = (seed >> 16) % 6;
          text += std::string(j ? " " : "") + names[which];
          digits = std::to_string(which) + (j ? " " : "") + digits;
        }
        left << text << '\n';
        right << digits << '\n';
      }
    }
    data::Request request;
    request.data = "translation(train=" + folder + "/train,validation=" + folder + "/valid,test=" + folder +
                   "/test,source=words,target=digits,pieces=48)";
    return data::load(request);
  }();
  return set;
}

std::shared_ptr<Network> network(const std::string& model, const std::string& activation, std::int64_t width = 5,
                                 std::int64_t depth = 1) {
  Settings settings;
  settings.model = model;
  settings.activation = activation;
  settings.depth = depth;
  settings.width = width;
  return build(settings, numbers(), 1);
}

// What is seen while recording is what is computed otherwise.
TEST(AttentionModel, IsTheSameRecordedAndFused) {
  const data::Part part{numbers().train.x.narrow(0, 0, 12), numbers().train.y.narrow(0, 0, 12)};
  const auto task = tasks::make_task(numbers());
  for (const auto& [model, activation, depth, count] :
       {std::tuple("attention(gates=all,embedding=6,size=4)", "nan(base=tanh)", 1, 12u),
        {"attention(dropout=0)", "relu", 2, 8u},
        {"attention(gates=all)", "tanh", 2, 18u}}) {
    const auto net = network(model, activation, 5, depth);
    ASSERT_EQ(net->layers.size(), count) << model;
    const auto gradients = [&] {
      net->zero_grad();
      const at::Tensor output = net->forward(part.x);
      task->loss(output, part.y).backward();
      std::vector<at::Tensor> all{output.detach()};
      for (const auto& parameter : net->named_parameters())
        all.push_back(parameter->grad().defined() ? parameter->grad().clone() : torch::zeros_like(*parameter));
      return all;
    };
    net->eval();
    const auto fused = gradients();
    EXPECT_EQ(fused[0].size(2), numbers().outputs());
    net->recording = true;
    const auto seen = gradients();
    for (const auto& layer : net->layers) EXPECT_GT(layer.z.grad().norm().item<double>(), 0);
    for (std::size_t i = 0; i < fused.size(); ++i)
      EXPECT_TRUE(fused[i].allclose(seen[i], 1e-3, 1e-5)) << model << " " << activation << " " << i;
  }
}

TEST(AttentionModel, PaddingDoesNotMatter) {
  const auto net = network("attention(gates=all)", "tanh");
  net->eval();
  const at::Tensor x = numbers().test.x;
  const at::Tensor all = net->forward(x);
  for (const std::int64_t i : {0, 1, 2, 3}) {
    const at::Tensor alone = net->forward(x.narrow(0, i, 1));
    EXPECT_TRUE(alone.allclose(all.narrow(0, i, 1).narrow(1, 0, alone.size(1)), 1e-4, 1e-5)) << i;
    const at::Tensor said = net->generate(x.narrow(0, i, 1)), together = net->generate(x).narrow(0, i, 1);
    EXPECT_TRUE(together.narrow(1, 0, said.size(1)).equal(said)) << i;
  }
  // The target is not looked at where it is to be found.
  at::Tensor other = x.clone();
  other.narrow(1, numbers().source_tokens, 3).fill_(5);
  EXPECT_TRUE(net->generate(other).equal(net->generate(x)));
}

TEST(AttentionModel, NoiseAndDropoutAreForTrainingAlone) {
  const data::Part part{numbers().test.x.narrow(0, 0, 8), numbers().test.y.narrow(0, 0, 8)};
  for (const auto& [model, activation] :
       {std::pair("attention(gates=all,dropout=0)", "nan(base=tanh)"), {"attention(gates=all,dropout=0.5)", "tanh"}}) {
    const auto net = network(model, activation);
    net->train();
    EXPECT_FALSE(net->forward(part.x).equal(net->forward(part.x))) << model;
    const auto task = tasks::make_task(numbers());
    const tasks::Score once = tasks::evaluate(*task, *net, part), again = tasks::evaluate(*task, *net, part);
    EXPECT_EQ(once.loss, again.loss);
    EXPECT_EQ(once.error, again.error);
  }
  const auto net = network("attention(gates=all,dropout=0)", "nan(base=tanh)");
  net->train();
  for (auto& layer : net->layers) layer.unit->set("c", 0);  // as a schedule would
  EXPECT_TRUE(net->forward(part.x).equal(net->forward(part.x)));
}

TEST(AttentionModel, WhatCannotBeIsRefused) {
  const auto resolved = [](const std::string& model, const std::string& activation = "tanh") {
    Settings settings;
    settings.model = model;
    settings.activation = activation;
    settings = resolve(settings, numbers());
    check_activation(settings);
    return settings;
  };
  const Settings usual = resolved("");
  EXPECT_EQ(usual.model, "attention");
  EXPECT_EQ(usual.width, 256);
  EXPECT_EQ(usual.depth, 1);
  EXPECT_EQ(resolved("attention(beam=3, dropout=0.25)").attention.dropout, 0.25);
  refused([&] { resolved("attention(dropout=1)"); }, "dropout is '1', expected 0 or more, below 1");
  refused([&] { resolved("attention(dropout=x)"); }, "dropout is 'x', expected 0 or more, below 1");
  refused([&] { resolved("attention(beam=0)"); }, "beam is 0, expected 1 to 100");
  refused([&] { resolved("attention(heads=2)"); },
          "attention has no attribute 'heads'; it has beam, cell, dropout, embedding");
  refused([&] { resolved("attention", "swiglu"); }, "swiglu takes two inputs");
  refused([&] { resolved("attention(gates=all)", "relu"); }, "relu has no sigmoid to go with it");
  refused([&] { resolved("lstm"); }, "asks for translation: use --model attention");
  refused([&] { resolved("mlp"); }, "asks for translation: use --model attention");
  Settings settings;
  settings.model = "attention";
  data::Dataset digits;
  digits.name = "digits";
  digits.shape = {64};
  digits.classes = {"a", "b"};
  refused([&] { resolve(settings, digits); }, "--model attention needs translation, and digits has 64 columns");
}

TEST(AttentionModel, LearnsToTranslate) {
  const auto net = network("attention(gates=all,dropout=0.1,beam=3)", "tanh", 32);
  torch::optim::Adam optimiser(net->parameters(), torch::optim::AdamOptions(1e-2));
  const auto task = tasks::make_task(numbers());
  const tasks::Score before = tasks::evaluate(*task, *net, numbers().test);
  EXPECT_GT(before.error, 0.9);
  torch::manual_seed(2);
  constexpr int steps = 500;
  for (int step = 0; step < steps; ++step) {
    for (auto& group : optimiser.param_groups())
      static_cast<torch::optim::AdamOptions&>(group.options()).lr(1e-2 * (1 - static_cast<double>(step) / steps));
    const at::Tensor chosen = torch::randint(numbers().train.size(), {32}, torch::kLong);
    optimiser.zero_grad();
    task->loss(net->forward(numbers().train.x.index_select(0, chosen)), numbers().train.y.index_select(0, chosen))
        .backward();
    optimiser.step();
  }
  EXPECT_LT(tasks::evaluate(*task, *net, numbers().test).error, 0.02);
}

}  // namespace
}  // namespace ogee::models
