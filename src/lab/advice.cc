#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "lab/arm.h"

namespace ogee::lab {
namespace {

constexpr double vanishing = 1e-3, exploding = 1e3, many = 0.5;

std::string list(const std::vector<std::string>& names) {
  if (names.size() < 2) return names.empty() ? "" : names[0];
  return fmt::format("{} and {}", fmt::join(names.begin(), names.end() - 1, ", "), names.back());
}

std::vector<std::string> names_where(const Judged& judged, std::initializer_list<Verdict> verdicts) {
  std::vector<std::string> names;
  for (const Arm& arm : judged.arms)
    if (std::find(verdicts.begin(), verdicts.end(), arm.verdict) != verdicts.end()) names.push_back(arm.name);
  return names;
}

std::string show_difference(const Arm& arm, const DataFacts& data) {
  const double scale = data.share() ? 100 : 1;
  const char* unit = data.share() ? " points" : "";
  std::string text = data.share() ? fmt::format("{:.2f}{}", scale * arm.against.difference, unit)
                                  : fmt::format("{:.4g}", arm.against.difference);
  if (std::isfinite(arm.against.interval.low)) text += " " + show_interval(arm.against.interval, data);
  return text;
}

std::string cost_against(const Arm& arm, const Arm& other) {
  return fmt::format("{:.2f} ms a step against {:.2f}{}", arm.ms_per_step, other.ms_per_step,
                     std::isfinite(arm.memory) && std::isfinite(other.memory)
                         ? fmt::format(", {:.3g} MiB against {:.3g}", arm.memory, other.memory)
                         : "");
}

// "0.31 points": half a width or a bound, without sign.
std::string amount(double difference, const DataFacts& data) {
  return data.share() ? fmt::format("{:.2f} points", 100 * difference) : fmt::format("{:.4g}", difference);
}

std::string failures(const Judged& judged, const DataFacts& data) {
  std::vector<std::string> parts;
  for (const Arm& arm : judged.arms) {
    const bool vanishes = arm.ratio_start < vanishing;
    const auto gradient = [&] {
      return fmt::format("its gradient reaches the first layer {:.0e} times as strong as the last", arm.ratio_start);
    };
    if (arm.verdict == Verdict::not_learned)
      parts.push_back(fmt::format("{} hardly learned ({} {}{})", arm.name, data.metric, show_error(arm.error, data),
                                  vanishes ? ": " + gradient() : ""));
    else if (arm.verdict == Verdict::diverged)
      parts.push_back(fmt::format("{} diverged in {} of {} runs", arm.name, arm.diverged, arm.results.size()));
    else if (arm.verdict == Verdict::failed)
      parts.push_back(fmt::format("{} could not run ({})", arm.name, arm.message));
    else if (vanishes)
      parts.push_back(fmt::format("{} suffers from a vanishing gradient ({})", arm.name, gradient()));
  }
  return parts.empty() ? "" : "; " + fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace

std::string show_error(double value, const DataFacts& data) {
  if (!std::isfinite(value)) return "-";
  return data.share() ? fmt::format("{:.2f} %", 100 * value) : fmt::format("{:.4g}", value);
}

std::string show_interval(const Interval& interval, const DataFacts& data) {
  if (!std::isfinite(interval.low)) return "";
  return data.share() ? fmt::format("[{:.2f}, {:.2f}]", 100 * interval.low, 100 * interval.high)
                      : fmt::format("[{:.4g}, {:.4g}]", interval.low, interval.high);
}

std::string recommend(const Judged& judged, const Experiment& experiment, const DataFacts& data) {
  if (judged.best < 0) {
    const bool any =
        std::any_of(judged.arms.begin(), judged.arms.end(), [](const Arm& a) { return !a.results.empty(); });
    return any ? fmt::format(
                     "No arm is worth using here: none learned better than a constant answer without "
                     "diverging. Nothing can be said about the others{}.",
                     failures(judged, data))
               : "Nothing can be said yet, as no arm has come through its tuning. The same command again goes on from "
                 "here.";
  }
  const Arm& best = judged.arms[static_cast<std::size_t>(judged.best)];
  const Arm& chosen = judged.arms[static_cast<std::size_t>(judged.chosen)];
  const std::string metric = "test " + data.metric;
  const auto level_of = [&](const Arm& arm) {
    const std::string interval = show_interval(arm.interval, data);
    return show_error(arm.error, data) + (interval.empty() ? "" : " " + interval);
  };
  std::string text;
  if (judged.best != judged.chosen) {
    text = fmt::format(
        "Use {}: its {}, {}, cannot be told apart from the lowest, {}'s {} (difference {}, sign-flip "
        "p = {:.2g}), and it {} ({}). ",
        chosen.name, metric, level_of(chosen), best.name, level_of(best), show_difference(chosen, data),
        chosen.against.flip_p, best.troubled && !chosen.troubled ? "keeps its units alive" : "is simpler",
        cost_against(chosen, best));
  } else {
    text = fmt::format("Use {}: it has the lowest {}, {}, at {:.2f} ms a step{}{}. ", chosen.name, metric,
                       level_of(chosen), chosen.ms_per_step,
                       std::isfinite(chosen.memory) ? fmt::format(" and {:.3g} MiB", chosen.memory) : "",
                       chosen.simplicity == 0 ? ", and nothing is simpler" : "");
  }
  const std::size_t seeds = chosen.finished;
  if (seeds < 2) {
    return text + fmt::format(
                      "How sure: not at all, as one seed shows nothing of the noise between seeds: run at "
                      "least --seeds 5{}.",
                      failures(judged, data));
  }
  const auto worse = names_where(judged, {Verdict::worse}), likely = names_where(judged, {Verdict::likely_worse});
  const bool level_with = !names_where(judged, {Verdict::no_difference}).empty();
  std::string sure = fmt::format("How sure: {} seeds on one split of the data", seeds);
  if (std::isfinite(best.best_probability) && judged.arms.size() > 1) {
    sure += fmt::format("; {} is the best with probability {:.2f}", best.name, best.best_probability);
    if (&chosen != &best && std::isfinite(chosen.best_probability))
      sure += fmt::format(", {} with {:.2f}", chosen.name, chosen.best_probability);
  }
  const auto stopped = names_where(judged, {Verdict::stopped});
  if (!stopped.empty()) sure += fmt::format("; stopped early, as they could not win any more: {}", list(stopped));
  if (!worse.empty()) sure += fmt::format("; worse than {}: {}", best.name, list(worse));
  if (!likely.empty()) sure += fmt::format("; probably worse than {}: {}", best.name, list(likely));
  if (level_with) {
    std::vector<std::string> bounds;
    for (const Arm& arm : judged.arms)
      if (arm.verdict == Verdict::no_difference)
        bounds.push_back(fmt::format("{} ({}{}{})", arm.name, bounds.empty() ? "smaller than " : "",
                                     amount(arm.against.bound(), data), bounds.empty() ? " with 95 % confidence" : ""));
    sure += fmt::format("; no difference seen between {} and {}, so that {} is a fair choice, not a proven winner",
                        best.name, list(bounds), chosen.name);
  } else if (!worse.empty() || !likely.empty()) {
    sure += fmt::format("; nothing comes level with {}", best.name);
  }
  const double floor = smallest_sign_flip(static_cast<std::size_t>(experiment.seeds));
  if (floor > 0.05)
    sure += fmt::format("; without assuming normal noise (sign flips), {} seeds cannot show more than p = {:.2g}",
                        experiment.seeds, floor);
  return text + sure + failures(judged, data) + ".";
}

std::string words_of(const Arm& arm, const DataFacts& data) {
  if (!std::isfinite(arm.against.bound())) return words_of(arm.verdict);
  if (arm.verdict == Verdict::no_difference)
    return fmt::format("no difference seen (smaller than {} with 95 % confidence)", amount(arm.against.bound(), data));
  return fmt::format("{} by {}", words_of(arm.verdict), show_difference(arm, data));
}

std::vector<std::string> remarks(const Judged& judged, const Experiment&, const DataFacts& data) {
  std::vector<std::string> lines = data.notes, at_edge;
  for (const Arm& arm : judged.arms) {
    if (arm.results.empty()) continue;
    if (!arm.attributes.empty()) lines.push_back(fmt::format("{}: tuning chose {}", arm.name, arm.attributes));
    if (arm.diverged + arm.failed > 0)
      lines.push_back(fmt::format("{}: {} of {} runs {}: {}", arm.name, arm.diverged + arm.failed, arm.results.size(),
                                  arm.diverged > 0 ? "diverged" : "failed", arm.message));
    if (arm.simplicity == 4)
      lines.push_back(
          fmt::format("{}: gated layers after the first normalise their input (x over its root mean square, no "
                      "parameters), as they do wherever they are used; ungated arms do without",
                      arm.name));
    if (arm.rate_at_edge) at_edge.push_back(fmt::format("{} ({:g})", arm.name, arm.rate));
    if (arm.ratio_start < vanishing)
      lines.push_back(
          fmt::format("{}: vanishing gradient: at initialisation the first layer gets {:.1e} of what the "
                      "last gets",
                      arm.name, arm.ratio_start));
    if (arm.ratio_start > exploding)
      lines.push_back(
          fmt::format("{}: exploding gradient: at initialisation the first layer gets {:.1e} times what "
                      "the last gets",
                      arm.name, arm.ratio_start));
    if (arm.dead > many) lines.push_back(fmt::format("{}: {:.0f} % of the units are dead", arm.name, 100 * arm.dead));
  }
  if (!at_edge.empty())
    lines.push_back(fmt::format(
        "the tuned learning rate is at the edge of the grid, so that a better one may lie beyond: {}", list(at_edge)));
  return lines;
}

}  // namespace ogee::lab
