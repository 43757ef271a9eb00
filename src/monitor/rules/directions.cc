// Units that all say the same.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "monitor/rules/rules.h"

namespace ogee::monitor::rules {
namespace {

// The sketch holds at most this many units.
constexpr double sketched = 32;
// Fewer directions than this in a layer of at least so many units.
constexpr double few_directions = 1.7;
constexpr std::int64_t fewest_units = 8;
constexpr double alike = 0.75;
constexpr double very_few_directions = 1.1;
// Units that began as copies of one another come apart slowly: a layer counts until they are this different.
constexpr double copies = 0.9, still_alike = 0.55;

double directions_of(const Layer& layer, const Snapshot& s) {
  return s.rank * std::min(sketched, static_cast<double>(layer.units));
}

bool collapsed(const Layer& layer, const Snapshot& s) {
  return layer.units >= fewest_units && directions_of(layer, s) <= few_directions && s.correlation >= alike;
}

bool copied(const Reading& reading) {
  return collapsed(*reading.layer, reading.layer->first) && reading.layer->first.correlation >= copies &&
         reading.recent.correlation >= still_alike;
}

}  // namespace

Findings collapsed_rank(const View& view) {
  Hits hits;
  double least = few_directions, correlation = 0;
  for (const Reading& reading : view.layers) {
    if (!collapsed(*reading.layer, reading.recent) && !copied(reading)) continue;
    hits.push_back(&reading);
    const double directions = directions_of(*reading.layer, reading.recent);
    if (directions <= least || hits.size() == 1) least = directions, correlation = reading.recent.correlation;
  }
  if (hits.empty()) return {};
  Finding finding = about(view, "collapsed_rank", hits);
  finding.severity = least <= very_few_directions ? Severity::error : Severity::warning;
  finding.sure = sure(view.windows, few_directions / least);
  const Layer& layer = *hits.front()->layer;
  finding.since = collapsed(layer, layer.first) ? layer.first.step
                                                : since(layer, [&](const Snapshot& s) { return collapsed(layer, s); });
  finding.evidence =
      fmt::format("{}: the outputs span as few as {} directions, of {} units; mean |correlation| between units {}",
                  where(view, hits), number(least), layer.units, number(correlation));
  finding.why =
      "Units that rise and fall together get the same gradient and stay together: the layer is as wide as one of them.";
  finding.advice =
      "Draw each unit's weights differently and at random (no constants), with the function's gain over sqrt(fan_in); "
      "in deep stacks normalise or add residual connections, as depth alone makes examples alike.";
  finding.command = compare(view, {"selu", "tanh"});
  return {finding};
}

}  // namespace ogee::monitor::rules
