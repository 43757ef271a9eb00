// The study of comparisons: measures with known answers, and a small run, broken off and taken up again.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "ogee/libtorch.h"
#include "claims/studies.h"
#include "claims/studies/network_measures.h"
#include "ogee/ogee.h"
#include "refusal.h"

namespace ogee::claims {
namespace {

namespace files = std::filesystem;
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

TEST(StepsTo, LiesOnStraightLinesBetweenThePoints) {
  EXPECT_EQ(steps_to({{0, 0.9}, {100, 0.5}, {200, 0.1}}, 0.3, 200), 150);
  EXPECT_EQ(steps_to({{0, 0.9}, {100, 0.5}, {200, 0.6}}, 0.5, 200), 100);
  EXPECT_EQ(steps_to({{0, unknown}, {50, 2.0}, {100, unknown}, {150, 1.0}}, 1.5, 150), 100);
  EXPECT_EQ(steps_to({{0, unknown}, {50, 1.0}}, 1.5, 150), 50) << "there at the first point";
  EXPECT_EQ(steps_to({{0, 0.9}, {100, 0.5}}, 0.3, 777), 777) << "never";
  EXPECT_EQ(steps_to({}, 0.3, 777), 777);
}

// Two inputs, one layer of three units: the weights are set by hand.
std::shared_ptr<models::Network> network(const std::string& activation, data::Dataset& data, bool per_channel = false) {
  data.shape = {2};
  data.classes = {"a", "b"};
  data.train = {torch::tensor({{1.0F, 0.0F}, {-1.0F, 0.0F}, {2.0F, 0.0F}, {-4.0F, 0.0F}}),
                torch::tensor({0, 1, 0, 1}, torch::kLong)};
  data.test = data.train;
  models::Settings settings;
  settings.depth = 1;
  settings.width = 3;
  settings.activation = activation;
  settings.per_channel = per_channel;
  auto network = models::build(settings, data, 1);
  const torch::NoGradGuard no_gradients;
  auto parameters = network->named_parameters();
  parameters["hidden1_weight"].copy_(torch::tensor({{1.0F, 0.0F}, {-1.0F, 0.0F}, {0.0F, 0.0F}}));
  parameters["hidden1_bias"].copy_(torch::tensor({0.0F, 0.0F, -10.0F}));
  return network;
}

TEST(NetworkMeasures, CountZerosAndMeansOfOutputs) {
  data::Dataset data;
  const auto relu = network("relu", data);
  // Outputs: 1 0 2 0 of the first unit, 0 1 0 4 of the second, nothing but 0 of the third.
  const Outputs outputs = outputs_of(*relu, data.train);
  EXPECT_DOUBLE_EQ(outputs.zeros, 8.0 / 12);
  EXPECT_NEAR(outputs.mean, (3.0 / 4 + 5.0 / 4 + 0) / 3, 1e-6);
  EXPECT_NEAR(outputs.layer_mean, outputs.mean, 1e-6) << "none is negative";
  EXPECT_TRUE(relu->is_training());
  EXPECT_FALSE(relu->layers[0].z.defined());
  const auto leaky = network("leaky_relu(slope=0.5)", data);
  const Outputs centred = outputs_of(*leaky, data.train);
  EXPECT_EQ(centred.zeros, 0);
  EXPECT_NEAR(centred.mean, (0.5 / 4 + 3.5 / 4 + 5) / 3, 1e-6);
  EXPECT_NEAR(centred.layer_mean, (5 - 0.5 / 4 - 3.5 / 4) / 3, 1e-6);
}

TEST(NetworkMeasures, WhatIsOffAnswersNoiseByItsSlope) {
  data::Dataset data;
  const auto response = [&](const std::string& activation) {
    const auto built = network(activation, data);
    // Far from 0, so that noise turns no unit on.
    built->named_parameters()["hidden1_bias"].data().fill_(-50);
    return noise_response(*built, *tasks::make_task(data), data.test, 0.1, 1);
  };
  EXPECT_EQ(response("relu").off_units, 0);
  EXPECT_NEAR(response("leaky_relu(slope=0.25)").off_units, 0.25, 1e-5);
  EXPECT_NEAR(response("identity").off_units, 1, 1e-5);
  EXPECT_LT(response("elu").off_units, 1e-10);
  // The same seed, the same noise; none, the error itself.
  const auto built = network("relu", data);
  const auto task = tasks::make_task(data);
  EXPECT_EQ(noise_response(*built, *task, data.test, 1, 3).error, noise_response(*built, *task, data.test, 1, 3).error);
  EXPECT_EQ(noise_response(*built, *task, data.test, 1e-9, 3).error, tasks::evaluate(*task, *built, data.test).error);
}

TEST(NetworkMeasures, TellHowLearnedParametersSpread) {
  data::Dataset data;
  const auto units = network("prelu", data, /*per_channel=*/true);
  ASSERT_EQ(units->layers[0].unit->parameter_tensors()[0].numel(), 3);
  const torch::NoGradGuard no_gradients;
  units->layers[0].unit->parameter_tensors()[0].copy_(torch::tensor({0.0F, 0.3F, 0.6F}));
  const Learned learned = learned_of(*units);
  EXPECT_NEAR(learned.mean, 0.3, 1e-6);
  EXPECT_NEAR(learned.deviation, std::sqrt(0.06), 1e-6);
  EXPECT_NEAR(learned.first, 0.3, 1e-6);
  const auto layer = network("prelu", data);
  EXPECT_EQ(layer->layers[0].unit->parameter_tensors()[0].numel(), 1);
  EXPECT_EQ(learned_of(*layer).deviation, 0);
  EXPECT_TRUE(std::isnan(learned_of(*network("relu", data)).mean));
}

constexpr const char* small = R"(
train_limits = [100, 200]
epochs_at = [4, 2]
noise = 0.5
target_error = 0.4
target_loss = 1.5
data.data = "optdigits"
model.depth = 2
model.width = 12
training.epochs = 2
training.batch = 20
training.seeds = 2
training.learning_rate = 0.01
[[arm]]
activations = ["relu", "elu"]
[[arm]]
name = "prelu by unit"
activation = "prelu"
per_channel = true
)";

// Of what does not depend on the clock.
std::string shown(const std::vector<Observation>& observations) {
  nlohmann::ordered_json json;
  for (const Observation& each : observations)
    if (each.measure.find("seconds") == std::string::npos && each.measure != "ms_per_step")
      json.push_back({each.arm, each.at, each.seed, each.measure, each.value});
  return json.dump();
}

std::string fresh_folder(const std::string& name) {
  const std::string folder = testing::TempDir() + "ogee-" + name;
  files::remove_all(folder);
  files::create_directories(folder);
  return folder;
}

TEST(Comparison, GoesOnWhereItWasStoppedToTheSameNumbers) {
  Work work{fresh_folder("comparison-whole"), 1};
  const auto study = study_of("comparison", small);
  const auto whole = study->run(work);
  const auto value = [&](const std::string& arm, double at, std::uint64_t seed, const std::string& measure) {
    for (const Observation& each : whole)
      if (each.arm == arm && each.seed == seed && each.measure == measure &&
          (each.at == at || (std::isnan(each.at) && std::isnan(at))))
        return each.value;
    ADD_FAILURE() << arm << " " << at << " " << measure;
    return unknown;
  };
  EXPECT_EQ(value("elu", unknown, 0, "slope_right"), 1);
  EXPECT_NEAR(value("elu", unknown, 0, "slope_left"), std::exp(-20), 1e-12);
  EXPECT_NEAR(value("relu", 200, 1, "zeros_start"), 0.5, 0.1);
  EXPECT_EQ(value("elu", 100, 2, "zeros"), 0);
  EXPECT_DOUBLE_EQ(value("relu", 100, 2, "loss_gap"),
                   value("relu", 100, 2, "loss") - value("relu", 100, 2, "final_train_loss"));
  EXPECT_DOUBLE_EQ(value("relu", 100, 2, "gap"), value("relu", 100, 2, "error") - value("relu", 100, 2, "train_error"));
  EXPECT_DOUBLE_EQ(value("relu", 100, 2, "noise_increase"),
                   value("relu", 100, 2, "noisy_error") - value("relu", 100, 2, "error"));
  EXPECT_GT(value("prelu by unit", 200, 1, "learned_deviation"), 0);
  EXPECT_EQ(value("prelu by unit", 200, 1, "parameters"), value("relu", 200, 1, "parameters") + 2 * 12);
  EXPECT_LE(value("relu", 200, 1, "steps_to_error"), 20);
  const auto known = study->measures();
  for (const Observation& each : whole) EXPECT_TRUE(known.contains(each.measure)) << each.measure;
  EXPECT_EQ(study->notes().size(), 2u);

  std::atomic<bool> stop = false;
  Work broken{fresh_folder("comparison-broken"), 1};
  broken.stop = &stop;
  broken.progress = [&](std::size_t done, std::size_t of, const std::string&) {
    EXPECT_LE(done, of);
    if (done >= 2) stop = true;
  };
  std::vector<Observation> part;
  int times = 0;
  do {
    stop = false;
    if (++times > 1) broken.progress = nullptr;
    part = study_of("comparison", small)->run(broken);
  } while (part.size() < whole.size() && times < 20);
  EXPECT_GT(times, 1);
  EXPECT_EQ(shown(part), shown(whole));
}

TEST(Comparison, ADivergedRunCountsAsAConstantAnswer) {
  const auto study = study_of("comparison", R"(
noise = 0.5
target_error = 0.2
target_loss = 0.5
data.train_limit = 100
model.depth = 8
model.width = 12
training.epochs = 4
training.batch = 20
training.seeds = 1
training.learning_rate = 100.0
[[arm]]
activation = "squared_relu"
)");
  const Work work{fresh_folder("comparison-diverged"), 1};
  std::map<std::string, double> measures;
  for (const Observation& each : study->run(work)) measures[each.measure] = each.value;
  const double constant = measures.at("error");
  EXPECT_NEAR(constant, 0.9, 0.01);
  EXPECT_EQ(measures.at("train_error"), constant);
  EXPECT_EQ(measures.at("noisy_error"), constant);
  EXPECT_EQ(measures.at("gap"), 0);
  EXPECT_EQ(measures.at("steps_to_error"), 20);
  EXPECT_EQ(measures.at("steps_to_loss"), 20);
  EXPECT_FALSE(measures.contains("loss"));
  ASSERT_EQ(study->notes().size(), 1u);
  EXPECT_NE(study->notes()[0].find("runs that diverged: 1"), std::string::npos) << study->notes()[0];
}

// Of the same name, with the same settings: stored results of other data are not taken for these.
TEST(Settings, TellDataByWhatIsInThem) {
  const std::string path = fresh_folder("settings") + "/data.csv";
  const auto write = [&](int rows) {
    std::ofstream file(path);
    file << "x,y,kind\n";
    for (int i = 0; i < rows; ++i) file << i << ',' << i % 7 << ',' << (i % 2 ? "odd" : "even") << '\n';
  };
  const std::string arms = "[[arm]]\nactivation = 'relu'\n";
  for (const auto& [study, settings] :
       {std::pair("training", "data = '" + path + "'\n"), std::pair("depth", "data = '" + path + "'\n"),
        std::pair("comparison", "data.data = '" + path + "'\n" + arms)}) {
    files::remove(path);
    EXPECT_NE(study_of(study, settings)->settings().dump().find(R"("fingerprint":"")"), std::string::npos) << study;
    write(60);
    const std::string one = study_of(study, settings)->settings().dump();
    EXPECT_EQ(study_of(study, settings)->settings().dump(), one);
    write(61);
    EXPECT_NE(study_of(study, settings)->settings().dump(), one) << study;
  }
}

TEST(Comparison, BadSettingsAreNamed) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string text = small;
    return study_of("comparison", text.replace(text.find(from), from.size(), to));
  };
  refused([&] { with("epochs_at = [4, 2]", "epochs_at = [4]"); }, "1 numbers; expected one for each of the 2");
  refused([&] { with("train_limits = [100, 200]", "train_limits = [100, 100]"); }, "stands there twice");
  refused([&] { with("noise = 0.5", "noise = -1"); }, "test.toml:4:9: noise is -1");
  refused([&] { with("data.data = \"optdigits\"", "data.train_limit = 7"); }, "train_limit of their own");
  refused([&] { with("activation = \"prelu\"", "activation = \"prelu\"\nwit = 3"); }, "unknown key 'wit'");
  refused([&] { study_of("comparison", "noise = 1.0"); }, "nothing to compare");
  EXPECT_EQ(study_of("comparison", small)->missing(), "");
  EXPECT_EQ(with("\"optdigits\"", "\"no/such/data\"")->missing(), "needs no/such/data under $OGEE_DATA");
}

}  // namespace
}  // namespace ogee::claims
