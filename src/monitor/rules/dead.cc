// Units that pass no gradient: for all that was ever seen, or more and more of them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "monitor/rules/rules.h"

namespace ogee::monitor::rules {
namespace {

// A unit that fires for one example in fifty is quiet, not dead: only so many elements without one tell them apart.
constexpr double enough_seen = 400;
// Drawn at random, some rectifiers of a deep network never fire: that many cost little.
constexpr double many_in_layer = 0.3;
constexpr double many_in_all = 0.2;
constexpr double most = 0.6;
// Dying: so many more units silent than in the first windows. A network that learns may lose a quarter of a narrow
// layer on the way.
constexpr double risen = 0.2, risen_where_it_learns = 0.35;
constexpr std::size_t fewest_windows = 6;

struct Count {
  double dead = 0, units = 0;
  double share() const { return units > 0 ? dead / units : 0; }
};

Count dead_in(const Layer& layer) {
  Count count;
  for (const Unit& unit : layer.unit) {
    if (!(unit.seen >= enough_seen)) continue;
    ++count.units;
    if (unit.zero_slope >= unit.seen && !(unit.gradient > 0)) ++count.dead;
  }
  return count;
}

// Monotonic enough: pairs of windows in order, less those out of order, over all.
double trend(const std::vector<double>& values) {
  double sum = 0, pairs = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i + 1; j < values.size(); ++j) {
      if (!std::isfinite(values[i]) || !std::isfinite(values[j])) continue;
      sum += values[j] > values[i] ? 1 : values[j] < values[i] ? -1 : 0;
      ++pairs;
    }
  }
  return pairs > 0 ? sum / pairs : 0;
}

std::vector<std::string> alternatives() { return {"leaky_relu", "elu", "gelu"}; }

}  // namespace

Findings dead_units(const View& view) {
  Hits hits;
  double dead = 0, units = 0, worst = 0;
  for (const Reading& reading : view.layers) {
    const Count count = dead_in(*reading.layer);
    dead += count.dead;
    units += count.units;
    if (count.share() < many_in_layer) continue;
    hits.push_back(&reading);
    worst = std::max(worst, count.share());
  }
  const double all = units > 0 ? dead / units : 0;
  if (hits.empty() && all < many_in_all) return {};
  if (hits.empty())
    for (const Reading& reading : view.layers)
      if (dead_in(*reading.layer).share() >= many_in_all) hits.push_back(&reading);
  Finding finding = about(view, "dead_units", hits);
  worst = std::max(worst, all);
  finding.severity = worst >= most ? Severity::error : Severity::warning;
  finding.sure = sure(view.windows, worst / many_in_all);
  finding.since = first_since(hits, [&](const Snapshot& s) { return s.silent_units >= 0.8 * many_in_all; });
  finding.evidence = fmt::format(
      "{}: {:.0f} of {:.0f} units had slope 0 for everything seen and got no gradient; at worst {} of a layer",
      where(view, hits), dead, units, percent(worst));
  finding.why =
      "A unit whose input is on the flat side for every example gets no gradient, so that nothing can bring it back: "
      "it is width paid for and not there.";
  finding.advice =
      "Start biases at 0 or slightly above, lower the learning rate, normalise before the function, or take one whose "
      "slope is not 0 on the left.";
  finding.command = compare(view, alternatives());
  return {finding};
}

Findings dying(const View& view) {
  Hits hits;
  double from = 0, to = 0;
  const double enough = view.learning ? risen_where_it_learns : risen;
  for (const Reading& reading : view.layers) {
    const Layer& layer = *reading.layer;
    const double before = std::min(layer.first.silent_units, reading.early.silent_units),
                 now = reading.recent.silent_units;
    if (layer.history.size() < fewest_windows || !(now - before >= enough)) continue;
    if (trend(course(layer, &Snapshot::silent_units)) < 0.2) continue;
    // Not the units that were dead all along: those are dead_units'.
    if (dead_in(layer).share() >= 0.8 * now) continue;
    if (hits.empty() || now - before > to - from) from = before, to = now;
    hits.push_back(&reading);
  }
  if (hits.empty()) return {};
  Finding finding = about(view, "dying", hits);
  finding.severity = to >= most ? Severity::error : Severity::warning;
  finding.sure = sure(view.windows, (to - from) / risen);
  finding.since = first_since(hits, [&](const Snapshot& s) { return s.silent_units >= from + 0.5 * risen; });
  finding.evidence =
      fmt::format("{}: {} of the units had slope 0 for every example of a window in the beginning, {} do now",
                  where(view, hits), percent(from), percent(to));
  finding.why =
      "A step that is too large throws a unit's bias so far that no example reaches its active side; then no gradient "
      "brings it back.";
  finding.advice =
      "Lower the learning rate (or warm it up), clip the gradient, or take a function whose slope is not 0 on the "
      "left.";
  finding.command = compare(view, alternatives());
  return {finding};
}

}  // namespace ogee::monitor::rules
