// Outputs all on one side of zero, and what that does to the gradients of the weights behind them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "monitor/rules/rules.h"

namespace ogee::monitor::rules {
namespace {

// Under N(0,1) relu's mean is 0.7 of its output's deviation, sigmoid's 2.4. The condition number of the next layer's
// problem grows with the square of this ratio, so that at 5 the offset has 25 times what the signal has.
constexpr double far_off = 5;
constexpr double very_far_off = 15;
// Where the network learns all the same: so many times what the function itself gives under N(0,1), relu's at least.
constexpr double times_natural = 8;
constexpr double least_natural = 0.7;
// Mean over units of |sum g|/sum |g|: 1 where the gradients of a unit's weights all have one sign.
constexpr double of_one_sign = 0.9;
constexpr double not_by_chance = 0.3;
// Successive updates that point back where the ones before came from.
constexpr double zig_zag = 0.1;

// Unit by unit where that was measured: offsets of both signs hide in a layer's mean.
double offset_of(const Snapshot& s) {
  return std::isfinite(s.unit_offset) ? s.unit_offset : std::abs(s.y_mean) / s.y_deviation;
}

// Three functions or more behind one weight are a cell's gates: what they give is multiplied with, so that its offset
// is no layer's input.
bool gate(const View& view, const Reading& reading) {
  if (reading.layer->weight.empty()) return false;
  return std::count_if(view.layers.begin(), view.layers.end(),
                       [&](const Reading& other) { return other.layer->weight == reading.layer->weight; }) >= 3;
}

double threshold_of(const View& view, const FunctionFacts& f) {
  if (!view.learning) return far_off;
  const double variance = 1 / (f.gain * f.gain) - f.mean * f.mean;
  return times_natural * std::max(least_natural, variance > 0 ? std::abs(f.mean) / std::sqrt(variance) : 0);
}

}  // namespace

Findings not_zero_centred(const View& view) {
  Hits hits;
  double worst = 0;
  for (const Reading& reading : view.layers) {
    // A network that broke down on it may not show it any more.
    const double then = offset_of(reading.layer->first), now = offset_of(reading.recent);
    const double enough = threshold_of(view, reading.layer->function);
    const double offset = now >= enough || view.learning ? now : then;
    if (gate(view, reading) || !(offset >= enough) || !std::isfinite(offset)) continue;
    hits.push_back(&reading);
    worst = std::max(worst, offset);
  }
  if (hits.empty()) return {};
  Finding finding = about(view, "not_zero_centred", hits);
  finding.severity = worst >= very_far_off ? Severity::error : Severity::warning;
  finding.sure = sure(view.windows, worst / far_off);
  finding.since = first_since(hits, [](const Snapshot& s) { return offset_of(s) >= far_off; });
  const Reading& first = *hits.front();
  if (offset_of(first.layer->first) >= threshold_of(view, first.layer->function))
    finding.since = first.layer->first.step;
  finding.evidence =
      fmt::format("{}: outputs lie up to {} deviations off zero (layer {}: {} +- {})", where(view, hits), number(worst),
                  first.layer->name, number(first.layer->first.y_mean), number(first.layer->first.y_deviation));
  finding.why =
      "The next layer sees the same large offset in every input and a small signal on top: its weights must agree on "
      "the offset before they can learn the signal, and a rate that is stable for the one is too small for the other.";
  finding.advice =
      first.layer->function.zero_centred
          ? "The function is centred, its inputs are not: look at the biases and at the data, or normalise before it."
          : "Take a function centred at zero, or normalise behind it.";
  finding.command = compare(view, {"tanh", "elu", "selu"});
  return {finding};
}

Findings one_signed_gradients(const View& view) {
  if (view.learning) return {};
  Hits hits;
  double worst = 0, chance = 0, reversal = 0;
  for (const Reading& reading : view.layers) {
    const Snapshot& s = reading.recent;
    if (gate(view, reading) || !(s.one_sign >= of_one_sign) || !(s.one_sign >= s.one_sign_chance + not_by_chance))
      continue;
    hits.push_back(&reading);
    if (s.one_sign > worst) worst = s.one_sign, chance = s.one_sign_chance;
    if (s.reversal > reversal) reversal = s.reversal;
  }
  if (hits.empty()) return {};
  Finding finding = about(view, "one_signed_gradients", hits);
  finding.severity = Severity::warning;
  finding.sure = sure(view.windows, 1 + worst - of_one_sign);
  finding.since = first_since(hits, [](const Snapshot& s) { return s.one_sign >= of_one_sign; });
  finding.evidence = fmt::format("{}: the gradients of a unit's weights agree in sign to {} ({} by chance)",
                                 where(view, hits), number(worst), number(chance));
  if (reversal > zig_zag)
    finding.evidence += fmt::format("; successive updates turn back (cosine {})", number(-reversal));
  finding.why =
      "With inputs all of one sign, the weights of a unit can only all grow or all shrink in a step: to raise some "
      "and lower others the network has to zig-zag.";
  finding.advice =
      "Centre what goes into these layers: a function centred at zero before them, normalised data, or normalisation.";
  finding.command = compare(view, {"tanh", "elu", "selu"});
  return {finding};
}

}  // namespace ogee::monitor::rules
