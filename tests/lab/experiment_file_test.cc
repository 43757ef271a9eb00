// Experiment files: what they say, what is wrong with them, and that the resolved one says the same.
#include "lab/experiment_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/dataset.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

std::string error_of(const std::string& text) {
  try {
    parse_experiment(text, "e.toml");
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

constexpr const char* full = R"toml(
[data]
data = "optdigits"
train_limit = 300
[model]
name = "mlp"
depth = 3
width = 16
[training]
epochs = 4
batch = 32
seeds = 2
optimiser = "sgd"
momentum = 0.9
weight_decay = 1e-4
clip_norm = 5
clip_value = 10
device = "cpu"
data_parallel = true
[fairness]
match_parameters = false
rates = [0.01, 0.1]
budget = 500
stop_early = true
metric = "macro_f1"
[[arm]]
activations = ["relu", "tanh"]
[[arm]]
name = "wide"
activation = "relu"
width = 32
learning_rate = 0.05
[[arm]]
name = "annealed"
activation = "nah(base=tanh)"
schedule.c = {from = 3, to = 0.5, shape = "exponential", until = 0.8}
schedule.alpha = {from = 1.1, to = 1.05}
[[arm]]
activation = "elu"
tune.alpha = [0.5, 1, 2.0]
[[arm]]
activation = "prelu"
per_channel = true
)toml";

TEST(ExperimentFile, SaysAll) {
  const Experiment e = parse_experiment(full, "e.toml");
  EXPECT_EQ(e.train_limit, 300);
  EXPECT_EQ(e.optimiser.name, "sgd");
  EXPECT_EQ(e.optimiser.momentum, 0.9);
  EXPECT_EQ(e.optimiser.clip_norm, 5);
  EXPECT_EQ(e.optimiser.clip_value, 10);
  EXPECT_EQ(e.rates, (std::vector<double>{0.01, 0.1}));
  EXPECT_FALSE(e.match_parameters);
  EXPECT_TRUE(e.data_parallel);
  EXPECT_EQ(e.metric, "macro_f1");
  ASSERT_EQ(e.arms.size(), 6u);
  EXPECT_EQ(e.arms[1].label(), "tanh");
  EXPECT_EQ(e.arms[2].label(), "wide");
  EXPECT_EQ(e.arms[2].width, 32);
  ASSERT_EQ(e.arms[3].schedules.size(), 2u);
  EXPECT_EQ(e.arms[4].choices.at(0).values, (std::vector<double>{0.5, 1, 2}));
  EXPECT_TRUE(e.arms[5].per_channel);
  EXPECT_FALSE(e.arms[1].per_channel);
}

TEST(ExperimentFile, TheResolvedOneSaysTheSame) {
  for (const std::string& text : {std::string(full), std::string()}) {
    const Experiment wanted = parse_experiment(text, "e.toml");
    const data::Dataset data = data::load(request_of(wanted));
    const Experiment resolved = resolve(wanted, data);
    const Experiment again = resolve(parse_experiment(to_toml(resolved), "again.toml"), data);
    EXPECT_EQ(to_json(again).dump(), to_json(resolved).dump());
    EXPECT_EQ(to_toml(again), to_toml(resolved));
  }
}

TEST(ExperimentFile, MistakesAreNamedWithTheirPlace) {
  EXPECT_EQ(error_of("[training]\nepoch = 3\n"),
            "e.toml:2:1: unknown key 'epoch' in [training]; did you mean 'epochs'?");
  EXPECT_EQ(error_of("[trainign]\nepochs = 3\n"),
            "e.toml:1:2: unknown key 'trainign' in an experiment; did you mean 'training'?");
  EXPECT_EQ(error_of("[training]\nepochs = \"x\"\n"),
            "e.toml:2:10: epochs is 'x'; expected a whole number from 1 to 1000000");
  EXPECT_EQ(error_of("[training]\nepochs = 0\n"),
            "e.toml:2:10: epochs is 0; expected a whole number from 1 to 1000000");
  EXPECT_EQ(error_of("[model]\nname = 3\n"), "e.toml:2:8: name is 3; expected a text in quotes");
  EXPECT_EQ(error_of("[fairness]\nrates = [0.1, -1]\n"),
            "e.toml:2:15: rates is -1; expected a number above 0, at most 100");
  EXPECT_EQ(
      error_of("[fairness]\nmetric = \"macro_f\"\n"),
      "e.toml:2:10: there is no metric 'macro_f'; did you mean 'macro_f1'?; expected one of error, balanced_error, "
      "macro_f1, top5_error, loss, rmse, mae, r2, perplexity, bits, mse, wrong_bits, bleu, bleu_1, bleu_2, bleu_3");
  EXPECT_EQ(error_of("model = 3\n"), "e.toml:1:9: model is 3; expected a table");
  EXPECT_NE(error_of("[training\n").find("e.toml:1:"), std::string::npos);
  EXPECT_NE(error_of("[[arm]]\nname = \"x\"\n").find("either an activation, or a list"), std::string::npos);
  EXPECT_EQ(error_of("[[arm]]\nactivation = \"reluu\"\n"),
            "e.toml:2:14: unknown activation 'reluu'; did you mean 'relu'?");
  EXPECT_NE(error_of("[[arm]]\nactivation = \"elu\"\ntune.alfa = [1.0]\n").find("did you mean 'alpha'"),
            std::string::npos);
  EXPECT_NE(error_of("[[arm]]\nactivation = \"elu\"\nschedule.alpha = {from = 1}\n").find("has no 'to'"),
            std::string::npos);
  EXPECT_NE(error_of("[[arm]]\nactivation = \"elu\"\nschedule.alpha = {from = 1, to = 2, shape = \"linaer\"}\n")
                .find("did you mean 'linear'"),
            std::string::npos);
  EXPECT_NE(error_of("[[arm]]\nactivation = \"elu\"\nschedule.alpha = {from = 1, to = -2, shape = \"exponential\"}\n")
                .find("of one sign"),
            std::string::npos);
}

TEST(ExperimentFile, WhatCannotBeIsRefused) {
  const data::Dataset data = data::load({});
  const auto refused = [&](const std::string& text) -> std::string {
    try {
      resolve(parse_experiment(text, "e.toml"), data);
    } catch (const Error& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_NE(refused("[[arm]]\nactivation = \"relu\"\n[[arm]]\nname = \"r\"\nactivation = \"relu\"\n").find("the same"),
            std::string::npos);
  EXPECT_NE(refused("[[arm]]\nname=\"a\"\nactivation = \"relu\"\n[[arm]]\nname=\"a\"\nactivation = \"elu\"\n")
                .find("two arms are called a"),
            std::string::npos);
  EXPECT_NE(refused("[[arm]]\nactivation = \"prelu\"\nschedule.slope = {from = 0, to = 1}\n").find("learned"),
            std::string::npos);
  EXPECT_NE(refused("[[arm]]\nactivation = \"relu\"\nper_channel = true\n").find("no learned parameter"),
            std::string::npos);
  EXPECT_NE(refused("[training]\noptimiser = \"sgdd\"\n").find("expected adam, sgd or rmsprop"), std::string::npos);
  EXPECT_NE(refused("[fairness]\nmetric = \"mae\"\n").find("--metric mae: it is for values, a series; expected error"),
            std::string::npos);
  EXPECT_NE(refused("[training]\nmomentum = 0.9\n").find("sgd's"), std::string::npos);
}

// The commented examples: each parses and resolves with its own data, where those are at hand.
TEST(ExperimentFile, ExamplesAreRight) {
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(OGEE_SOURCE_DIR "/examples")) {
    if (entry.path().extension() != ".toml") continue;
    ++seen;
    Experiment experiment = read_experiment(entry.path().string());
    if (experiment.data != "optdigits" && !std::getenv("OGEE_DATA")) continue;
    EXPECT_NO_THROW(resolve(experiment, data::load(request_of(experiment)))) << entry.path();
  }
  EXPECT_GE(seen, 4);
}

}  // namespace
}  // namespace ogee::lab
