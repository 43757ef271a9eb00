// Every model on every kind of data it fits: shapes, matched sizes, records for the measures, first scales, causality.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <string>
#include <vector>

#include "ogee/libtorch.h"
#include "models/network.h"
#include "ogee/ogee.h"
#include "tasks/task.h"

namespace ogee::models::models_test {
namespace {

using data::Dataset;
using data::Goal;
using Shape = std::vector<std::int64_t>;

constexpr std::int64_t examples = 6;

data::Part part_of(const Dataset& set) {
  Shape x = set.shape;
  x.insert(x.begin(), examples);
  const std::int64_t outputs = set.outputs();
  switch (set.goal) {
    case Goal::language: return {torch::randint(outputs, x, torch::kLong), torch::randint(outputs, x, torch::kLong)};
    case Goal::forecasting: return {torch::randn(x), torch::randn({examples, outputs / set.shape[1], set.shape[1]})};
    default: return {torch::randn(x), torch::randint(outputs, {examples}, torch::kLong)};
  }
}

Dataset pictures() {
  Dataset set;
  set.name = "pictures";
  set.shape = {3, 12, 10};
  set.classes = {"a", "b", "c", "d"};
  return set;
}
Dataset columns() {
  Dataset set = pictures();
  set.name = "columns";
  set.shape = {7};
  return set;
}
Dataset text() {
  Dataset set;
  set.name = "text";
  set.goal = Goal::language;
  set.shape = {9};
  set.classes = std::vector<std::string>(20, "x");
  return set;
}
Dataset series() {
  Dataset set;
  set.name = "series";
  set.goal = Goal::forecasting;
  set.shape = {8, 3};
  set.answers = 5 * 3;
  return set;
}

Settings settings_of(const std::string& model, const std::string& activation = "relu", std::int64_t depth = 0,
                     std::int64_t width = 0) {
  Settings settings;
  settings.model = model;
  settings.activation = activation;
  settings.depth = depth;
  settings.width = width;
  return settings;
}

struct Case {
  const char* model;
  Dataset (*data)();
};
void PrintTo(const Case& each, std::ostream* stream) { *stream << each.model << " on " << each.data().name; }

class Models : public testing::TestWithParam<Case> {
 protected:
  Models() : data_(GetParam().data()) { torch::manual_seed(3); }
  std::shared_ptr<Network> network(const std::string& activation, std::uint64_t seed = 1) const {
    return build(settings_of(GetParam().model, activation), data_, seed);
  }
  const Dataset data_;
};

TEST_P(Models, AnswerEveryExampleWithEveryKindOfActivation) {
  const data::Part part = part_of(data_);
  for (const char* activation : {"relu", "tanh", "prelu", "swiglu", "nah(base=tanh)"}) {
    const auto model = network(activation);
    const at::Tensor output = model->forward(part.x);
    Shape expected{examples, data_.outputs()};
    if (data_.text()) expected = {examples, data_.shape[0], data_.outputs()};
    EXPECT_EQ(output.sizes(), expected) << activation;
    const auto task = tasks::make_task(data_);
    const at::Tensor loss = task->loss(output, part.y);
    loss.backward();
    for (const auto& parameter : model->named_parameters())
      EXPECT_TRUE(parameter->grad().defined() && torch::isfinite(parameter->grad()).all().item<bool>())
          << activation << " " << parameter.key();
    const tasks::Score score = tasks::evaluate(*task, *model, part);
    EXPECT_TRUE(std::isfinite(score.error) && std::isfinite(score.loss)) << activation;
  }
}

TEST_P(Models, GatedOnesHaveAsManyParameters) {
  for (const std::int64_t width : {32, 48}) {
    const auto count = [&](const char* activation, bool match) {
      Settings settings = settings_of(GetParam().model, activation, 3, width);
      settings.match_parameters = match;
      return static_cast<double>(build(settings, data_, 1)->parameter_count());
    };
    EXPECT_NEAR(count("swiglu", true) / count("relu", true), 1, 0.02) << width;
    EXPECT_EQ(count("relu", false), count("relu", true));
    EXPECT_GT(count("swiglu", false), 1.04 * count("relu", true));
  }
}

// A set of learned parameters for each unit: with equal values it changes nothing but their number.
TEST_P(Models, LearnedParametersMayDifferByUnit) {
  const data::Part part = part_of(data_);
  Settings settings = settings_of(GetParam().model, "prelu", 2, 8);
  const auto shared = build(settings, data_, 1);
  settings.per_channel = true;
  const auto own = build(settings, data_, 1);
  const at::Tensor output = own->forward(part.x);
  EXPECT_TRUE(output.allclose(shared->forward(part.x), 1e-4, 1e-6));
  tasks::make_task(data_)->loss(output, part.y).backward();
  std::int64_t more = 0;
  for (const auto& layer : own->layers) {
    const at::Tensor slope = layer.unit->parameter_tensors().at(0);
    EXPECT_GE(slope.numel(), 8);
    EXPECT_GT(slope.grad().ne(slope.grad()[0]).sum().item<std::int64_t>(), 0);
    more += slope.numel() - 1;
  }
  EXPECT_EQ(own->parameter_count(), shared->parameter_count() + more);
}

// The measures read each layer's last input and, after backward, its gradient, unit by unit along dimension 1.
TEST_P(Models, LayersAreRecorded) {
  const data::Part part = part_of(data_);
  for (const char* activation : {"relu", "swiglu"}) {
    const auto model = network(activation);
    model->eval();
    model->recording = true;
    for (int pass = 0; pass < 2; ++pass) {  // nothing is left over from the pass before
      tasks::make_task(data_)->loss(model->forward(part.x), part.y).backward();
      ASSERT_FALSE(model->layers.empty());
      for (const auto& layer : model->layers) {
        ASSERT_TRUE(layer.z.defined());
        EXPECT_EQ(layer.z.size(0) % examples, 0);
        EXPECT_EQ(layer.z.sizes(), layer.z.grad().sizes());
        EXPECT_GT(layer.z.grad().norm().item<double>(), 0);
      }
    }
    model->recording = false;
  }
}

// Networks of one seed are the same, whatever was drawn from the global generator before.
TEST_P(Models, AreFunctionsOfTheirSeed) {
  const data::Part part = part_of(data_);
  const at::Tensor first = network("relu", 5)->forward(part.x);
  torch::rand({100});
  EXPECT_TRUE(first.equal(network("relu", 5)->forward(part.x)));
  EXPECT_FALSE(first.equal(network("relu", 6)->forward(part.x)));
}

TEST_P(Models, StartAtAReasonableScale) {
  const data::Part part = part_of(data_);
  for (const char* activation : {"relu", "tanh", "gelu", "elu", "swiglu"}) {
    const double scale = network(activation)->forward(part.x).square().mean().sqrt().item<double>();
    EXPECT_GT(scale, 0.05) << activation;
    EXPECT_LT(scale, 8) << activation;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Models,
                         testing::Values(Case{"mlp", pictures}, Case{"mlp", columns}, Case{"mlp", series},
                                         Case{"convnet", pictures}, Case{"resnet", pictures}, Case{"resnet", columns},
                                         Case{"resnet", series}, Case{"resnet(batch_norm=1)", pictures},
                                         Case{"resnet(batch_norm=1)", columns}, Case{"lstm", pictures},
                                         Case{"lstm", text}, Case{"lstm", series}, Case{"gru", pictures},
                                         Case{"gru", text}, Case{"gru", series}, Case{"transformer", pictures},
                                         Case{"transformer", text}, Case{"transformer", series}));

// An answer after a token must not depend on the tokens that follow.
TEST(Causality, OfLanguageModels) {
  const Dataset data = text();
  const at::Tensor x = torch::randint(20, {2, 9}, torch::kLong);
  at::Tensor changed = x.clone();
  changed.slice(1, 5) = (changed.slice(1, 5) + 1) % 20;
  for (const char* model : {"lstm", "gru", "transformer"}) {
    const auto network = build(settings_of(model), data, 1);
    const at::Tensor before = network->forward(x), after = network->forward(changed);
    EXPECT_TRUE(before.slice(1, 0, 5).equal(after.slice(1, 0, 5))) << model;
    EXPECT_FALSE(before.slice(1, 5).equal(after.slice(1, 5))) << model;
  }
}

// With tanh the cells are LibTorch's own.
TEST(Recurrent, WithTanhIsLibTorchsLstm) {
  const Dataset data = series();
  const auto network = build(settings_of("lstm", "tanh", 1, 11), data, 1);
  const auto parameters = network->named_parameters();
  torch::nn::LSTM reference(torch::nn::LSTMOptions(3, 11).batch_first(true));
  const torch::NoGradGuard no_gradients;
  // Ours: input, forget, output, candidate; theirs: input, forget, candidate, output.
  const auto reorder = [](const at::Tensor& ours) {
    const auto parts = ours.chunk(4, 0);
    return torch::cat({parts[0], parts[1], parts[3], parts[2]});
  };
  auto theirs = reference->named_parameters();
  theirs["weight_ih_l0"].copy_(reorder(parameters["lstm1_in_weight"]));
  theirs["weight_hh_l0"].copy_(reorder(parameters["lstm1_recurrent_weight"]));
  theirs["bias_ih_l0"].copy_(reorder(parameters["lstm1_in_bias"]));
  theirs["bias_hh_l0"].zero_();
  const at::Tensor x = torch::randn({4, 8, 3});
  const at::Tensor last = std::get<0>(reference->forward(x)).select(1, 7);
  const at::Tensor expected = at::linear(last, parameters["output_weight"], parameters["output_bias"]);
  EXPECT_TRUE(network->forward(x).allclose(expected, 1e-4, 1e-5));
}

TEST(Recurrent, WithTanhIsLibTorchsGru) {
  const Dataset data = series();
  const auto network = build(settings_of("gru", "tanh", 1, 11), data, 1);
  const auto parameters = network->named_parameters();
  torch::nn::GRU reference(torch::nn::GRUOptions(3, 11).batch_first(true));
  const torch::NoGradGuard no_gradients;
  // Ours: reset, update, candidate, as theirs.
  auto theirs = reference->named_parameters();
  theirs["weight_ih_l0"].copy_(parameters["gru1_in_weight"]);
  theirs["weight_hh_l0"].copy_(parameters["gru1_recurrent_weight"]);
  theirs["bias_ih_l0"].copy_(parameters["gru1_in_bias"]);
  theirs["bias_hh_l0"].zero_();
  const at::Tensor x = torch::randn({4, 8, 3});
  const at::Tensor last = std::get<0>(reference->forward(x)).select(1, 7);
  const at::Tensor expected = at::linear(last, parameters["output_weight"], parameters["output_bias"]);
  EXPECT_TRUE(network->forward(x).allclose(expected, 1e-4, 1e-5));
}

TEST(Resnet, BatchNormCountsAndIsKeptForEvaluation) {
  const Dataset data = pictures();
  const auto network = build(settings_of("resnet(batch_norm=1)"), data, 1);
  EXPECT_FALSE(network->named_buffers().is_empty());
  const at::Tensor x = torch::randn({32, 3, 12, 10}) * 5 + 2;
  network->train();
  for (int i = 0; i < 60; ++i) network->forward(x);
  const at::Tensor trained = network->forward(x);
  network->eval();
  // The running means have come to those of the batch.
  EXPECT_LT((network->forward(x) - trained).norm().item<double>(), 0.1 * trained.norm().item<double>());
  EXPECT_TRUE(build(settings_of("resnet"), data, 1)->named_buffers().is_empty());
}

std::string error_of(const Settings& settings, const Dataset& data) {
  try {
    resolve(settings, data);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Resolve, WhatDoesNotFitIsNamed) {
  using testing::HasSubstr;
  EXPECT_THAT(error_of(settings_of("mlp"), text()), HasSubstr("--model mlp needs examples of their own"));
  EXPECT_THAT(error_of(settings_of("convnet"), columns()),
              HasSubstr("--model convnet needs images, and columns has 7 columns: use --model mlp"));
  EXPECT_THAT(error_of(settings_of("convnet"), series()), HasSubstr("series is a series of 3 columns"));
  EXPECT_THAT(error_of(settings_of("lstm"), columns()), HasSubstr("--model lstm needs a sequence"));
  EXPECT_THAT(error_of(settings_of("perceptron"), columns()),
              HasSubstr("expected mlp, convnet, resnet, lstm, gru, transformer, ntm, attention or captioner"));
  EXPECT_THAT(error_of(settings_of("resnet(batch_norm=2)"), columns()), HasSubstr("batch_norm is 2, expected 0 or 1"));
  EXPECT_THAT(error_of(settings_of("resnet(norm=1)"), columns()),
              HasSubstr("resnet has no attribute 'norm'; it has batch_norm"));
  EXPECT_THAT(error_of(settings_of("resnet(batch_norm)"), columns()), HasSubstr("expected attribute=number"));
  EXPECT_THAT(error_of(settings_of("resnet(batch_norm=1"), columns()), HasSubstr("the parenthesis is never closed"));
  EXPECT_THAT(error_of(settings_of("transformer(heads=3)"), text()), HasSubstr("width 64 is not divisible by 3 heads"));
  EXPECT_EQ(resolve(settings_of(""), text()).model, "transformer");
  EXPECT_EQ(resolve(settings_of(""), columns()).model, "mlp");
  EXPECT_EQ(resolve(settings_of("transformer(heads=2)"), text()).heads, 2);
}

TEST(Tasks, ScoresAreWhatTheirNamesSay) {
  const Dataset words = text();
  const auto language = tasks::make_task(words);
  EXPECT_STREQ(language->metric().title, "perplexity");
  const at::Tensor y = torch::randint(20, {6, 9}, torch::kLong);
  // Equal probabilities: a perplexity of as many as there are tokens.
  EXPECT_NEAR(language->error(language->statistics(torch::zeros({6, 9, 20}), y), 6), 20, 1e-4);
  const auto forecasting = tasks::make_task(series());
  EXPECT_STREQ(forecasting->metric().title, "MSE");
  EXPECT_NEAR(forecasting->error(forecasting->statistics(torch::zeros({6, 15}), torch::full({6, 5, 3}, 3.0f)), 6), 9,
              1e-6);
}

}  // namespace
}  // namespace ogee::models::models_test
