// Each rule on a record made by hand: it finds what was put there, names the layer, and says nothing of a healthy
// network.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "monitor/measures.h"
#include "ogee/monitor_record.h"

namespace ogee::monitor {
namespace {

constexpr int windows = 20;
constexpr std::size_t depth = 6;

FunctionFacts relu() {
  FunctionFacts f;
  f.text = "relu";
  f.left = Saturation::hard;
  f.left_bound = 0;
  f.gain = std::sqrt(2.0);
  f.mean = 0.4;
  f.least_output = 0;
  f.zero_centred = false;
  return f;
}

FunctionFacts tanh_facts() {
  FunctionFacts f;
  f.text = "tanh";
  f.left = f.right = Saturation::soft;
  f.left_bound = -2.18;
  f.right_bound = 2.18;
  f.gain = 1.59;
  f.least_output = -1;
  return f;
}

Snapshot usual(std::int64_t step) {
  Snapshot s;
  s.step = step;
  s.z_mean = 0.1;
  s.z_deviation = 1;
  s.z_skew = 0.1;
  s.z_kurtosis = 0.3;
  s.y_mean = 0.4;
  s.y_deviation = 0.6;
  s.y_zero = 0.5;
  s.left = 0.5;
  s.right = 0;
  s.left_units = s.right_units = s.stuck_units = s.silent_units = 0.02;
  s.y_gradient = 1e-3;
  s.z_gradient = 7e-4;
  s.weight = 0.25;
  s.weight_gradient = 1e-2;
  s.update_ratio = 3e-3;
  s.reversal = -0.5;
  s.one_sign = 0.4;
  s.one_sign_chance = 0.2;
  s.rank = 0.2;
  s.correlation = 0.3;
  s.drift = 0.02;
  s.spread_drift = 0.02;
  s.unit_offset = 1.2;
  s.unit_drift = 0.1;
  return s;
}

// Six layers of relu that learn.
Record healthy() {
  Record record;
  record.steps = 5 * windows;
  record.observed_steps = 2 * windows;
  record.optimiser = "Adam";
  record.learning_rate = 1e-3;
  for (std::size_t i = 0; i < depth; ++i) {
    Layer layer;
    layer.name = "hidden" + std::to_string(i + 1);
    layer.op = "aten::relu";
    layer.weight = layer.name + ".weight";
    layer.function = relu();
    layer.order = static_cast<std::int64_t>(i);
    layer.units = 32;
    layer.fan_in = 32;
    layer.windows = windows;
    layer.steps_as_seen = record.steps;
    for (int w = 0; w < windows; ++w) layer.history.push_back(usual(1 + 5 * w));
    layer.first = layer.history.front();
    for (std::int64_t u = 0; u < layer.units; ++u)
      layer.unit.push_back({u, 4000, 2000, 0, 2000, 1000, 500, 1e-2, 1e-2});
    record.layers.push_back(layer);
  }
  for (int w = 0; w < windows; ++w) record.losses.push_back({1 + 5 * w, 2.3 * std::exp(-0.15 * w)});
  return record;
}

void does_not_learn(Record& record) {
  for (Loss& loss : record.losses) loss.value = 2.3;
}

template <class Change>
void in_all_windows(Layer& layer, Change change) {
  for (Snapshot& snapshot : layer.history) change(snapshot);
  change(layer.first);
}

template <class Change>
void everywhere(Record& record, Change change) {
  for (Layer& layer : record.layers)
    in_all_windows(layer, [&](Snapshot& s) { change(s, static_cast<double>(layer.order)); });
}

const Finding* find(const std::vector<Finding>& findings, const std::string& rule) {
  const auto found = std::find_if(findings.begin(), findings.end(), [&](const Finding& f) { return f.rule == rule; });
  return found == findings.end() ? nullptr : &*found;
}

std::string rules_of(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) text += finding.rule + " ";
  return text;
}

// The finding of this rule, complete; `layer` where there is to be one.
void expect(const Record& record, const std::string& rule, const std::string& layer = "",
            Severity least = Severity::warning) {
  const auto findings = judge(record);
  const Finding* finding = find(findings, rule);
  ASSERT_NE(finding, nullptr) << rule << " is not among: " << rules_of(findings);
  EXPECT_EQ(finding->layer, layer);
  EXPECT_GE(finding->severity, least);
  EXPECT_GT(finding->sure, 0);
  EXPECT_LE(finding->sure, 1);
  EXPECT_GE(finding->since, 0);
  EXPECT_LE(finding->since, record.steps);
  for (const std::string& text : {finding->evidence, finding->why, finding->advice})
    EXPECT_GT(text.size(), 20u) << rule;
  EXPECT_EQ(finding->explained, "docs/monitor.md#" + rule);
  EXPECT_LE(findings.size(), 4u) << rules_of(findings);
  EXPECT_EQ(finding->evidence.find("nan"), std::string::npos) << finding->evidence;
}

TEST(MonitorRules, HealthyNetworksGetSilence) {
  EXPECT_EQ(rules_of(judge(healthy())), "");
  EXPECT_EQ(rules_of(judge(Record{})), "");
  Record converged = healthy();  // tiny gradients and updates at the end
  for (Layer& layer : converged.layers)
    for (std::size_t w = 10; w < layer.history.size(); ++w)
      layer.history[w].z_gradient = layer.history[w].y_gradient = 1e-9, layer.history[w].update_ratio = 1e-7;
  EXPECT_EQ(rules_of(judge(converged)), "");
}

TEST(MonitorRules, VanishingGradient) {
  Record record = healthy();
  does_not_learn(record);
  everywhere(record, [](Snapshot& s, double order) { s.y_gradient = s.z_gradient = 1e-3 * std::pow(10, order - 5); });
  expect(record, "vanishing_gradient");
  EXPECT_NE(find(judge(record), "vanishing_gradient")->evidence.find("factor of 10 a layer"), std::string::npos);
  // Adam makes up for it: the updates are the same everywhere, and the loss falls.
  Record adam = healthy();
  everywhere(adam, [](Snapshot& s, double order) { s.y_gradient = s.z_gradient = 1e-3 * std::pow(10, order - 5); });
  EXPECT_EQ(rules_of(judge(adam)), "");
}

TEST(MonitorRules, ExplodingGradient) {
  Record record = healthy();
  does_not_learn(record);
  everywhere(record, [](Snapshot& s, double order) { s.y_gradient = s.z_gradient = std::pow(10, 5 - order); });
  expect(record, "exploding_gradient");
}

TEST(MonitorRules, Saturated) {
  Record record = healthy();
  for (Layer& layer : record.layers) {
    layer.function = tanh_facts();
    in_all_windows(layer, [](Snapshot& s) { s.left = s.right = 0.02, s.y_zero = 0, s.y_mean = 0; });
  }
  EXPECT_EQ(rules_of(judge(record)), "");
  Record left = record;
  in_all_windows(left.layers[2], [](Snapshot& s) { s.left = 0.95, s.z_mean = -5; });
  expect(left, "saturated", "hidden3", Severity::error);
  EXPECT_NE(find(judge(left), "saturated")->evidence.find("left (soft)"), std::string::npos);
  Record both = record;
  everywhere(both, [](Snapshot& s, double) { s.left = s.right = 0.45; });
  expect(both, "saturated");
  EXPECT_NE(find(judge(both), "saturated")->evidence.find("both sides"), std::string::npos);
}

TEST(MonitorRules, DeadUnitsApartFromQuietOnes) {
  Record record = healthy();
  for (std::size_t u = 0; u < 16; ++u) {
    Unit& unit = record.layers[3].unit[u];
    unit.left = unit.zero_slope = unit.seen;
    unit.gradient = unit.recent_gradient = 0;
  }
  in_all_windows(record.layers[3], [](Snapshot& s) { s.silent_units = 0.5; });
  expect(record, "dead_units", "hidden4");
  // Quiet: active once in a thousand times.
  for (Unit& unit : record.layers[3].unit)
    unit.zero_slope = std::min(unit.zero_slope, unit.seen - 4), unit.gradient = 1e-3;
  EXPECT_EQ(rules_of(judge(record)), "");
  // Too little seen to tell.
  for (Unit& unit : record.layers[3].unit) unit.seen = unit.zero_slope = 50, unit.gradient = 0;
  EXPECT_EQ(find(judge(record), "dead_units"), nullptr);
}

TEST(MonitorRules, Dying) {
  Record record = healthy();
  Layer& layer = record.layers[1];
  for (std::size_t w = 0; w < layer.history.size(); ++w) layer.history[w].silent_units = 0.04 * static_cast<double>(w);
  expect(record, "dying", "hidden2");
  EXPECT_GT(find(judge(record), "dying")->since, 1);
}

TEST(MonitorRules, OffZeroAndOneSigned) {
  Record record = healthy();
  in_all_windows(record.layers[0], [](Snapshot& s) { s.unit_offset = 30, s.y_mean = 18; });
  expect(record, "not_zero_centred", "hidden1", Severity::error);
  Record signs = healthy();
  does_not_learn(signs);
  in_all_windows(signs.layers[4], [](Snapshot& s) { s.one_sign = 0.99; });
  expect(signs, "one_signed_gradients", "hidden5");
  // Both: the second follows from the first.
  in_all_windows(signs.layers[3], [](Snapshot& s) { s.unit_offset = 30; });
  EXPECT_NE(find(judge(signs), "not_zero_centred"), nullptr);
  EXPECT_EQ(find(judge(signs), "one_signed_gradients"), nullptr);
}

TEST(MonitorRules, Distributions) {
  Record drift = healthy();
  in_all_windows(drift.layers[2], [](Snapshot& s) { s.unit_drift = 1.5 + 0.001 * static_cast<double>(s.step); });
  expect(drift, "covariate_drift", "hidden3", Severity::error);
  // One look that the windows behind it repeat is no drift that goes on.
  Record once = healthy();
  in_all_windows(once.layers[2], [](Snapshot& s) { s.unit_drift = 1.5; });
  EXPECT_EQ(rules_of(judge(once)), "");
  Record tails = healthy();
  in_all_windows(tails.layers[2], [](Snapshot& s) { s.z_kurtosis = 90; });
  expect(tails, "non_normal", "hidden3");
  Record rank = healthy();
  in_all_windows(rank.layers[2], [](Snapshot& s) { s.rank = 0.033, s.correlation = 0.97; });
  expect(rank, "collapsed_rank", "hidden3");
}

TEST(MonitorRules, Sparsity) {
  Record record = healthy();
  in_all_windows(record.layers[2], [](Snapshot& s) { s.y_zero = 0.98; });
  expect(record, "too_sparse", "hidden3");
  Record useful = healthy();
  useful.layers[2].units = 1024;
  in_all_windows(useful.layers[2], [](Snapshot& s) { s.y_zero = 0.9; });
  expect(useful, "useful_sparsity", "hidden3", Severity::note);
  EXPECT_EQ(find(judge(useful), "useful_sparsity")->severity, Severity::note);
  EXPECT_NE(find(judge(useful), "useful_sparsity")->evidence.find("10.0 times"), std::string::npos);
}

TEST(MonitorRules, NoiseAndLearnedShapes) {
  Record noise = healthy();
  noise.layers[2].function.noisy = true;
  in_all_windows(noise.layers[2], [](Snapshot& s) { s.noise = 3; });
  expect(noise, "noise_drowns_signal", "hidden3", Severity::error);
  Record slopes = healthy();
  Layer& layer = slopes.layers[2];
  layer.function.text = "prelu";
  for (std::size_t w = 0; w < layer.history.size(); ++w) {
    Snapshot& s = layer.history[w];
    const double way = 0.4 * static_cast<double>(w);
    s.parameters = {0.25}, s.parameters_low = {0.25 - way}, s.parameters_high = {0.25 + way};
  }
  layer.first = layer.history.front();
  expect(slopes, "learned_slopes_overfitting", "hidden3");
}

TEST(MonitorRules, PoorInitialisation) {
  Record record = healthy();
  does_not_learn(record);
  everywhere(record, [](Snapshot& s, double order) {
    s.weight = 0.025;
    s.z_deviation = std::pow(0.1, order);
  });
  expect(record, "poor_initialisation");
  EXPECT_NE(find(judge(record), "poor_initialisation")->advice.find("1.41/sqrt(fan_in)"), std::string::npos);
  // Under normalisation the scale of the weights does not matter.
  record.normalised = true;
  EXPECT_EQ(find(judge(record), "poor_initialisation"), nullptr);
}

TEST(MonitorRules, SizesOfUpdates) {
  Record small = healthy();
  does_not_learn(small);
  everywhere(small, [](Snapshot& s, double) { s.update_ratio = 1e-7; });
  expect(small, "update_too_small");
  EXPECT_NE(find(judge(small), "update_too_small")->advice.find("about 1e+01 instead of 0.001"), std::string::npos)
      << find(judge(small), "update_too_small")->advice;
  Record large = healthy();
  does_not_learn(large);
  everywhere(large, [](Snapshot& s, double) { s.update_ratio = 0.8; });
  expect(large, "update_too_large", "", Severity::error);
}

TEST(MonitorRules, NonFinite) {
  Record record = healthy();
  record.non_finite = {{41, "aten::log", "hidden2", false, false, 7, 3, "log of 0", "the loss"},
                       {42, "aten::mul", "", false, true, 0, 0, "", "gradient of hidden1.weight"}};
  expect(record, "non_finite", "hidden2", Severity::error);
  const auto findings = judge(record);
  EXPECT_EQ(findings.front().rule, "non_finite");
  EXPECT_EQ(findings.front().since, 41);
}

TEST(MonitorRules, CausesComeFirst) {
  Record record = healthy();
  does_not_learn(record);
  for (Layer& layer : record.layers) layer.function = tanh_facts();
  everywhere(record, [](Snapshot& s, double order) {
    s.left = s.right = 0.49;
    s.y_gradient = s.z_gradient = 1e-3 * std::pow(10, 2 * (order - 5));
    s.z_kurtosis = 40;
    s.one_sign = 0.99;
  });
  const auto findings = judge(record);
  ASSERT_GE(findings.size(), 2u);
  EXPECT_EQ(findings[0].rule, "saturated");
  EXPECT_EQ(findings[1].rule, "vanishing_gradient");
  EXPECT_EQ(findings.size(), 2u) << rules_of(findings);
}

TEST(MonitorRules, AnyNumbersAreTaken) {
  std::mt19937_64 random(3);
  const double odd[] = {not_measured, 0, -1, 1, 1e300, -1e300, 1e-300, std::numeric_limits<double>::infinity(), 0.5};
  for (int i = 0; i < 2000; ++i) {
    Record record = healthy();
    for (Layer& layer : record.layers) {
      for (Snapshot& snapshot : layer.history)
        for (const Measure& measure : measures)
          if (random() % 3 == 0) snapshot.*measure.value = odd[random() % std::size(odd)];
      layer.first = layer.history[random() % layer.history.size()];
      if (random() % 4 == 0) layer.unit.clear();
      if (random() % 4 == 0) layer.fan_in = 0;
      if (random() % 8 == 0) layer.history.resize(random() % 3);
      if (random() % 4 == 0) layer.function = {};
      if (random() % 4 == 0) layer.weight.clear();
    }
    for (Loss& loss : record.losses)
      if (random() % 3 == 0) loss.value = odd[random() % std::size(odd)];
    for (const Finding& finding : judge(record)) {
      EXPECT_GE(finding.sure, 0) << finding.rule;
      EXPECT_LE(finding.sure, 1) << finding.rule;
    }
  }
}

}  // namespace
}  // namespace ogee::monitor
