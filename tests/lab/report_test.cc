// From runs to results and pages, without training: what the advice says, and how large things get.
#include "lab/report.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "lab/arm.h"
#include "lab/summary.h"

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;
using testing::Not;

DataFacts facts() {
  DataFacts data;
  data.name = "made up";
  data.train = 1000;
  data.validation = data.test = 500;
  data.baseline = 0.9;
  return data;
}

StoredRun run(const std::string& arm, std::uint64_t seed, double error) {
  StoredRun stored;
  stored.key = {arm, Stage::result, seed, 1e-3, 1};
  RunResult& result = stored.result;
  result.parameters = 500;
  result.test_error = result.validation_error = error;
  result.test_loss = result.validation_loss = 0.3;
  result.ms_per_step = 1;
  result.memory = 2;
  result.dead = result.saturated = 0;
  for (std::int64_t epoch = 0; epoch <= 2; ++epoch)
    result.points.push_back({epoch, 0.2, error, 0.3, {0.1, 0.2, 0.3}, {}});
  return stored;
}

// Errors around these means, wavering by seed.
std::vector<StoredRun> runs(const std::vector<std::pair<std::string, double>>& arms, std::uint64_t seeds) {
  std::vector<StoredRun> all;
  for (std::size_t i = 0; i < arms.size(); ++i)
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      const double wave = 0.002 * (static_cast<double>((seed * 7 + i * 3) % 5) - 2);
      all.push_back(run(arms[i].first, seed, arms[i].second + wave));
    }
  return all;
}

Json results_of(const std::vector<StoredRun>& stored, std::int64_t seeds, bool stop_early = false,
                const DataFacts& data = facts()) {
  Experiment experiment;
  experiment.seeds = seeds;
  experiment.learning_rate = 1e-3;
  experiment.stop_early = stop_early;
  experiment.depth = experiment.width = 3;
  experiment.epochs = experiment.batch = 1;
  experiment.activations.clear();
  for (const StoredRun& each : stored)
    if (experiment.activations.empty() || experiment.activations.back() != each.key.arm)
      experiment.activations.push_back(each.key.arm);
  settle(experiment, 1, true, 500);
  return summarise(experiment, data, {}, stored);
}

std::string rule(const Json& results, const std::string& name) {
  for (const Json& each : results["recommendation"]["rules"])
    if (each["rule"].get<std::string>().find(name) != std::string::npos) return each["text"];
  return "";
}

TEST(Advice, SimpleFirstWhereNothingIsSeen) {
  const Json results = results_of(runs({{"gelu", 0.050}, {"relu", 0.051}, {"tanh", 0.052}}, 10), 10);
  EXPECT_EQ(results["recommendation"]["lowest"], "gelu");
  EXPECT_EQ(results["recommendation"]["arm"], "relu");
  EXPECT_THAT(results["arms"][1]["against_best"]["words"].get<std::string>(),
              HasSubstr("no difference seen (smaller than 0."));
  EXPECT_THAT(results["recommendation"]["text"].get<std::string>(), HasSubstr("with 95 % confidence"));
  EXPECT_THAT(rule(results, "simple first"), HasSubstr("relu may well be enough"));
}

TEST(Advice, EvidenceBeatsSimplicity) {
  const Json results = results_of(runs({{"elu", 0.03}, {"relu", 0.06}}, 10), 10);
  EXPECT_EQ(results["recommendation"]["arm"], "elu");
  EXPECT_EQ(results["arms"][1]["verdict"], "worse");
  EXPECT_GT(results["arms"][0]["probability_best"].get<double>(), 0.99);
  EXPECT_THAT(rule(results, "simple first"), HasSubstr("relu is not enough"));
  EXPECT_THAT(rule(results, "exponentials"), HasSubstr("3.00 points"));
  EXPECT_EQ(rule(results, "gated"), "") << "there is no gated arm";
}

TEST(Advice, WhatLosesItsUnitsGivesWayToWhatDoesNot) {
  auto stored = runs({{"relu", 0.050}, {"leaky_relu", 0.050}, {"tanh", 0.0495}}, 10);
  EXPECT_EQ(results_of(stored, 10)["recommendation"]["arm"], "relu");
  monitor::Finding finding;
  finding.rule = "dying";
  for (StoredRun& each : stored)
    if (each.key.arm == "relu") each.result.findings.push_back(finding);
  const Json results = results_of(stored, 10);
  EXPECT_EQ(results["recommendation"]["arm"], "leaky_relu");
  EXPECT_THAT(rule(results, "when units die"), HasSubstr("units dying in 10 of 10 runs"));
}

TEST(Advice, ThreeSeedsCannotTellMuch) {
  const Json results = results_of(runs({{"elu", 0.030}, {"relu", 0.034}}, 3), 3);
  EXPECT_NE(results["arms"][1]["verdict"], "worse");
  EXPECT_THAT(results["recommendation"]["text"].get<std::string>(),
              HasSubstr("3 seeds cannot show more than p = 0.25"));
}

