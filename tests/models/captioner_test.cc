// Captions with soft attention as a network of the laboratory: what is seen while recording, noise, coverage, pictures
// that are looked at once, refusals, and that what is learned comes from the pictures.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdio>
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

const data::Dataset& shapes() {
  static const data::Dataset set = [] {
    data::Request request;
    request.data = "shapes(train=400,validation=20,test=60)";
    return data::load(request);
  }();
  return set;
}
// The same captions, of features: [pictures, places, numbers].
const data::Dataset& features(std::int64_t places) {
  static data::Dataset set;
  set = shapes();
  torch::manual_seed(7);
  set.pictures.all = torch::randn({set.pictures.all.size(0), places, 6});
  set.pictures.mean = 0;
  set.pictures.deviation = 1;
  return set;
}

std::shared_ptr<Network> network(const data::Dataset& data, const std::string& model, const std::string& activation,
                                 std::int64_t width = 5, std::int64_t depth = 0) {
  Settings settings;
  settings.model = model;
  settings.activation = activation;
  settings.depth = depth;
  settings.width = width;
  return build(settings, data, 1);
}
data::Part first_of(const data::Part& part, std::int64_t count) {
  return {part.x.narrow(0, 0, count), part.y.narrow(0, 0, count)};
}

// What is seen while recording is what is computed otherwise, and every parameter has a part in it.
TEST(Captioner, IsTheSameRecordedAndFused) {
  for (const auto& [model, activation, with_features, count] :
       {std::tuple("captioner(gates=all,embedding=6,size=4,channels=3,dropout=0)", "nan(base=tanh)", false, 8u),
        {"captioner(gates=all,dropout=0)", "nah(base=tanh)", true, 8u},
        {"captioner(cell=gru,dropout=0)", "relu", true, 4u},
        {"captioner(channels=4,dropout=0)", "tanh", false, 5u}}) {
    const data::Dataset& data = with_features ? features(5) : shapes();
    const data::Part part = first_of(data.train, 12);
    const auto task = tasks::make_task(data);
    const auto net = network(data, model, activation);
    ASSERT_EQ(net->layers.size(), count) << model;
    {
      const torch::NoGradGuard no_gradients;  // places start as zeros, of which a wrong one would not tell
      for (auto& parameter : net->named_parameters())
        if (parameter.key() == "places") parameter.value().normal_();
    }
    const auto gradients = [&] {
      net->zero_grad();
      const at::Tensor output = net->forward(part.x);
      task->loss(output, part.y).backward();
      std::vector<at::Tensor> all{output.detach()};
      for (const auto& parameter : net->named_parameters()) {
        EXPECT_TRUE(parameter->grad().defined()) << parameter.key();
        // What is learned of noise has no gradient where there is none.
        if (parameter.key().find("_activation.") == std::string::npos) {
          EXPECT_GT(parameter->grad().norm().item<double>(), 0) << parameter.key();
        }
        all.push_back(parameter->grad().clone());
      }
      return all;
    };
    net->eval();
    const auto fused = gradients();
    EXPECT_EQ(fused[0].size(2), data.outputs());
    net->recording = true;
    const auto seen = gradients();
    for (const auto& layer : net->layers) EXPECT_GT(layer.z.grad().norm().item<double>(), 0);
    for (std::size_t i = 0; i < fused.size(); ++i)
      EXPECT_TRUE(fused[i].allclose(seen[i], 1e-3, 1e-5)) << model << " " << activation << " " << i;
  }
}

