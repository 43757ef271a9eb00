// A plausible record without any training: a deep network of sigmoids whose gradients vanish, with some dead rectifiers
// at its end.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "ogee/monitor_record.h"

namespace ogee::monitor {

inline Snapshot sample_snapshot(std::int64_t step, double depth, bool rectifier, std::mt19937& random) {
  std::normal_distribution<double> normal;
  const double time = 1 - std::exp(-static_cast<double>(step) / 300);
  Snapshot s;
  s.step = step;
  s.z_mean = 0.3 * depth * time + 0.02 * normal(random);
  s.z_deviation = (1 + 2 * depth * time) * std::exp(0.05 * normal(random));
  s.z_skew = 0.1 * normal(random);
  s.z_kurtosis = 0.2 * normal(random);
  s.z_05 = s.z_mean - 1.645 * s.z_deviation, s.z_95 = s.z_mean + 1.645 * s.z_deviation;
  s.z_25 = s.z_mean - 0.674 * s.z_deviation, s.z_75 = s.z_mean + 0.674 * s.z_deviation;
  s.z_50 = s.z_mean;
  s.y_mean = rectifier ? 0.4 : 0.5;
  s.y_deviation = 0.3;
  s.y_zero = rectifier ? 0.5 : 0;
  s.left = rectifier ? 0.5 + 0.4 * depth * time : 0.2 * depth * time;
  s.right = rectifier ? 0 : 0.25 * depth * time;
  s.stuck_units = 0.3 * depth * time;
  s.left_units = s.stuck_units, s.right_units = 0;
  s.silent_units = rectifier ? 0.6 * depth * time : 0;
  s.y_gradient = 1e-3 * std::exp(-9 * (1 - depth)) * std::exp(0.1 * normal(random));
  s.z_gradient = 0.2 * s.y_gradient;
  s.weight = 0.1;
  s.weight_gradient = 3 * s.z_gradient;
  s.update_ratio = 1e-3 * std::exp(-4 * (1 - depth));
  s.reversal = -0.1 + 0.1 * normal(random);
  s.one_sign = 0.6, s.one_sign_chance = 0.2;
  s.rank = 0.4 - 0.3 * depth * time;
  s.correlation = 0.2 + 0.3 * depth * time;
  if (step > 1) s.drift = 0.05, s.spread_drift = 0.02;
  return s;
}

inline Record sample_record(std::int64_t layers = 12, std::int64_t windows = 60) {
  std::mt19937 random(1);
  Record record;
  record.steps = windows * 50;
  record.observed_steps = windows * 2;
  record.seconds = 42.5;
  record.own_seconds = 0.31;
  record.optimiser = "SGD";
  record.learning_rate = 0.1;
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool rectifier = i >= layers * 3 / 4;
    const double depth = layers > 1 ? static_cast<double>(i) / static_cast<double>(layers - 1) : 1;
    Layer layer;
    layer.name = "encoder.blocks." + std::to_string(i / 2) + (i % 2 ? ".feed_forward" : ".attention.project");
    layer.op = rectifier ? "aten::relu" : "aten::sigmoid";
    layer.weight = layer.name + ".weight";
    layer.function.text = rectifier ? "relu" : "sigmoid";
    layer.function.left = rectifier ? Saturation::hard : Saturation::soft;
    layer.function.right = rectifier ? Saturation::none : Saturation::soft;
    layer.order = i;
    layer.units = 64;
    layer.fan_in = 64;
    layer.calls = windows * 2;
    layer.elements = 8192.0 * static_cast<double>(windows);
    layer.windows = windows;
    for (std::int64_t w = 0; w < windows; ++w)
      layer.history.push_back(sample_snapshot(1 + 50 * w, depth, rectifier, random));
    if (!layer.history.empty()) {
      layer.first = layer.history.front();
      layer.steps_as_seen = layer.history.back().step;
    }
    record.layers.push_back(layer);
  }
  for (std::int64_t w = 0; w < windows; ++w)
    record.losses.push_back({1 + 50 * w, 0.4 + 1.9 * std::exp(-0.05 * static_cast<double>(w))});
  record.notes = {"2 of 300 operators ran inside a fused kernel, which shows no activations"};
  return record;
}

inline std::vector<Finding> sample_findings(const Record& record) {
  std::vector<Finding> found;
  Finding f;
  f.rule = "vanishing_gradient";
  for (std::size_t i = 0; i < record.layers.size() * 3 / 4; ++i) f.layers.push_back(record.layers[i].name);
  f.since = 1;
  f.severity = Severity::error;
  f.sure = 0.97;
  f.evidence =
      "The gradient shrinks by a factor of 0.44 with each layer towards the input: 2.3e-08 at the first, 1.8e-04 at "
      "the last.";
  f.why = "The first layers learn thousands of times more slowly than the last ones, so their features stay random.";
  f.advice = "Take a function that is not bounded, such as relu or gelu, or normalise between the layers.";
  f.command = "ogee compare --depth 12 --activations sigmoid,relu,gelu,selu";
  f.explained = "docs/monitor.md#vanishing_gradient";
  found.push_back(f);
  if (record.layers.empty()) return found;
  Finding dead;
  dead.rule = "dead_units";
  dead.layer = record.layers.back().name;
  dead.since = 401;
  dead.severity = Severity::warning;
  dead.sure = 0.9;
  dead.evidence = "38 of 64 units had slope 0 for all 122,880 examples seen, and no gradient reached them.";
  dead.why = "A unit without slope gets no gradient: it cannot come back, and its weights are lost.";
  dead.advice = "Lower the learning rate, or take leaky_relu.";
  dead.command = "ogee compare --activations relu,leaky_relu,elu";
  dead.explained = "docs/monitor.md#dead_units";
  found.push_back(dead);
  Finding note;
  note.rule = "useful_sparsity";
  note.layer = dead.layer;
  note.severity = Severity::note;
  note.sure = 0.8;
  note.evidence = "88 % of the outputs are exactly 0.";
  note.advice = "ogee::sparse multiplies them about 3 times as fast.";
  found.push_back(note);
  return found;
}

}  // namespace ogee::monitor
