// What the first window shows of how the weights were drawn.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "monitor/rules/rules.h"

namespace ogee::monitor::rules {
namespace {

constexpr std::size_t fewest_layers = 3;
// The signal's size may change a hundredfold from the first layer to the last before the first steps are lost on it.
constexpr double signal_changes = 2;  // powers of ten
// And the gradient a thousandfold: biases hide how little of the signal is left, the gradient does not.
constexpr double gradient_changes = 3;  // powers of ten
// A function's inputs this many times wider than N(0,1) saturate it, or blow up what has no bounds.
constexpr double too_wide = 6;
constexpr double silent_from_the_start = 0.6;
// How far weights may be from what the function before asks for.
constexpr double times_off = 1.5;

// The deviation of weights behind `before` that keeps the second moment.
double ideal(const Reading* before, const Layer& layer) {
  const double gain = before == nullptr || before->layer->function.text.empty() ? 1 : before->layer->function.gain;
  return gain / std::sqrt(static_cast<double>(layer.fan_in));
}

}  // namespace

Findings poor_initialisation(const View& view) {
  if (view.layers.empty() || (view.learning && !view.delayed)) return {};
  std::vector<double> sizes, offs;
  Hits known;
  const Reading* before = nullptr;
  double worst_off = 1, typical_wanted = not_measured, typical_is = not_measured;
  std::size_t wide = 0, silent = 0;
  for (const Reading& reading : view.layers) {
    const Snapshot& s = reading.layer->first;
    if (std::isfinite(s.z_deviation)) sizes.push_back(std::log10(std::max(s.z_deviation, 1e-30)));
    wide += s.z_deviation >= too_wide ? 1 : 0;
    silent += s.silent_units >= silent_from_the_start ? 1 : 0;
    if (reading.layer->fan_in > 0 && s.weight > 0) {
      const double off = s.weight / ideal(before, *reading.layer);
      offs.push_back(std::log10(off));
      known.push_back(&reading);
      // After a step that was as large as the weights these are not what was drawn.
      if (!(s.update_ratio > 0.5) && std::abs(std::log10(off)) > std::abs(std::log10(worst_off))) {
        worst_off = off;
        typical_wanted = ideal(before, *reading.layer);
        typical_is = s.weight;
      }
    }
    before = &reading;
  }
  const auto count = view.layers.size();
  const double growth =
      sizes.size() >= fewest_layers ? robust_slope(sizes) * static_cast<double>(sizes.size() - 1) : not_measured;
  const double off = median(offs);
  const bool off_scale = std::abs(off) >= std::log10(times_off);
  const double decay = first_decay(view);
  const bool changes =
      (std::abs(growth) >= signal_changes || std::abs(decay) >= gradient_changes) && !view.record->normalised;
  const bool too_large = 2 * wide > count && off >= std::log10(times_off);
  const bool too_silent = 2 * silent > count;
  if (!changes && !too_large && !too_silent) return {};
  if (!too_silent && !offs.empty() && !off_scale) return {};
  Hits hits;
  for (std::size_t i = 0; i < known.size(); ++i)
    if (std::abs(offs[i]) >= std::log10(times_off)) hits.push_back(known[i]);
  if (hits.empty())
    for (const Reading& reading : view.layers) hits.push_back(&reading);
  Finding finding = about(view, "poor_initialisation", hits);
  finding.since = view.layers.front().layer->first.step;
  finding.severity = !view.learning || std::abs(decay) >= 2 * gradient_changes ? Severity::error : Severity::warning;
  finding.sure = sure(view.windows, std::abs(growth) >= signal_changes ? std::abs(growth) / signal_changes : 1);
  finding.evidence = "in the first window ";
  if (std::isfinite(growth))
    finding.evidence += fmt::format(
        "the functions' inputs change by a factor of {} from the first layer to the last (deviations {} to {})",
        number(std::pow(10, growth)), number(std::pow(10, sizes.front())), number(std::pow(10, sizes.back())));
  else
    finding.evidence +=
        fmt::format("the functions' inputs have deviation {}", number(view.layers.front().layer->first.z_deviation));
  if (std::isfinite(typical_is))
    finding.evidence += fmt::format("; weights have deviation {} where {} would keep the signal's size",
                                    number(typical_is), number(typical_wanted));
  if (too_silent) finding.evidence += fmt::format("; in {} of {} layers most units are silent", silent, count);
  finding.why =
      "Each layer multiplies the signal, and on the way back the gradient, by the same factor: a factor off 1 is "
      "raised to the power of the depth.";
  const FunctionFacts& f = view.layers.front().layer->function;
  finding.advice =
      f.text.empty()
          ? "Draw the weights with deviation gain/sqrt(fan_in), and start biases at 0."
          : fmt::format("Draw the weights behind {} with deviation {}/sqrt(fan_in), {} here, and start biases at 0.",
                        f.text, number(f.gain),
                        number(known.empty() ? not_measured
                                             : f.gain / std::sqrt(static_cast<double>(known.back()->layer->fan_in))));
  finding.command = compare(view, {"selu"});
  return {finding};
}

}  // namespace ogee::monitor::rules