// A picture alone, or among others and several times: the same is said of it, whatever was said of it by others.
TEST(Captioner, EachPictureIsSeenByItself) {
  const auto net = network(shapes(), "captioner(gates=all,channels=4)", "tanh", 8);
  net->eval();
  const at::Tensor x = shapes().test.x.narrow(0, 0, 20);
  const at::Tensor all = net->forward(x), said = net->generate(x);
  ASSERT_EQ(said.size(0), 20);
  for (const std::int64_t i : {0, 3, 5, 19}) {
    const at::Tensor one = x.narrow(0, i, 1), alone = net->forward(one);
    EXPECT_TRUE(alone.allclose(all.narrow(0, i, 1).narrow(1, 0, alone.size(1)), 1e-4, 1e-5)) << i;
    const at::Tensor by_itself = net->generate(one);
    EXPECT_TRUE(said.narrow(0, i, 1).narrow(1, 0, by_itself.size(1)).equal(by_itself)) << i;
    EXPECT_TRUE(said[i].equal(said[i / 5 * 5])) << i;
  }
  at::Tensor other = x.clone();
  other.narrow(1, 2, 3).fill_(5);
  EXPECT_TRUE(net->generate(other).equal(said));
  // The picture matters.
  at::Tensor elsewhere = x.clone();
  elsewhere.select(1, 0).fill_(x[0][0].item<std::int64_t>() + 10);
  EXPECT_FALSE(net->forward(elsewhere).allclose(all, 1e-4, 1e-5));
}

TEST(Captioner, NoiseAndDropoutAreForTrainingAlone) {
  const data::Part part = first_of(shapes().test, 15);
  for (const auto& [model, activation] : {std::pair("captioner(gates=all,dropout=0)", "nan(base=tanh)"),
                                          {"captioner(gates=all,dropout=0)", "nah(base=tanh)"},
                                          {"captioner(dropout=0.5)", "tanh"}}) {
    const auto net = network(shapes(), model, activation);
    net->train();
    EXPECT_FALSE(net->forward(part.x).equal(net->forward(part.x))) << model;
    const auto task = tasks::make_task(shapes());
    const tasks::Score once = tasks::evaluate(*task, *net, part), again = tasks::evaluate(*task, *net, part);
    EXPECT_EQ(once.loss, again.loss);
    EXPECT_EQ(once.error, again.error);
    EXPECT_EQ(once.further, again.further);
  }
}

// With one place to look at, it is looked at once a token: (1 - tokens)^2 for each caption.
TEST(Captioner, CoverageIsItsFormula) {
  const data::Dataset& data = features(1);
  const data::Part part = first_of(data.train, 9);
  const auto net = network(data, "captioner(coverage=0.25)", "tanh");
  net->train();
  net->forward(part.x);
  double want = 0, tokens = 0;
  for (std::int64_t i = 0; i < 9; ++i) {
    const auto own = part.y[i].slice(0, 1).ge(0).sum().item<double>();
    want += 0.25 * (1 - own) * (1 - own);
    tokens += own;
  }
  ASSERT_TRUE(net->penalty().defined());
  EXPECT_NEAR(net->penalty().item<double>(), want / tokens, 1e-4 * want / tokens);
  net->eval();
  net->forward(part.x);
  EXPECT_FALSE(net->penalty().defined());
  // With more of them, it pulls at the weights.
  const auto more = network(features(4), "captioner(coverage=1)", "tanh");
  more->train();
  more->forward(part.x);
  more->penalty().backward();
  EXPECT_GT(more->named_parameters()["score_weight"].grad().norm().item<double>(), 0);
}

// BLEU of what is said is counted once a picture, against all that is said of it.
TEST(Captioner, EveryCaptionOfAPictureCounts) {
  const data::Part& part = shapes().test;
  const auto task = tasks::make_task(shapes());
  // The last of the five captions: as good an answer as the first.
  std::vector<at::Tensor> rows;
  for (std::int64_t i = 0; i < part.size(); ++i) rows.push_back(part.y[i / 5 * 5 + 4].slice(0, 1).clamp_min(0));
  const at::Tensor sums = task->statistics(torch::stack(rows), part.y);
  EXPECT_NEAR(task->error(sums, 1), 0, 1e-12);
  const auto further = task->further(sums);
  ASSERT_EQ(further.size(), 4u);
  for (const auto& [name, value] : further) EXPECT_NEAR(value, 1, 1e-12) << name;
  // Nothing that is said is right.
  const auto by_one = tasks::make_task(shapes(), "bleu_1");
  EXPECT_EQ(std::string(by_one->metric().title), "1 - BLEU-1");
  rows.assign(rows.size(), torch::zeros({3}, torch::kLong));
  EXPECT_EQ(by_one->error(by_one->statistics(torch::stack(rows), part.y), 1), 1);
}

