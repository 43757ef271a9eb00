// Functions with noise of their own, and functions that learn their shape.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "monitor/rules/rules.h"

namespace ogee::monitor::rules {
namespace {

// Noise as large as the signal. Gaussian dropout at 1/2 and noisy relu lie at 1.2 and learn; bounded functions cannot
// reach much above 2.
constexpr double drowned = 1.3;
constexpr double lost = 2;
// How far a learned parameter may go from where it started, in units of its start or of 1 where that is smaller; less
// far where it is on its way still: so much of the way in the last third.
constexpr double far_away = 2.5, far_away_and_moving = 1.5;
constexpr double very_far_away = 10;
constexpr double still_moving = 0.15;
constexpr std::size_t fewest_windows = 6;

struct Way {
  double reach = 0, before = 0;  // at the end, and at two thirds of the training
  double low = 0, high = 0, start = 0;
  std::size_t parameter = 0;
};

double at(const std::vector<double>& values, std::size_t i) { return i < values.size() ? values[i] : not_measured; }

double reach_at(const Snapshot& s, std::size_t k, double start) {
  double reach = 0;
  for (const double value : {at(s.parameters, k), at(s.parameters_low, k), at(s.parameters_high, k)})
    if (std::isfinite(value)) reach = std::max(reach, std::abs(value - start));
  return reach / std::max(1.0, std::abs(start));
}

Way way_of(const Layer& layer) {
  Way worst;
  for (std::size_t k = 0; k < layer.first.parameters.size(); ++k) {
    const double start = layer.first.parameters[k];
    if (!std::isfinite(start)) continue;
    Way way;
    way.parameter = k;
    way.start = start;
    const Snapshot& end = layer.history.back();
    way.reach = reach_at(end, k, start);
    way.before = reach_at(layer.history[layer.history.size() * 2 / 3], k, start);
    way.low = at(end.parameters_low, k);
    way.high = at(end.parameters_high, k);
    if (way.reach > worst.reach) worst = way;
  }
  return worst;
}

}  // namespace

Findings noise_drowns_signal(const View& view) {
  Hits hits;
  double worst = 0;
  for (const Reading& reading : view.layers) {
    if (!(reading.recent.noise >= drowned)) continue;
    hits.push_back(&reading);
    worst = std::max(worst, reading.recent.noise);
  }
  if (hits.empty()) return {};
  Finding finding = about(view, "noise_drowns_signal", hits);
  finding.severity = worst >= lost ? Severity::error : Severity::warning;
  finding.sure = sure(view.windows, worst / drowned);
  finding.since = first_since(hits, [](const Snapshot& s) { return s.noise >= drowned; });
  finding.evidence =
      fmt::format("{}: the noise of {} is up to {} times what the signal varies by (signal to noise {})",
                  where(view, hits), function_of(*hits.front()->layer), number(worst), number(1 / worst));
  finding.why = "The gradient then follows the noise more than the data: the weights wander.";
  finding.advice = "Lower the noise's scale (c, or sigma), or start high and let it fall while training goes on.";
  finding.command = compare(view, {"nah(base=tanh)", "tanh"});
  return {finding};
}

Findings learned_slopes_overfitting(const View& view) {
  Hits hits;
  Way worst;
  bool moving = false;
  for (const Reading& reading : view.layers) {
    const Layer& layer = *reading.layer;
    if (layer.history.size() < fewest_windows || layer.first.parameters.empty()) continue;
    const Way way = way_of(layer);
    const bool moves = way.reach - way.before >= still_moving * way.reach;
    if (!(way.reach >= (moves ? far_away_and_moving : far_away))) continue;
    hits.push_back(&reading);
    moving = moving || moves;
    if (way.reach > worst.reach) worst = way;
  }
  if (hits.empty()) return {};
  Finding finding = about(view, "learned_slopes_overfitting", hits);
  finding.severity = worst.reach >= very_far_away ? Severity::error : Severity::warning;
  finding.sure = sure(view.windows, worst.reach / far_away);
  finding.since = hits.front()->layer->history[hits.front()->layer->history.size() * 2 / 3].step;
  finding.evidence =
      fmt::format("{}: parameter {} of {} started at {}, lies between {} and {} now{}", where(view, hits),
                  worst.parameter + 1, function_of(*hits.front()->layer), number(worst.start), number(worst.low),
                  number(worst.high), moving ? ", and still moves away" : "");
  finding.why =
      "A learned shape adds freedom where few data, or too large steps, leave it unbounded: it fits the training "
      "set's accidents, and its slopes multiply from layer to layer.";
  finding.advice =
      "Give these parameters a smaller learning rate, or weight decay towards their start; share one among the "
      "channels; or hold them fixed.";
  finding.command = compare(view, {"leaky_relu", "silu"});
  return {finding};
}

}  // namespace ogee::monitor::rules
