// Whole comparisons, shrunk: resuming, determinism, verdicts.
#include "lab/laboratory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "lab/report.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;

class Compare : public testing::Test {
 protected:
  Compare() {
    root_ = std::filesystem::temp_directory_path() /
            (std::string("ogee_compare_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  ~Compare() override { std::filesystem::remove_all(root_); }

  // Small, but with every stage.
  static Experiment tiny() {
    Experiment experiment;
    experiment.depth = 3;
    experiment.width = 16;
    experiment.activations = {"relu", "nah(base=tanh)", "swiglu"};
    experiment.epochs = 2;
    experiment.train_limit = 200;
    experiment.batch = 32;
    experiment.seeds = 2;
    return experiment;
  }
  Options options(const std::string& name, int workers = 1) const {
    Options result;
    result.out = (root_ / name).string();
    result.workers = workers;
    return result;
  }
  Json stored(const std::string& name) const { return Json::parse(read(name, "results.json")); }
  std::string read(const std::string& name, const std::string& file) const {
    std::ifstream stream(root_ / name / file);
    std::stringstream text;
    text << stream.rdbuf();
    return text.str();
  }

  std::filesystem::path root_;
};

// Without what the clock decides.
Json timeless(Json json) {
  if (json.is_object()) {
    for (const char* key : {"ms_per_step", "seconds", "text", "environment"})
      if (json.contains(key)) json.erase(key);
    for (auto& [key, value] : json.items()) value = timeless(value);
  } else if (json.is_array()) {
    for (auto& value : json) value = timeless(value);
  }
  return json;
}

TEST_F(Compare, WorkersDoNotChangeResults) {
  const Outcome one = compare(tiny(), options("one", 1)), two = compare(tiny(), options("two", 2));
  EXPECT_EQ(one.ending, Ending::complete);
  EXPECT_EQ(timeless(one.results), timeless(two.results));
  EXPECT_EQ(timeless(stored("one")), timeless(one.results));
  EXPECT_FALSE(std::filesystem::exists(root_ / "one" / "results.json.tmp"));
}

TEST_F(Compare, AStoppedComparisonGoesOn) {
  const Outcome whole = compare(tiny(), options("whole"));
  std::atomic<bool> stop = false;
  Options cut = options("cut");
  cut.stop = &stop;
  cut.progress = [&](const Progress& progress) { stop = progress.runs_done >= 10; };
  const Outcome first = compare(tiny(), cut);
  if (first.ending == Ending::complete) GTEST_SKIP() << "too fast here to be stopped midway";
  EXPECT_EQ(first.ending, Ending::stopped);
  const int before = first.results["runs_done"].get<int>();
  EXPECT_LT(before, first.results["runs_wanted"].get<int>());
  EXPECT_FALSE(read("cut", "report.html").empty());

  // Nothing that was finished runs again: what is left takes as many steps as the counter shows.
  Options again = options("cut");
  std::int64_t left = 0;
  again.progress = [&](const Progress& progress) { left = std::max(left, progress.runs - progress.runs_done); };
  const Outcome second = compare(tiny(), again);
  EXPECT_EQ(second.ending, Ending::complete);
  EXPECT_LE(left, second.results["runs_wanted"].get<int>() - before);
  EXPECT_EQ(timeless(second.results), timeless(whole.results));
}

TEST_F(Compare, AStopBeforeTheFirstRunLeavesAReport) {
  std::atomic<bool> stop = true;
  Options halted = options("halted");
  halted.stop = &stop;
  const Outcome outcome = compare(tiny(), halted);
  EXPECT_EQ(outcome.ending, Ending::stopped);
  EXPECT_EQ(outcome.results["runs_done"], 0);
  EXPECT_FALSE(read("halted", "report.html").empty());
  EXPECT_FALSE(text_report(outcome.results).empty());
}

TEST_F(Compare, AFolderHoldsOneExperiment) {
  Experiment experiment = tiny();
  experiment.learning_rate = 1e-3;
  experiment.activations = {"relu"};
  experiment.seeds = 1;
  compare(experiment, options("held"));
  experiment.epochs = 3;
  try {
    compare(experiment, options("held"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("epochs is 2 there, 3 here"), std::string::npos) << error.what();
  }
}

TEST_F(Compare, ADivergingArmIsReportedAndTheRestGoesOn) {
  Experiment experiment = tiny();
  experiment.activations = {"relu", "squared_relu", "tanh"};
  experiment.learning_rate = 3e-3;
  experiment.depth = 24;
  experiment.epochs = 15;  // enough for the others to learn something
  experiment.train_limit = 600;
  const Outcome outcome = compare(experiment, options("diverging", 2));
  EXPECT_EQ(outcome.ending, Ending::complete);
  const Json& bad = outcome.results["arms"][1];
  EXPECT_EQ(bad["verdict"], "diverged");
  EXPECT_GT(bad["seeds_diverged"].get<int>(), 0);
  EXPECT_TRUE(outcome.results["arms"][0]["test_error"]["mean"].is_number());
  EXPECT_NE(outcome.results["recommendation"]["arm"], "squared_relu");
}

TEST_F(Compare, SigmoidVanishesInDeepStacksAndIsNotRecommended) {
  Experiment experiment;
  experiment.activations = {"sigmoid", "relu"};
  experiment.train_limit = 500;
  experiment.epochs = 20;
  experiment.learning_rate = 1e-3;
  experiment.seeds = 2;
  const Outcome outcome = compare(experiment, options("deep", 2));
  const Json& sigmoid = outcome.results["arms"][0];
  EXPECT_LT(sigmoid["gradient_ratio"]["start"].get<double>(), 1e-3);
  EXPECT_GT(outcome.results["arms"][1]["gradient_ratio"]["start"].get<double>(), 1e-2);
  EXPECT_EQ(outcome.results["recommendation"]["arm"], "relu");
  EXPECT_NE(outcome.results["recommendation"]["text"].get<std::string>().find("sigmoid"), std::string::npos);
}

TEST_F(Compare, GatedArmsHaveAsManyParameters) {
  for (const char* model : {"mlp", "convnet"}) {
    for (const std::int64_t depth : {1, 2, 5}) {
      Experiment experiment = tiny();
      experiment.model = model;
      experiment.depth = depth;
      experiment.width = 48;
      experiment.epochs = 1;
      experiment.seeds = 1;
      experiment.learning_rate = 1e-3;
      const Outcome outcome = compare(experiment, options(model + std::to_string(depth)));
      const double plain = outcome.results["arms"][0]["parameters"].get<double>();
      const double gated = outcome.results["arms"][2]["parameters"].get<double>();
      EXPECT_NEAR(gated / plain, 1, 0.02) << model << " of depth " << depth;
    }
  }
}

TEST_F(Compare, ARegressionFromCsv) {
  const std::string path = (root_ / "line.csv").string();
  {
    std::ofstream file(path);
    file << "a,b,y\n";
    for (int i = 0; i < 400; ++i) {
      const double a = std::sin(12.9898 * i), b = std::cos(78.233 * i);
      file << a << "," << b << "," << 10 * a - 5 * b + 100 << "\n";
    }
  }
  Experiment experiment;
  experiment.data = path;
  experiment.depth = 2;
  experiment.width = 16;
  experiment.activations = {"relu", "tanh"};
  experiment.epochs = 40;
  experiment.batch = 16;
  experiment.seeds = 2;
  const Outcome outcome = compare(experiment, options("regression", 2));
  EXPECT_EQ(outcome.results["metric"], "RMSE");
  EXPECT_LT(outcome.results["arms"][0]["test_error"]["mean"].get<double>(), 1.5);
  EXPECT_GT(outcome.results["data"]["baseline"].get<double>(), 5);
}

// The metric is part of what a comparison is, and of every text that names it.
TEST_F(Compare, JudgesByAnotherMetric) {
  Experiment experiment = tiny();
  experiment.learning_rate = 1e-3;
  experiment.metric = "error";  // the usual one, by name
  const Outcome usual = compare(experiment, options("usual"));
  EXPECT_EQ(usual.results["metric"], "error");
  EXPECT_FALSE(usual.results["experiment"].contains("metric"));
  experiment.metric = "balanced_error";
  const Outcome balanced = compare(experiment, options("balanced"));
  EXPECT_EQ(balanced.results["metric"], "balanced error");
  EXPECT_EQ(balanced.results["share"], true);
  EXPECT_EQ(balanced.results["experiment"]["metric"], "balanced_error");
  EXPECT_NEAR(balanced.results["data"]["baseline"].get<double>(), 0.9, 1e-12);  // one of ten classes
  EXPECT_NE(text_report(balanced.results).find("balanced error %"), std::string::npos);
  experiment.metric = "loss";
  const Outcome loss = compare(experiment, options("loss"));
  EXPECT_EQ(loss.results["share"], false);
  const auto& run = loss.results["arms"][0]["runs"][0];
  EXPECT_EQ(run["test_error"], run["test_loss"]);
  // What was judged differently is not mixed.
  EXPECT_THROW(compare(experiment, options("balanced")), Error);
  EXPECT_NE(read("balanced", "experiment.toml").find("metric = 'balanced_error'"), std::string::npos);
}

TEST_F(Compare, TheReportIsOneFileWithoutLinks) {
  Experiment experiment = tiny();
  experiment.learning_rate = 1e-3;
  const Outcome outcome = compare(experiment, options("page"));
  const std::string page = read("page", "report.html");
  EXPECT_GT(page.size(), 300000u);  // Vega is inside
  EXPECT_EQ(page.find("{{"), page.rfind("{{", page.find("ogeeModules")));
  EXPECT_EQ(page.find("<script src"), std::string::npos);
  EXPECT_EQ(page.find("<link rel=\"stylesheet"), std::string::npos);
  std::istringstream text(text_report(outcome.results));
  for (std::string line; std::getline(text, line);) EXPECT_LE(line.size(), 120u) << line;
}

TEST(Experiment, CommasInsideParenthesesBelongToAttributes) {
  EXPECT_EQ(split_activations("relu, nah(base=tanh, c=0.3),swiglu"),
            (std::vector<std::string>{"relu", "nah(base=tanh, c=0.3)", "swiglu"}));
  EXPECT_THROW(split_activations("relu,,gelu"), Error);
  EXPECT_THROW(split_activations(""), Error);
}

TEST_F(Compare, BadSettingsAreErrors) {
  const auto error_of = [&](auto change) -> std::string {
    Experiment experiment = tiny();
    change(experiment);
    try {
      compare(experiment, options("bad"));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(error_of([](Experiment& e) { e.activations = {"relux"}; }), "");
  EXPECT_NE(error_of([](Experiment& e) { e.activations = {"relu", "relu"}; }), "");
  EXPECT_NE(error_of([](Experiment& e) { e.model = "perceptron"; }), "");
  EXPECT_NE(error_of([](Experiment& e) { e.device = "tpu"; }), "");
  EXPECT_NE(error_of([](Experiment& e) { e.seeds = 0; }), "");
  EXPECT_NE(error_of([](Experiment& e) { e.learning_rate = -1; }), "");
}

}  // namespace
}  // namespace ogee::lab
