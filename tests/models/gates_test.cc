// Recurrent networks all of whose gates are replaced: fused while they train, step by step while somebody looks.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ogee/libtorch.h"
#include "models/carrying.h"
#include "models/gates.h"
#include "models/network.h"
#include "models/recording.h"
#include "ogee/ogee.h"
#include "refusal.h"
#include "tasks/task.h"

namespace ogee::models::gates_test {
namespace {

data::Dataset series() {
  data::Dataset set;
  set.name = "series";
  set.shape = {7, 3};
  set.classes = {"a", "b", "c"};
  return set;
}
data::Dataset text() {
  data::Dataset set;
  set.name = "text";
  set.goal = data::Goal::language;
  set.shape = {6};
  set.classes = std::vector<std::string>(9, "x");
  return set;
}

std::shared_ptr<Network> network(const std::string& model, const std::string& activation,
                                 const data::Dataset& data = series(), std::int64_t depth = 2) {
  Settings settings;
  settings.model = model;
  settings.activation = activation;
  settings.depth = depth;
  settings.width = 5;
  return build(settings, data, 1);
}

TEST(GateFunctions, ComeInPairs) {
  const auto pair = [](const std::string& of) {
    const GateFunctions functions = gate_functions(of);
    return functions.sigmoid + " " + functions.tanh;
  };
  EXPECT_EQ(pair("tanh"), "sigmoid tanh");
  EXPECT_EQ(pair("nan(base=tanh)"), "nan_sigmoid nan_tanh");
  EXPECT_EQ(pair("nan(base=sigmoid, c=30)"), "nan_sigmoid(c=30) nan_tanh(c=30)");
  EXPECT_EQ(pair("nah(base=hard_tanh, alpha=0.9)"), "nah_hard_sigmoid(alpha=0.9) nah_hard_tanh(alpha=0.9)");
  EXPECT_EQ(pair("nanis(base=tanh)"), "nanis_sigmoid nanis_tanh") << "each has a threshold of its own";
  refused([] { gate_functions("relu"); }, "relu has no sigmoid to go with it");
  refused([] { gate_functions("channel_limit(base=tanh)"); }, "has no sigmoid to go with it");
}

// What is seen while recording is what is computed otherwise.
TEST(Gates, AreTheSameRecordedAndFused) {
  for (const char* model :
       {"lstm(gates=all)", "gru(gates=all)", "lstm(gates=all, head=mean)", "gru(gates=all,head=mean)"})
    for (const char* activation :
         {"tanh", "nan(base=tanh)", "nah(base=tanh)", "nanil(base=tanh)", "nan(base=hard_tanh)"}) {
      const auto net = network(model, activation);
      torch::manual_seed(5);
      const at::Tensor x = torch::randn({4, 7, 3}), y = torch::tensor({0, 1, 2, 1}, torch::kLong);
      const auto gradients = [&] {
        net->zero_grad();
        const at::Tensor output = net->forward(x);
        at::cross_entropy_loss(output, y).backward();
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
      net->recording = true;
      const auto seen = gradients();
      for (const auto& layer : net->layers) {
        EXPECT_EQ(layer.z.sizes(), (std::vector<std::int64_t>{7 * 4, 5}));
        EXPECT_GT(layer.z.grad().norm().item<double>(), 0);
      }
      net->recording = false;
      ASSERT_EQ(fused.size(), seen.size());
      for (std::size_t i = 0; i < fused.size(); ++i)
        EXPECT_TRUE(fused[i].allclose(seen[i], 1e-3, 1e-5)) << model << " " << activation << " " << i;
    }
}

TEST(Gates, WithTanhAreThePlainCell) {
  const torch::NoGradGuard no_gradients;
  for (const char* cell : {"lstm", "gru"}) {
    const auto plain = network(cell, "tanh"), all = network(std::string(cell) + "(gates=all)", "tanh");
    ASSERT_EQ(plain->parameter_count(), all->parameter_count());
    auto from = plain->named_parameters();
    for (auto& parameter : all->named_parameters()) {
      at::Tensor value = from[parameter.key()];
      if (std::string(cell) == "lstm" && parameter.key().starts_with("lstm")) {  // the fused cell has g before o
        const auto parts = value.chunk(4, 0);
        value = at::cat({parts[0], parts[1], parts[3], parts[2]});
      }
      parameter->copy_(value);
    }
    const at::Tensor x = torch::randn({4, 7, 3});
    EXPECT_TRUE(plain->forward(x).allclose(all->forward(x), 1e-4, 1e-5)) << cell;
  }
}

TEST(Gates, LearnAPForEveryUnitFromAroundZero) {
  const auto net = network("lstm(gates=all)", "nan(base=tanh)", series(), 1);
  ASSERT_EQ(net->layers.size(), 5u);
  std::vector<std::string> names;
  double low = 1, high = -1;
  for (const auto& layer : net->layers) {
    names.emplace_back(layer.unit->activation().spec().name);
    const at::Tensor p = layer.unit->parameter_tensors().at(0);
    EXPECT_EQ(p.numel(), 5);
    low = std::min(low, p.min().item<double>());
    high = std::max(high, p.max().item<double>());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"nan_sigmoid", "nan_sigmoid", "nan_tanh", "nan_sigmoid", "nan_tanh"}));
  EXPECT_LT(low, 0);
  EXPECT_GE(low, -1);
  EXPECT_GT(high, 0);
  EXPECT_LE(high, 1);
}

// A schedule sets an attribute of every layer's unit: the cell must follow.
TEST(Gates, FollowTheUnitsAttributes) {
  const auto net = network("lstm(gates=all)", "nan(base=tanh, c=0)");
  const torch::NoGradGuard no_gradients;
  const at::Tensor x = 3 * torch::randn({4, 7, 3});
  net->train();
  EXPECT_TRUE(net->forward(x).equal(net->forward(x))) << "without noise";
  for (auto& layer : net->layers) layer.unit->set("c", 30);
  const at::Tensor once = net->forward(x);
  EXPECT_FALSE(once.equal(net->forward(x))) << "noise is drawn anew for every call";
  net->eval();
  EXPECT_TRUE(net->forward(x).equal(net->forward(x)));
}

TEST(Gates, AnswerAfterEveryToken) {
  const data::Dataset data = text();
  const auto net = network("gru(gates=all)", "nah(base=tanh)", data);
  EXPECT_EQ(net->forward(torch::randint(9, {2, 6}, torch::kLong)).sizes(), (std::vector<std::int64_t>{2, 6, 9}));
}

// A text in two passes, with the state carried, is the text in one.
TEST(Carrying, GoesOnWhereThePassBeforeEnded) {
  const data::Dataset data = text();
  for (const char* model : {"lstm(gates=all)", "gru(gates=all)", "lstm", "gru"}) {
    SCOPED_TRACE(model);
    const auto net = network(model, "tanh", data);
    auto& carrying = dynamic_cast<Carrying&>(*net);
    const at::Tensor x = torch::randint(9, {3, 6}, torch::kLong), whole = net->forward(x);
    EXPECT_TRUE(carrying.carried.empty());
    carrying.carries = true;
    const at::Tensor first = net->forward(x.narrow(1, 0, 2));
    EXPECT_TRUE(at::allclose(first, whole.narrow(1, 0, 2), 1e-5, 1e-6));
    // A row fewer, and no gradient goes back into the pass before.
    const at::Tensor second = net->forward(x.narrow(0, 0, 2).narrow(1, 2, 4));
    EXPECT_TRUE(at::allclose(second, whole.narrow(0, 0, 2).narrow(1, 2, 4), 1e-5, 1e-6));
    const at::Tensor third = net->forward(x.narrow(0, 0, 2));
    EXPECT_FALSE(at::allclose(third, whole.narrow(0, 0, 2), 1e-5, 1e-6)) << "it begins where the second ended";
  }
}

// Evaluation reads the text from end to end, and leaves what training carries as it was.
TEST(Carrying, EvaluationReadsAPartFromEndToEnd) {
  data::Dataset data = text();
  const at::Tensor tokens = torch::randint(9, {6 * 20 + 1}, torch::kLong);
  data.test = {tokens.narrow(0, 0, 120).view({20, 6}), tokens.narrow(0, 1, 120).view({20, 6})};
  const auto task = tasks::make_task(data);
  const auto net = network("lstm(gates=all)", "nan(base=tanh)", data);
  auto& carrying = dynamic_cast<Carrying&>(*net);
  const double apart = tasks::evaluate(*task, *net, data.test).error;
  carrying.carries = true;
  net->forward(data.test.x);
  const at::Tensor before = carrying.carried.at(0).clone();
  const double together = tasks::evaluate(*task, *net, data.test).error;
  EXPECT_TRUE(carrying.carried.at(0).equal(before));
  EXPECT_EQ(together, tasks::evaluate(*task, *net, data.test).error) << "no noise at evaluation, nothing left behind";
  carrying.carries = false;
  net->eval();
  const at::Tensor logs = net->forward(tokens.narrow(0, 0, 120).view({1, 120})).log_softmax(-1);
  const double want = std::exp(-logs[0].gather(1, tokens.narrow(0, 1, 120).unsqueeze(1)).mean().item<double>());
  EXPECT_NEAR(together, want, 1e-4 * want);
  EXPECT_GT(std::abs(apart - want), 1e-3 * want);
}

// Answers among as many as there are words have a loss of their own.
TEST(MaskedTokens, OfAVocabularyCountAsLibTorchCountsThem) {
  data::Dataset data = text();
  data.classes = std::vector<std::string>(600, "x");
  const auto task = tasks::make_task(data);
  const at::Tensor output = torch::randn({3, 6, 600}).requires_grad_(), y = torch::randint(600, {3, 6}, torch::kLong);
  y[1][2] = -100;
  const auto found = task->loss(output, y), want = at::cross_entropy_loss(output.flatten(0, 1), y.flatten());
  EXPECT_NEAR(found.item<double>(), want.item<double>(), 1e-5);
  const at::Tensor by_it = torch::autograd::grad({3 * found}, {output})[0],
                   wanted = torch::autograd::grad({3 * want}, {output})[0];
  EXPECT_LT((by_it - wanted).abs().max().item<double>(), 1e-7);
  EXPECT_NEAR(task->loss(output.detach(), y).item<double>(), want.item<double>(), 1e-5) << "without a graph";
  y[0][0] = 600;
  EXPECT_ANY_THROW(task->loss(output, y));
}

TEST(Gates, RefuseWhatDoesNotFit) {
  const auto resolved = [](const std::string& model, const data::Dataset& data,
                           const std::string& activation = "tanh") {
    Settings settings;
    settings.model = model;
    settings.activation = activation;
    Settings all = resolve(settings, data);
    check_activation(all);
    return all;
  };
  EXPECT_TRUE(resolved("lstm(gates=all, head=mean)", series()).mean_head);
  EXPECT_FALSE(resolved("lstm(gates=sigmoid, head=last)", series(), "relu").all_gates);
  refused([&] { resolved("lstm(gates=all)", series(), "relu"); }, "--model lstm(gates=all): relu has no sigmoid");
  refused([&] { resolved("lstm(gates=some)", series()); }, "gates is 'some', expected sigmoid or all");
  refused([&] { resolved("lstm(head=first)", series()); }, "head is 'first', expected last or mean");
  refused([&] { resolved("gru(tail=1)", series()); }, "gru has no attribute 'tail'; it has gates, head");
  refused([&] { resolved("gru(head=mean,head=last)", series()); }, "head stands there twice");
  refused([&] { resolved("lstm(head=mean)", text()); }, "head=mean gives one answer");
  refused([&] { resolved("transformer(gates=all)", series()); }, "transformer has no attribute 'gates'; it has heads");
}

// A text of which only some tokens are asked for.
TEST(MaskedTokens, DoNotCount) {
  data::Dataset data = text();
  data.masked = true;
  const at::Tensor output = torch::randn({3, 6, 9});
  at::Tensor y = torch::full({3, 6}, -100, torch::kLong);
  y[0][5] = 4;
  y[1].slice(0, 2) = torch::tensor({1, 2, 3, 8}, torch::kLong);
  y[2][1] = 0;
  const auto task = tasks::make_task(data);
  const at::Tensor logs = output.log_softmax(-1);
  double sum = 0, wrong = 0;
  for (std::int64_t i = 0; i < 3; ++i)
    for (std::int64_t j = 0; j < 6; ++j) {
      const auto asked = y[i][j].item<std::int64_t>();
      if (asked < 0) continue;
      sum -= logs[i][j][asked].item<double>();
      wrong += output[i][j].argmax().item<std::int64_t>() != asked;
    }
  EXPECT_NEAR(task->loss(output, y).item<double>(), sum / 6, 1e-5);
  // Parts of unequal numbers of tokens add up.
  const at::Tensor sums =
      task->statistics(output.slice(0, 0, 1), y.slice(0, 0, 1)) + task->statistics(output.slice(0, 1), y.slice(0, 1));
  EXPECT_NEAR(task->error(sums, 3), std::exp(sum / 6), 1e-4);
  const auto error = tasks::make_task(data, "error");
  EXPECT_NEAR(error->error(error->statistics(output, y), 3), wrong / 6, 1e-9);
}

}  // namespace
}  // namespace ogee::models::gates_test