TEST(Captioner, WhatCannotBeIsRefused) {
  const auto resolved = [](const data::Dataset& data, const std::string& model, std::int64_t depth = 0,
                           const std::string& activation = "tanh") {
    Settings settings;
    settings.model = model;
    settings.activation = activation;
    settings.depth = depth;
    settings = resolve(settings, data);
    check_activation(settings);
    return settings;
  };
  const Settings usual = resolved(shapes(), "");
  EXPECT_EQ(usual.model, "captioner");
  EXPECT_EQ(usual.depth, 3);
  EXPECT_EQ(usual.width, 256);
  EXPECT_EQ(usual.attention.channels, 16);
  EXPECT_TRUE(usual.attention.lstm);
  EXPECT_FALSE(resolved(shapes(), "captioner(cell=gru)").attention.lstm);
  EXPECT_EQ(resolved(shapes(), "captioner(coverage=0.5)").attention.coverage, 0.5);
  EXPECT_EQ(resolved(features(3), "captioner").depth, 1);
  refused([&] { resolved(features(3), "captioner(channels=8)"); }, "has features, which are looked at as they are");
  refused([&] { resolved(features(3), "captioner", 2); }, "has features, which are looked at as they are");
  refused([&] { resolved(shapes(), "captioner(coverage=-1)"); }, "coverage is '-1', expected 0 or more");
  refused([&] { resolved(shapes(), "captioner(cell=mgu)"); }, "cell is 'mgu', expected gru or lstm");
  refused([&] { resolved(shapes(), "captioner(heads=2)"); }, "captioner has no attribute 'heads'; it has beam, cell");
  refused([&] { resolved(shapes(), "captioner", 0, "swiglu"); }, "swiglu takes two inputs");
  refused([&] { resolved(shapes(), "captioner(gates=all)", 0, "relu"); }, "relu has no sigmoid to go with it");
  refused([&] { resolved(shapes(), "attention"); }, "asks for captions: use --model captioner");
  data::Dataset digits;
  digits.name = "digits";
  digits.shape = {64};
  digits.classes = {"a", "b"};
  refused([&] { resolved(digits, "captioner"); }, "--model captioner needs captions, and digits has 64 columns");
}

// Beside a network that is shown nothing but noughts, which learns what captions are like.
TEST(Captioner, LearnsFromWhatItSees) {
  data::Dataset blind = shapes();
  blind.pictures.all = torch::zeros_like(blind.pictures.all);
  std::vector<tasks::Score> scores;
  for (const data::Dataset* data : {&shapes(), static_cast<const data::Dataset*>(&blind)}) {
    const auto net = network(*data, "captioner(gates=all,channels=8,dropout=0,beam=3)", "tanh", 48, 4);
    torch::optim::Adam optimiser(net->parameters(), torch::optim::AdamOptions(3e-3));
    const auto task = tasks::make_task(*data);
    torch::manual_seed(2);
    constexpr int steps = 500;
    for (int step = 0; step < steps; ++step) {
      for (auto& group : optimiser.param_groups())
        static_cast<torch::optim::AdamOptions&>(group.options()).lr(3e-3 * (1 - static_cast<double>(step) / steps));
      const at::Tensor chosen = torch::randint(data->train.size(), {32}, torch::kLong);
      optimiser.zero_grad();
      task->loss(net->forward(data->train.x.index_select(0, chosen)), data->train.y.index_select(0, chosen)).backward();
      optimiser.step();
    }
    scores.push_back(tasks::evaluate(*task, *net, data->test));
    std::printf("loss %.3f, BLEU-1 to 4 %.3f %.3f %.3f %.3f\n", scores.back().loss, scores.back().further["bleu_1"],
                scores.back().further["bleu_2"], scores.back().further["bleu_3"], scores.back().further["bleu_4"]);
  }
  EXPECT_LT(scores[0].loss, scores[1].loss - 0.2);
  EXPECT_LT(scores[0].error, scores[1].error - 0.1);
}

}  // namespace
}  // namespace ogee::models
