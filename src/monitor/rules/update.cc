// One step's change of the weights against the weights themselves.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "monitor/rules/rules.h"

namespace ogee::monitor::rules {
namespace {

// About 1e-3 is usual; Adam at its usual rate reaches 3e-2 in narrow layers.
constexpr double too_small = 1e-5;
constexpr double hardly_any = 1e-7;
constexpr double too_large = 0.2;
constexpr double far_too_large = 1;
// Weights that steps of this size have made so many times larger were of no use as they were drawn.
constexpr double large_for_growing = 0.05, grown = 5;
constexpr double good = 1e-3;
constexpr double turns_back = 0.3;

std::string rate_for(const View& view, double ratio) {
  if (!std::isfinite(view.record->learning_rate) || !(ratio > 0)) return "";
  return fmt::format(" With {} that is a rate of about {:.0e} instead of {:g}.",
                     view.record->optimiser.empty() ? "this optimiser" : view.record->optimiser,
                     view.record->learning_rate * good / ratio, view.record->learning_rate);
}

}  // namespace

// Updates that were never any larger: a network that has converged made larger ones before.
Findings update_too_small(const View& view) {
  if (view.learning) return {};
  Hits hits;
  std::vector<double> ratios;
  std::size_t measured = 0;
  for (const Reading& reading : view.layers) {
    double largest = not_measured;
    for (const double ratio : course(*reading.layer, &Snapshot::update_ratio))
      if (std::isfinite(ratio)) largest = std::isnan(largest) ? ratio : std::max(largest, ratio);
    if (std::isnan(largest)) continue;
    ++measured;
    if (largest > too_small) continue;
    hits.push_back(&reading);
    ratios.push_back(reading.recent.update_ratio);
  }
  // In some layers only, it is a vanishing gradient or dead units that one sees.
  if (measured == 0 || 4 * hits.size() < 3 * measured) return {};
  const double typical = median(ratios);
  Finding finding = about(view, "update_too_small", hits);
  finding.severity = typical <= hardly_any ? Severity::error : Severity::warning;
  finding.sure = sure(view.windows, too_small / std::max(typical, 1e-12));
  finding.since = hits.front()->layer->first.step;
  finding.evidence = fmt::format("{}: a step changes the weights by {} of their size, and never by more than {}",
                                 where(view, hits), number(typical), number(too_small));
  finding.why = fmt::format("At that pace {} steps change a weight by its own size, where about 1,000 are usual.",
                            number(1 / std::max(typical, 1e-12)));
  finding.advice =
      "Raise the learning rate until a step changes the weights by about 1e-3 of their size." + rate_for(view, typical);
  finding.command = compare(view, {});
  return {finding};
}

Findings update_too_large(const View& view) {
  Hits hits;
  std::vector<double> ratios;
  std::size_t measured = 0;
  bool outgrown = false;
  for (const Reading& reading : view.layers) {
    // Weights that have grown make the same steps look smaller: the first windows count as well.
    const Snapshot &first = reading.layer->first, &recent = reading.recent;
    double ratio = not_measured;
    for (const double seen :
         {median(course(*reading.layer, &Snapshot::update_ratio)), first.update_ratio, reading.early.update_ratio})
      if (std::isfinite(seen) && !(seen <= ratio)) ratio = seen;
    if (std::isnan(ratio)) continue;
    if (ratio >= large_for_growing && recent.weight >= grown * first.weight)
      outgrown = true, ratio = std::max(ratio, too_large);
    ++measured;
    if (ratio < too_large) continue;
    hits.push_back(&reading);
    ratios.push_back(ratio);
  }
  if (hits.empty() || 3 * hits.size() < measured) return {};
  const double typical = median(ratios);
  if (view.learning && typical < far_too_large && !outgrown) return {};
  Finding finding = about(view, "update_too_large", hits);
  finding.severity = typical >= far_too_large || !view.learning ? Severity::error : Severity::warning;
  finding.sure = sure(view.windows, typical / too_large);
  finding.since = hits.front()->layer->first.step;
  if (hits.front()->recent.update_ratio >= too_large)
    finding.since = first_since(hits, [](const Snapshot& s) { return s.update_ratio >= too_large; });
  finding.evidence =
      fmt::format("{}: a step {} the weights by {} of their size", where(view, hits),
                  hits.front()->recent.update_ratio >= too_large ? "changes" : "changed", percent(typical));
  double reversal = 0;
  for (const Reading* hit : hits)
    if (hit->recent.reversal > reversal) reversal = hit->recent.reversal;
  if (reversal >= turns_back)
    finding.evidence += fmt::format(", and the next one turns back (cosine {})", number(-reversal));
  if (std::isfinite(view.progress))
    finding.evidence += fmt::format("; the loss has changed by {} since the start", percent(-view.progress));
  finding.why =
      "Steps that large leave the region where the gradient means anything: the loss jumps, units die or saturate.";
  finding.advice =
      "Lower the learning rate until a step changes the weights by about 1e-3 of their size, or warm it up." +
      rate_for(view, typical);
  finding.command = compare(view, {});
  return {finding};
}

}  // namespace ogee::monitor::rules
