// Inputs where the function is flat.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "monitor/rules/rules.h"

namespace ogee::monitor::rules {
namespace {

// N(0,1) alone puts 3 % of tanh's inputs and 32 % of hardtanh's where they saturate. A layer counts when it has used up
// this much of the way from there to 1.
constexpr double way_to_all = 0.5;
// Where the loss falls all the same, more: late layers of a trained network hold decided features.
constexpr double way_where_it_learns = 0.75;
// A rectifier is flat on the left by design, for half of its inputs or more: too_sparse and dead_units judge those. Of
// the functions that are flat on one side only, those that bend softly count from here.
constexpr double one_sided = 0.9;
// Units that are flat for 95 % of the examples or more say nothing about the others; some are normal.
constexpr double many_stuck = 0.4, many_where_it_learns = 0.6;
constexpr double nearly_all = 0.9;
// One side has this many times what the other has.
constexpr double lopsided = 4;

bool two_sided(const FunctionFacts& f) {
  // relu6 and its like are rectifiers with a ceiling: flat on the left from 0 on.
  return f.left != Saturation::none && f.right != Saturation::none && f.left_bound < -0.25;
}
bool soft_left(const FunctionFacts& f) { return f.left == Saturation::soft && f.right == Saturation::none; }

double by_chance(const FunctionFacts& f) {
  return (std::isfinite(f.left_bound) ? normal_share(f.left_bound) : 0) +
         (std::isfinite(f.right_bound) ? 1 - normal_share(f.right_bound) : 0);
}

double threshold_of(const View& view, const FunctionFacts& f) {
  const double way = view.learning ? way_where_it_learns : way_to_all;
  if (two_sided(f)) return by_chance(f) + way * (1 - by_chance(f));
  if (soft_left(f)) return one_sided;
  // A ceiling: relu6, clipped_relu.
  if (f.right != Saturation::none) return way;
  return 2;  // never
}

double share_of(const FunctionFacts& f, const Snapshot& s) {
  if (two_sided(f)) return s.left + s.right;
  return soft_left(f) ? s.left : s.right;
}

bool stuck(const View& view, const FunctionFacts& f, const Snapshot& s) {
  return two_sided(f) && s.stuck_units >= (view.learning ? many_where_it_learns : many_stuck);
}

}  // namespace

Findings saturated(const View& view) {
  Hits hits;
  double worst = 0, left = 0, right = 0, stuck_units = 0;
  bool hard = false;
  for (const Reading& reading : view.layers) {
    const FunctionFacts& f = reading.layer->function;
    const double share = share_of(f, reading.recent);
    if (!(share >= threshold_of(view, f)) && !stuck(view, f, reading.recent)) continue;
    hits.push_back(&reading);
    worst = std::max(worst, share);
    stuck_units = std::max(stuck_units, reading.recent.stuck_units);
    left += reading.recent.left;
    right += std::isnan(reading.recent.right) ? 0 : reading.recent.right;
    hard = hard || (left > right ? f.left : f.right) == Saturation::hard;
  }
  if (hits.empty()) return {};
  const FunctionFacts& f = hits.front()->layer->function;
  const char* side = left > lopsided * right ? "left" : right > lopsided * left ? "right" : "both sides";
  Finding finding = about(view, "saturated", hits);
  finding.severity = worst >= nearly_all ? Severity::error : Severity::warning;
  finding.sure = sure(view.windows, worst / std::min(threshold_of(view, f), 1.0));
  finding.since = first_since(hits, [](const Snapshot& s) { return s.left + s.right >= 0.3 || s.stuck_units >= 0.3; });
  finding.evidence =
      fmt::format("{}: {} saturates on {} ({}): up to {} of a layer's elements have under 5 % of its largest slope",
                  where(view, hits), function_of(*hits.front()->layer), side, hard ? "hard" : "soft", percent(worst));
  if (stuck_units > 0)
    finding.evidence +=
        fmt::format(", and up to {} of its units have so for nearly all examples", percent(stuck_units));
  const double deviation = hits.front()->recent.z_deviation;
  if (std::isfinite(deviation))
    finding.evidence += fmt::format("; inputs of layer {}: {} +- {}", hits.front()->layer->name,
                                    number(hits.front()->recent.z_mean), number(deviation));
  finding.why =
      hard ? "Where the slope is exactly 0 no gradient passes at all: these units change only if others move their "
             "inputs."
           : "Hardly any gradient passes a flat part: the weights in front stay where they are, and so does what lies "
             "before them.";
  const bool off_centre = std::abs(hits.front()->recent.z_mean) > hits.front()->recent.z_deviation;
  finding.advice =
      off_centre ? "The inputs lie off centre: start biases at 0, or normalise before the function."
                 : "The inputs are too wide: draw the weights smaller (gain over sqrt(fan_in)), lower the learning "
                   "rate, or normalise before the function.";
  finding.advice += " A function that saturates on one side or none, or a noisy one, keeps a gradient.";
  finding.command = compare(view, {"relu", "elu", "nah(base=tanh)"});
  return {finding};
}

}  // namespace ogee::monitor::rules
