// Inputs of a function whose distribution moves while the network trains, or is far from normal.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "monitor/rules/rules.h"

namespace ogee::monitor::rules {
namespace {

// A window's mean further off than this from the window before, in deviations, again and again. The first third of a
// training is left out: then every network moves.
constexpr double drifts = 0.3;
constexpr double drifts_far = 1;
// The same, unit by unit, where the few examples of a window add noise.
constexpr double units_drift = 0.5;
constexpr std::size_t fewest_windows = 6;
// A network that learns moves its units by doing so: there it takes so many times as much.
constexpr double learning_leave = 3;
// Excess kurtosis: 3 is Laplace's distribution, 6 the exponential one's. Sizes of examples that differ give a few.
constexpr double heavy_tails = 20;
constexpr double skewed = 4;

// Windows further apart see more of the way that every network goes: thresholds grow with the square root of the steps
// between two, as random steps add up; what drifts one way grows with the steps themselves.
constexpr double usual_gap = 5;
// Directions, and units' means with them, are looked at every eighth call.
constexpr double calls_between_looks = 8;

struct Thresholds {
  double layer = drifts, units = units_drift;
};

Thresholds thresholds_of(const Layer& layer) {
  const auto count = static_cast<double>(std::max<std::int64_t>(layer.windows - 1, 1));
  const double gap = static_cast<double>(layer.steps_as_seen - layer.first.step) / count;
  const double calls = static_cast<double>(layer.calls) / (count + 1);
  const double windows_a_look = calls > 0 ? std::max(1.0, std::ceil(calls_between_looks / calls)) : 1;
  const double looks = gap * windows_a_look / (4 * usual_gap);
  return {drifts * std::sqrt(std::max(1.0, gap / usual_gap)), units_drift * std::sqrt(std::max(1.0, looks))};
}

constexpr std::size_t fewest_looks = 3;

// The units' moves between looks, in the later half of them. Between looks a window repeats what the last one saw.
double units_moved(const Layer& layer) {
  std::vector<double> moves;
  for (const Snapshot& s : layer.history)
    if (std::isfinite(s.unit_drift) && (moves.empty() || moves.back() != s.unit_drift)) moves.push_back(s.unit_drift);
  if (moves.size() < fewest_looks) return not_measured;
  return median({moves.begin() + static_cast<std::ptrdiff_t>(moves.size() / 2), moves.end()});
}

}  // namespace

Findings covariate_drift(const View& view) {
  Hits hits;
  double worst = 0, travelled = 0, moved = 0;
  for (const Reading& reading : view.layers) {
    const Layer& layer = *reading.layer;
    const Thresholds thresholds = thresholds_of(layer);
    const double layer_drift = reading.recent.drift / thresholds.layer, moves = units_moved(layer);
    const double drift =
        moves / thresholds.units > layer_drift || std::isnan(layer_drift) ? moves / thresholds.units : layer_drift;
    if (layer.history.size() < fewest_windows || !(drift >= (view.learning ? learning_leave : 1))) continue;
    hits.push_back(&reading);
    const double way = std::abs(layer.history.back().z_mean - layer.first.z_mean) / reading.recent.z_deviation;
    if (drift > worst) {
      worst = drift;
      travelled = way;
      moved = moves > reading.recent.drift ? moves : reading.recent.drift;
    }
  }
  if (hits.empty()) return {};
  Finding finding = about(view, "covariate_drift", hits);
  finding.severity = moved >= drifts_far ? Severity::error : Severity::warning;
  finding.sure = sure(view.windows, worst);
  finding.since =
      first_since(hits, [&](const Snapshot& s) { return s.drift >= 0.5 * moved || s.unit_drift >= 0.5 * moved; });
  finding.evidence = fmt::format(
      "{}: the mean of the inputs moves by up to {} of their deviation from one window to the next, and still does; "
      "{} deviations since the first window",
      where(view, hits), number(moved), number(travelled));
  finding.why =
      "Each layer learns for inputs that will not be there any more: it chases the layers before it, or data that "
      "change.";
  finding.advice =
      "Normalise before the function (batch or layer normalisation), lower the learning rate of what lies before, and "
      "see whether the data come in an order: shuffle them.";
  finding.command = compare(view, {"selu", "elu"});
  return {finding};
}

Findings non_normal(const View& view) {
  Hits hits;
  double kurtosis = 0, skew = 0;
  for (const Reading& reading : view.layers) {
    const Snapshot& s = reading.recent;
    if (!(s.z_kurtosis >= heavy_tails) && !(std::abs(s.z_skew) >= skewed)) continue;
    hits.push_back(&reading);
    if (s.z_kurtosis > kurtosis) kurtosis = s.z_kurtosis;
    if (std::abs(s.z_skew) > std::abs(skew)) skew = s.z_skew;
  }
  if (hits.empty()) return {};
  Finding finding = about(view, "non_normal", hits);
  finding.severity = Severity::warning;
  finding.sure = sure(view.windows, std::max(kurtosis / heavy_tails, std::abs(skew) / skewed));
  finding.since =
      first_since(hits, [](const Snapshot& s) { return s.z_kurtosis >= heavy_tails || std::abs(s.z_skew) >= skewed; });
  finding.evidence = fmt::format(
      "{}: inputs of the function have skew up to {} and excess kurtosis up to {} (a normal distribution: 0, 0)",
      where(view, hits), number(skew), number(kurtosis));
  finding.why =
      "A few very large inputs set the scale and the rest lie close together, where the function is nearly linear: "
      "the layer answers to outliers, and over-fits to them.";
  finding.advice =
      "Look for outliers in the data and for single huge weights; normalise before the function, or clip the gradient.";
  finding.command = compare(view, {"tanh", "softsign"});
  return {finding};
}

}  // namespace ogee::monitor::rules
