#include "monitor/rules/view.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "monitor/measures.h"

namespace ogee::monitor::rules {
namespace {

// Fewer losses than this show no trend.
constexpr std::size_t fewest_losses = 6;
// A network whose loss has fallen by a quarter learns. A faulty one may lose a tenth or two by learning how frequent
// each class is, which the output layer's biases can do alone.
constexpr double enough_progress = 0.25;
// A first loss so many times what comes soon after was a bad start.
constexpr double far_above = 1.8;
constexpr double still_falling = 0.9, fallen_far = 0.35;
// Nothing learned in the first third.
constexpr double hardly_moved = 0.93;
constexpr std::size_t most_recent = 24;

Snapshot medians(const std::vector<Snapshot>& history, std::size_t from, std::size_t to) {
  Snapshot typical;
  if (from >= to) return typical;
  typical.step = history[from].step;
  std::vector<double> values;
  for (const Measure& measure : measures) {
    values.clear();
    for (std::size_t i = from; i < to; ++i) values.push_back(history[i].*measure.value);
    typical.*measure.value = median(values);
  }
  typical.parameters = history[to - 1].parameters;
  typical.parameters_low = history[to - 1].parameters_low;
  typical.parameters_high = history[to - 1].parameters_high;
  return typical;
}

Reading read(const Layer& layer) {
  const std::size_t count = layer.history.size();
  const std::size_t recent = std::min({std::max<std::size_t>(count / 3, 3), most_recent, count});
  Reading reading;
  reading.layer = &layer;
  reading.early = medians(layer.history, count > 1 ? 1 : 0, std::min<std::size_t>(count, 6));
  reading.recent = medians(layer.history, count - recent, count);
  return reading;
}

double median_of(const std::vector<Loss>& losses, std::size_t from, std::size_t to) {
  std::vector<double> values;
  for (std::size_t i = from; i < to; ++i) values.push_back(losses[i].value);
  return median(values);
}

void see_progress(const std::vector<Loss>& losses, View& view) {
  const std::size_t count = losses.size();
  if (count < fewest_losses) return;
  const std::size_t head = std::clamp<std::size_t>(count / 20, 1, 5);
  const double end = median_of(losses, count - std::max<std::size_t>(count / 5, 3), count);
  const double typical = median_of(losses, 0, head);
  const double first = losses[0].value < typical ? losses[0].value : typical;
  const double behind_start = median_of(losses, head, head + std::max<std::size_t>(count / 10, 2));
  const double third = median_of(losses, count / 5, std::max(count / 3, count / 5 + 1));
  // Losses below zero (likelihoods of densities) have no natural zero to measure progress from.
  if (!(first > 0) || !(end > -first)) return;
  view.progress = 1 - end / first;
  // Weights drawn too large begin with a loss far above that of a constant answer: coming down to that is no learning.
  const double from = first > far_above * behind_start ? behind_start : first;
  // A loss that has stood still since the first third has fallen to where a constant answer lies, unless it fell far.
  const bool falls = end <= still_falling * third || end <= fallen_far * first;
  view.learning = 1 - end / from >= enough_progress && falls;
  view.delayed = third >= hardly_moved * first;
}

}  // namespace

double robust_slope(const std::vector<double>& values) {
  std::vector<double> slopes;
  for (std::size_t i = 0; i < values.size(); ++i)
    for (std::size_t j = i + 1; j < values.size(); ++j)
      slopes.push_back((values[j] - values[i]) / static_cast<double>(j - i));
  return median(slopes);
}

std::vector<double> course(const Layer& layer, double Snapshot::*measure) {
  std::vector<double> values;
  for (const Snapshot& snapshot : layer.history) values.push_back(snapshot.*measure);
  return values;
}

std::vector<double> profile(const View& view, double Snapshot::*measure, Snapshot Reading::*when) {
  std::vector<double> values;
  for (const Reading& reading : view.layers) values.push_back(reading.*when.*measure);
  return values;
}

std::int64_t since(const Layer& layer, const std::function<bool(const Snapshot&)>& holds) {
  std::int64_t step = layer.steps_as_seen;
  std::size_t all = 0, held = 0;
  for (auto snapshot = layer.history.rbegin(); snapshot != layer.history.rend(); ++snapshot) {
    ++all;
    if (holds(*snapshot)) {
      ++held;
      step = snapshot->step;
    } else if (5 * (all - held) > all && all > 3) {
      break;
    }
  }
  return step;
}

std::int64_t first_since(const Hits& hits, const std::function<bool(const Snapshot&)>& holds) {
  std::int64_t step = -1;
  for (const Reading* hit : hits) {
    const std::int64_t here = since(*hit->layer, holds);
    if (step < 0 || here < step) step = here;
  }
  return std::max<std::int64_t>(step, 0);
}

double normal_share(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

double sure(std::int64_t windows, double excess) {
  const double seen = static_cast<double>(windows) / (static_cast<double>(windows) + 2);
  const double beyond = excess > 1 ? std::log10(excess) : 0;
  return std::clamp(seen * (0.6 + 0.4 * beyond), 0.05, 0.99);
}

View look(const Record& record) {
  View view;
  view.record = &record;
  for (const Layer& layer : record.layers) {
    if (layer.history.empty()) continue;
    view.layers.push_back(read(layer));
    view.windows = std::max({view.windows, layer.windows, static_cast<std::int64_t>(layer.history.size())});
  }
  std::stable_sort(view.layers.begin(), view.layers.end(),
                   [](const Reading& a, const Reading& b) { return a.layer->order < b.layer->order; });
  see_progress(record.losses, view);
  return view;
}

std::string percent(double share) {
  const double value = 100 * share;
  return value > 0 && value < 1 ? fmt::format("{:.1g} %", value) : fmt::format("{:.0f} %", value);
}

std::string number(double value) {
  const double size = std::abs(value);
  if (size > 0 && (size < 1e-2 || size >= 1e4)) return fmt::format("{:.1e}", value);
  return fmt::format("{:.3g}", value);
}

std::string where(const View& view, const Hits& hits) {
  if (hits.empty()) return "the network";
  if (hits.size() == 1) return "layer " + hits[0]->layer->name;
  std::vector<std::string> names;
  for (const Reading* hit : hits) names.push_back(hit->layer->name);
  if (names.size() <= 4)
    return fmt::format("{} of {} layers ({})", names.size(), view.layers.size(), fmt::join(names, ", "));
  return fmt::format("{} of {} layers ({} ... {})", names.size(), view.layers.size(), names.front(), names.back());
}

Finding about(const View&, const std::string& rule, const Hits& hits) {
  Finding finding;
  finding.rule = rule;
  finding.explained = "docs/monitor.md#" + rule;
  for (const Reading* hit : hits) finding.layers.push_back(hit->layer->name);
  if (hits.size() == 1) finding.layer = hits[0]->layer->name;
  return finding;
}

std::string function_of(const Layer& layer) {
  if (!layer.function.text.empty()) return layer.function.text;
  return layer.op.empty() ? "the function" : layer.op;
}

std::string compare(const View& view, const std::vector<std::string>& others) {
  std::vector<std::string> activations;
  std::map<std::int64_t, int> widths;
  bool images = false;
  std::int64_t depth = 0;
  std::string weight;
  for (const Reading& reading : view.layers) {
    const Layer& layer = *reading.layer;
    const std::string& text = layer.function.text;
    if (!text.empty() && std::find(activations.begin(), activations.end(), text) == activations.end())
      activations.push_back(text);
    if (layer.units > 0) ++widths[layer.units];
    images = images || layer.name.find("conv") != std::string::npos || layer.weight.find("conv") != std::string::npos;
    if (layer.weight.empty() || layer.weight != weight) ++depth;  // the gates of a cell share a weight
    weight = layer.weight;
  }
  if (activations.size() > 3) activations.resize(3);
  const auto name_of = [](const std::string& text) { return text.substr(0, text.find('(')); };
  for (const std::string& other : others)
    if (std::none_of(activations.begin(), activations.end(),
                     [&](const std::string& text) { return text == other || name_of(text) == other; }))
      activations.push_back(other);
  std::int64_t width = 0;
  int most = 0;
  for (const auto& [units, count] : widths)
    if (count > most) width = units, most = count;
  std::string command = "ogee compare";
  if (images) command += " --model convnet";
  if (depth > 0) command += fmt::format(" --depth {}", std::min<std::int64_t>(depth, images ? 4 : 1000));
  if (width > 0 && width <= 65536) command += fmt::format(" --width {}", width);
  if (!activations.empty()) {
    const std::string list = fmt::format("{}", fmt::join(activations, ","));
    command +=
        list.find_first_of("(' ") == std::string::npos ? " --activations " + list : " --activations '" + list + "'";
  }
  return command;
}

}  // namespace ogee::monitor::rules