TEST(Advice, AnArmThatWasStoppedIsNamedSo) {
  auto stored = runs({{"relu", 0.05}, {"elu", 0.05}, {"sigmoid", 0.7}}, 8);
  std::erase_if(stored, [](const StoredRun& each) { return each.key.arm == "sigmoid" && each.key.seed > 3; });
  const Json results = results_of(stored, 8, true);
  const Json& sigmoid = results["arms"][2];
  EXPECT_EQ(sigmoid["stopped_after_seeds"], 3);
  EXPECT_EQ(sigmoid["verdict"], "stopped: cannot win");
  EXPECT_TRUE(sigmoid["probability_best"].is_null());
  EXPECT_THAT(results["recommendation"]["text"].get<std::string>(), HasSubstr("stopped early"));
  // Its interval allows for every look, and so is wider than one with three seeds alone would be.
  const Interval plain = t_interval(std::vector<double>{0.696, 0.704, 0.702});
  EXPECT_GT(sigmoid["test_error"]["high"].get<double>() - sigmoid["test_error"]["low"].get<double>(),
            1.5 * (plain.high - plain.low));
  EXPECT_FALSE(results["arms"][0].contains("stopped_after_seeds"));
}

TEST(Report, AdviceNamesTheMetric) {
  DataFacts data = facts();
  data.metric = "RMSE";
  const Json results = results_of(runs({{"relu", 0.05}, {"elu", 0.06}, {"sigmoid", 0.9}}, 5), 5, false, data);
  const std::string advice = results["recommendation"].dump();
  EXPECT_THAT(advice, HasSubstr("sigmoid hardly learned (RMSE 0."));
  EXPECT_THAT(advice, HasSubstr("relu has the lowest RMSE"));
  EXPECT_THAT(advice, HasSubstr("elu's RMSE is"));
  EXPECT_THAT(advice, Not(HasSubstr("error")));
}

// What follows a schedule stands in results.json: at every epoch of a run as it was, and over the seeds of an arm as a
// mean with its interval. Other arms have none of it.
TEST(Report, AttributesThatFollowASchedule) {
  std::vector<StoredRun> stored = runs({{"relu", 0.05}, {"nan(base=tanh)", 0.06}}, 3);
  for (StoredRun& each : stored)
    if (each.key.arm != "relu")
      for (Point& point : each.result.points)
        point.scheduled["c"] = (1 + 0.25 * static_cast<double>(each.key.seed)) / static_cast<double>(point.epoch + 1);
  const Json results = results_of(stored, 3);
  ASSERT_EQ(results["arms"].size(), 2u);
  for (const Json& arm : results["arms"]) {
    const bool follows = arm["activation"] == "nan(base=tanh)";
    ASSERT_EQ(arm["runs"].size(), 3u);
    for (const Json& its : arm["runs"])
      for (const Json& point : its["points"]) {
        EXPECT_EQ(point.contains("scheduled"), follows) << point;
        if (!follows) continue;
        const double seed = its["seed"], epoch = point["epoch"];
        EXPECT_EQ(point["scheduled"], (Json{{"c", (1 + 0.25 * seed) / (epoch + 1)}}));
      }
    ASSERT_EQ(arm["curve"].size(), 3u);
    for (const Json& point : arm["curve"]) {
      EXPECT_EQ(point.contains("scheduled"), follows) << point;
      if (!follows) continue;
      // Values 1.25, 1.5 and 1.75: their mean, and Student's t of two degrees of freedom times 0.25/sqrt(3).
      const Json& c = point["scheduled"]["c"];
      const double share = 1 / (point["epoch"].get<double>() + 1);
      EXPECT_NEAR(c["mean"].get<double>(), 1.5 * share, 1e-12);
      EXPECT_NEAR(c["high"].get<double>(), (1.5 + 4.302652729911275 * 0.25 / std::sqrt(3.0)) * share, 1e-6);
      EXPECT_NEAR(c["low"].get<double>(), (1.5 - 4.302652729911275 * 0.25 / std::sqrt(3.0)) * share, 1e-6);
    }
  }
  // The page has all that its charts are drawn from.
  EXPECT_THAT(html_report(results), HasSubstr("\"scheduled\":{\"c\":{"));
}

TEST(Report, TwoHundredArmsOfTwentySeeds) {
  std::vector<std::pair<std::string, double>> arms;
  for (int i = 0; i < 200; ++i) arms.emplace_back(fmt::format("leaky_relu(slope={})", 0.001 * i), 0.05 + 0.0001 * i);
  std::vector<StoredRun> stored = runs(arms, 20);
  for (StoredRun& each : stored) {
    each.result.points.assign(31, {0, 0.2, 0.05, 0.3, std::vector<double>(12, 0.123456789), {}});
    for (std::size_t epoch = 0; epoch < 31; ++epoch) {
      Point& point = each.result.points[epoch];
      point.epoch = static_cast<std::int64_t>(epoch);
      if (each.key.seed == 1) point.histograms.assign(12, std::vector<double>(histogram_bins, 0.021));
    }
  }
  const auto start = std::chrono::steady_clock::now();
  const Json results = results_of(stored, 20);
  const std::string page = html_report(results);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_LT(seconds, 60);
  EXPECT_LT(page.size(), 8'000'000u);
  EXPECT_EQ(results["arms"].size(), 200u);
  RecordProperty("seconds", std::to_string(seconds));
  RecordProperty("bytes", std::to_string(page.size()));
  std::istringstream text(text_report(results));
  for (std::string line; std::getline(text, line);) EXPECT_LE(line.size(), 120u) << line;
}

TEST(Report, NamesCannotBreakOutOfThePage) {
  Json results = results_of(runs({{"relu", 0.05}, {"elu", 0.06}}, 3), 3);
  results["data"]["name"] = "</script><script>alert(1)</script>";
  EXPECT_THAT(html_report(results), Not(HasSubstr("<script>alert(1)")));
}

}  // namespace
}  // namespace ogee::lab
