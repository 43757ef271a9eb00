// How the gradient's size changes from the last layer to the first.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "monitor/rules/rules.h"

namespace ogee::monitor::rules {
namespace {

// Two points make no trend.
constexpr std::size_t fewest_layers = 4;
// A first layer that gets a thousandth of the last one's gradient learns next to nothing with plain gradient descent;
// weights as LibTorch draws them lose a factor of 2.5 a layer with relu, which ten layers of an adaptive optimiser
// bear.
constexpr double lost = 3;  // powers of ten
constexpr double exploded = 3;
// Where the loss falls and the first layers' relative updates are within this of the last ones', the optimiser makes
// up for it (Adam divides by the gradient's own size).
constexpr double updates_made_up = 1.0;  // powers of ten
// Gradients that have grown so much since the first windows.
constexpr double grown = 3;  // powers of ten
constexpr double floor_of_gradients = 1e-30;

struct Point {
  const Reading* reading;
  double gradient;  // log10
  double update;    // log10 of the relative update
};

double log_of(double value) { return std::isnan(value) ? value : std::log10(std::max(value, floor_of_gradients)); }

// One point for each depth: the gates of a cell share a weight, and their gradients are averaged.
using When = const Snapshot& (*)(const Reading&);
const Snapshot& in_the_first(const Reading& reading) { return reading.layer->first; }
const Snapshot& early(const Reading& reading) { return reading.early; }
const Snapshot& recently(const Reading& reading) { return reading.recent; }

std::vector<Point> points_of(const View& view, When when) {
  std::vector<Point> points;
  std::string weight;
  int gates = 0;
  for (const Reading& reading : view.layers) {
    const Snapshot& s = when(reading);
    const double gradient = log_of(std::isnan(s.z_gradient) ? s.y_gradient : s.z_gradient);
    if (std::isnan(gradient)) continue;
    if (!points.empty() && !reading.layer->weight.empty() && reading.layer->weight == weight) {
      ++gates;
      points.back().gradient += (gradient - points.back().gradient) / (gates + 1);
      continue;
    }
    gates = 0;
    weight = reading.layer->weight;
    points.push_back({&reading, gradient, log_of(s.update_ratio)});
  }
  return points;
}

struct Decay {
  double a_layer = not_measured, total = not_measured, ends = not_measured, updates = not_measured;
};

double mean_of(const std::vector<Point>& points, double Point::*value, std::size_t from, std::size_t to) {
  double sum = 0;
  for (std::size_t i = from; i < to; ++i) sum += points[i].*value;
  return sum / static_cast<double>(to - from);
}

// Negative: the gradient is smaller in the first layers.
Decay decay_of(const std::vector<Point>& points) {
  Decay decay;
  const std::size_t count = points.size();
  if (count < fewest_layers) return decay;
  std::vector<double> gradients, updates;
  for (const Point& point : points) gradients.push_back(point.gradient), updates.push_back(point.update);
  decay.a_layer = -robust_slope(gradients);
  decay.total = decay.a_layer * static_cast<double>(count - 1);
  const std::size_t end = std::max<std::size_t>(1, count / 8);
  decay.ends = mean_of(points, &Point::gradient, 0, end) - mean_of(points, &Point::gradient, count - end, count);
  decay.updates = -robust_slope(updates) * static_cast<double>(count - 1);
  return decay;
}

std::vector<std::string> alternatives(const View& view) {
  // Without normalisation selu, and rectifiers with weights to match, keep the gradient's size.
  return view.record->normalised ? std::vector<std::string>{"relu", "gelu", "mish"}
                                 : std::vector<std::string>{"relu", "selu", "mish"};
}

std::string cause_of(const std::vector<Point>& points) {
  double slope = 0;
  int known = 0;
  for (const Point& point : points) {
    const FunctionFacts& facts = point.reading->layer->function;
    if (facts.text.empty()) continue;
    slope += facts.largest_slope;
    ++known;
  }
  if (known > 0 && slope / known < 0.5)
    return fmt::format(" The slope of {} is at most {}, which alone takes that much of the gradient at every layer.",
                       function_of(*points.front().reading->layer), number(slope / known));
  return "";
}

}  // namespace

double first_decay(const View& view) {
  const Decay decay = decay_of(points_of(view, in_the_first));
  // The smaller of the two, as both have to say so.
  if (!(decay.total * decay.ends > 0)) return 0;
  return std::abs(decay.total) < std::abs(decay.ends) ? decay.total : decay.ends;
}

Findings vanishing_gradient(const View& view) {
  const auto points = points_of(view, recently);
  const Decay decay = decay_of(points);
  const double total = std::max(decay.total, decay.ends);  // both must say so
  if (!(total <= -lost)) return {};
  if (view.learning && !(decay.updates < -updates_made_up)) return {};
  const double last = points.back().gradient;
  Hits hits;
  for (const Point& point : points)
    if (point.gradient <= last - 0.5 * lost) hits.push_back(point.reading);
  if (hits.empty()) return {};
  Finding finding = about(view, "vanishing_gradient", hits);
  finding.severity = total <= -2 * lost ? Severity::error : Severity::warning;
  finding.sure = sure(view.windows, total / -lost);
  finding.since = first_since(hits, [&](const Snapshot& s) {
    return log_of(std::isnan(s.z_gradient) ? s.y_gradient : s.z_gradient) < last - 0.5 * lost;
  });
  finding.evidence =
      fmt::format("the gradient loses a factor of {} a layer: {} reaches layer {}, where layer {} has {}",
                  number(std::pow(10, -decay.a_layer)), number(std::pow(10, points.front().gradient)),
                  points.front().reading->layer->name, points.back().reading->layer->name,
                  number(std::pow(10, points.back().gradient)));
  if (!std::isnan(decay.updates))
    finding.evidence += fmt::format("; relative updates of the weights change by a factor of {} over the same way",
                                    number(std::pow(10, decay.updates)));
  finding.why =
      "The chain rule multiplies one slope and one matrix for every layer. Where their product is below 1 the first "
      "layers hardly learn, however long one trains." +
      cause_of(points);
  finding.advice =
      view.record->residual
          ? "Draw the weights of the branches larger, or normalise what goes into them."
          : "Take a function whose slope is 1 over half of its inputs, draw the weights with its gain over "
            "sqrt(fan_in), or add normalisation or residual connections.";
  finding.command = compare(view, alternatives(view));
  return {finding};
}

Findings exploding_gradient(const View& view) {
  Decay decay;
  std::vector<Point> points;
  // An exploding gradient ends in NaN or in flat functions soon: what the first windows showed counts as much.
  for (const When when : {recently, early, in_the_first}) {
    const auto here = points_of(view, when);
    const Decay found = decay_of(here);
    if (std::min(found.total, found.ends) >= exploded && !(found.total < decay.total)) decay = found, points = here;
  }
  double growth = not_measured;
  Hits grew;
  for (const Reading& reading : view.layers) {
    const double begin = reading.layer->first.z_gradient;
    std::vector<double> later = course(*reading.layer, &Snapshot::z_gradient);
    std::erase_if(later, [](double v) { return !std::isfinite(v); });
    if (later.size() < 3 || !(begin > 0)) continue;
    const double by = std::log10(std::max(reading.recent.z_gradient, floor_of_gradients) / begin);
    if (by >= grown) {
      grew.push_back(&reading);
      growth = std::isnan(growth) ? by : std::max(growth, by);
    }
  }
  const bool backwards = !points.empty() && !view.learning;
  const bool over_time = 2 * grew.size() > view.layers.size() && !view.learning;
  if (!backwards && !over_time) return {};
  Hits hits = grew;
  if (backwards) {
    hits.clear();
    for (const Point& point : points)
      if (point.gradient >= points.back().gradient + 0.5 * exploded) hits.push_back(point.reading);
  }
  Finding finding = about(view, "exploding_gradient", hits);
  finding.severity = Severity::error;
  finding.sure = sure(view.windows, backwards ? decay.total / exploded : growth / grown);
  if (backwards) {
    finding.since = hits.empty() ? 0 : hits.front()->layer->first.step;
    finding.evidence =
        fmt::format("the gradient grows by a factor of {} a layer on its way back: {} at layer {}, {} at layer {}",
                    number(std::pow(10, decay.a_layer)), number(std::pow(10, points.back().gradient)),
                    points.back().reading->layer->name, number(std::pow(10, points.front().gradient)),
                    points.front().reading->layer->name);
  } else {
    finding.since =
        first_since(hits, [&](const Snapshot& s) { return s.z_gradient > 30 * hits.front()->layer->first.z_gradient; });
    finding.evidence = fmt::format("gradients have grown up to {} times since the first window, in {}",
                                   number(std::pow(10, growth)), where(view, hits));
  }
  finding.why =
      "The steps of the first layers are then far too large for any learning rate that suits the last ones, and the "
      "loss jumps or overflows.";
  finding.advice =
      backwards ? "Draw the weights with the function's gain over sqrt(fan_in), normalise, or clip the gradient's norm."
                : "Lower the learning rate, or clip the gradient's norm.";
  finding.command = compare(view, {"selu", "tanh"});
  return {finding};
}

}  // namespace ogee::monitor::rules
