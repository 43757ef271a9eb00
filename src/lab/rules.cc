// The documents' rules of thumb, beside what the runs show of each.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "lab/arm.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

// The longer step from which exponentials, or anything, count as a cost.
constexpr double noticeable_cost = 1.1;
// Fewer training examples than this for each parameter are few.
constexpr double enough_examples = 1;

std::string function_of(const Arm& arm) { return std::string(Activation(arm.activation).spec().name); }

// The usable arm of a function with the lowest error; null if there is none.
const Arm* find(const Judged& judged, const std::vector<std::string>& functions) {
  const Arm* found = nullptr;
  for (const Arm& arm : judged.arms)
    if ((arm.usable() || arm.verdict == Verdict::stopped) &&
        std::find(functions.begin(), functions.end(), function_of(arm)) != functions.end() &&
        (!found || arm.error < found->error))
      found = &arm;
  return found;
}

const Arm* lowest(const Judged& judged, bool gated) {
  const Arm* found = nullptr;
  for (const Arm& arm : judged.arms)
    if (arm.usable() && (arm.simplicity == 4) == gated && (!found || arm.error < found->error)) found = &arm;
  return found;
}

// "elu's error is 0.31 points [0.10, 0.52] lower than relu's"
std::string difference(const Arm& arm, const Arm& other, const DataFacts& data) {
  const Against against = compare_pair(arm, other, data);
  const bool lower = against.difference < 0;
  const double sign = lower ? -1 : 1;
  Interval interval{sign * against.alone.low, sign * against.alone.high};
  if (interval.low > interval.high) std::swap(interval.low, interval.high);
  const std::string amount = data.share() ? fmt::format("{:.2f} points", 100 * std::abs(against.difference))
                                          : fmt::format("{:.4g}", std::abs(against.difference));
  const std::string range = show_interval(interval, data);
  const bool seen = interval.low > 0;
  return fmt::format("{}'s {} is {}{} {} than {}'s{}", arm.name, data.metric, amount, range.empty() ? "" : " " + range,
                     lower ? "lower" : "higher", other.name,
                     seen || range.empty() ? "" : ", which these seeds cannot tell from nothing");
}

std::string cost(const Arm& arm, const Arm& other) {
  const double ratio = arm.ms_per_step / other.ms_per_step;
  return fmt::format("a step costs {:.2f} ms against {}'s {:.2f} ({:+.0f} %)", arm.ms_per_step, other.name,
                     other.ms_per_step, 100 * (ratio - 1));
}

std::string simple_first(const Judged& judged, const DataFacts& data) {
  const Arm* relu = find(judged, {"relu"});
  if (!relu)
    return "relu, the cheapest, was not among the arms that can be judged: add it, and see whether it is enough.";
  const Arm& best = judged.arms[static_cast<std::size_t>(judged.best)];
  if (relu == &best) return fmt::format("relu has the lowest {}: nothing else is needed.", data.metric);
  std::string text = difference(*relu, best, data);
  switch (relu->verdict) {
    case Verdict::worse: return text + ": relu is not enough here.";
    case Verdict::likely_worse: return text + ": relu is probably not enough here.";
    case Verdict::stopped: return text + ": relu was stopped, as it could not win.";
    default:
      return text + (compare_pair(*relu, best, data).alone.low > 0 ? ": these seeds speak against relu, without proof."
                                                                   : ": relu may well be enough.");
  }
}

std::string when_units_die(const Judged& judged, const DataFacts& data) {
  const Arm* relu = find(judged, {"relu"});
  if (!relu) return "";
  std::vector<std::string> signs;
  if (relu->dead > 0.01) signs.push_back(fmt::format("{:.0f} % of relu's units are dead", 100 * relu->dead));
  for (const auto& [rule, words] : {std::pair{"dead_units", "dead units"},
                                    {"dying", "units dying"},
                                    {"not_zero_centred", "outputs off zero"},
                                    {"one_signed_gradients", "gradients of one sign"}})
    if (const std::size_t runs = relu->runs_with(rule))
      signs.push_back(fmt::format("the monitor saw {} in {} of {} runs", words, runs, relu->results.size()));
  std::string text = signs.empty() ? std::string("relu's units live and the monitor saw no harm: no need")
                                   : fmt::format("{}", fmt::join(signs, ", "));
  const Arm* leaky = find(judged, {"leaky_relu", "elu"});
  if (leaky) return text + "; " + difference(*leaky, *relu, data) + ".";
  return text + (signs.empty() ? "." : "; add leaky_relu and elu to the arms.");
}

std::string exponentials(const Judged& judged, const DataFacts& data) {
  const Arm* elu = find(judged, {"elu"});
  const Arm* plain = find(judged, {"leaky_relu"});
  if (!plain) plain = find(judged, {"relu"});
  if (!elu || !plain) return "";
  const bool dear = elu->ms_per_step > noticeable_cost * plain->ms_per_step;
  return fmt::format("{}: {}; {}.", cost(*elu, *plain), dear ? "the exponentials are felt" : "they are affordable here",
                     difference(*elu, *plain, data));
}

std::string enough_data(const Judged& judged, const DataFacts& data) {
  const Arm* learned = find(judged, {"prelu", "rrelu"});
  if (!learned) return "";
  const double examples = static_cast<double>(data.train) / static_cast<double>(learned->parameters);
  const Arm* relu = find(judged, {"relu"});
  std::string text = fmt::format("{} training examples for {} parameters are {}", data.train, learned->parameters,
                                 examples < enough_examples ? "few" : "enough");
  if (relu && std::isfinite(learned->train_loss) && std::isfinite(relu->train_loss))
    text += fmt::format(
        "; from the training to the validation loss {} goes from {:.3f} to {:.3f}, relu from {:.3f} to "
        "{:.3f}{}",
        learned->name, learned->train_loss, learned->validation_loss, relu->train_loss, relu->validation_loss,
        learned->validation_loss - learned->train_loss > 1.2 * (relu->validation_loss - relu->train_loss)
            ? ": it over-fits more"
            : "");
  if (const std::size_t runs = learned->runs_with("learned_slopes_overfitting"))
    text += fmt::format("; the monitor saw its slopes over-fit in {} of {} runs", runs, learned->results.size());
  return text + (relu ? "; " + difference(*learned, *relu, data) : "") + ".";
}

std::string capacity(const Judged& judged, const DataFacts& data) {
  const Arm *gated = lowest(judged, true), *plain = lowest(judged, false);
  if (!gated || !plain) return "";
  const bool fits = plain->train_loss < 0.5 * plain->validation_loss;
  return fmt::format(
      "{} (matched in parameters); {}; {}.", difference(*gated, *plain, data), cost(*gated, *plain),
      fits ? "the network fits its training data far better than the validation data: capacity there is, "
             "examples are what is short"
           : "the training loss is close to the validation loss: a larger network may serve a gate better");
}

}  // namespace

std::vector<Rule> rules(const Judged& judged, const DataFacts& data) {
  if (judged.best < 0) return {};
  std::vector<Rule> result;
  const auto add = [&](const char* rule, std::string text) {
    if (!text.empty()) result.push_back({rule, std::move(text)});
  };
  add("simple first: relu", simple_first(judged, data));
  add("leaky relu or elu when units die or outputs sit off zero", when_units_die(judged, data));
  add("elu only where exponentials are affordable", exponentials(judged, data));
  add("prelu and rrelu with enough data", enough_data(judged, data));
  add("gated when there is capacity", capacity(judged, data));
  return result;
}

}  // namespace ogee::lab
