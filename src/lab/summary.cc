#include "lab/summary.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "lab/arm.h"
#include "lab/course.h"
#include "lab/plan.h"
#include "monitor/json.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;

Json numbers(const std::vector<double>& values) {
  Json array = Json::array();
  for (const double value : values) array.push_back(number(value));
  return array;
}

Json ends(const Interval& interval) { return Json::array({number(interval.low), number(interval.high)}); }

// What the monitor found in an arm's runs, rule by rule; the words are those of the first run that shows it.
Json watched(const Arm& arm) {
  std::vector<std::pair<const monitor::Finding*, int>> rules;
  for (const StoredRun* run : arm.results) {
    std::set<std::string> here;
    for (const monitor::Finding& finding : run->result.findings) {
      if (finding.severity == monitor::Severity::note || !here.insert(finding.rule).second) continue;
      const auto known =
          std::find_if(rules.begin(), rules.end(), [&](const auto& r) { return r.first->rule == finding.rule; });
      if (known == rules.end()) {
        rules.emplace_back(&finding, 1);
      } else {
        ++known->second;
      }
    }
  }
  Json json = Json::array();
  for (const auto& [finding, runs] : rules)
    json.push_back({{"rule", finding->rule},
                    {"runs", runs},
                    {"of", arm.results.size()},
                    {"layer", finding->layer},
                    {"since", finding->since},
                    {"evidence", finding->evidence},
                    {"why", finding->why},
                    {"advice", finding->advice},
                    {"explained", finding->explained}});
  return json;
}

Json run_json(const StoredRun& run) {
  Json points = Json::array();
  for (const Point& point : run.result.points) {
    points.push_back({{"epoch", point.epoch},
                      {"train_loss", number(point.train_loss)},
                      {"validation_error", number(point.validation_error)},
                      {"validation_loss", number(point.validation_loss)},
                      {"gradients", numbers(point.gradients)}});
    if (!point.scheduled.empty()) points.back()["scheduled"] = point.scheduled;
  }
  const RunResult& result = run.result;
  Json json{{"seed", run.key.seed}, {"status", name_of(result.status)}};
  if (!result.message.empty()) json["message"] = result.message;
  json["test_error"] = number(result.test_error);
  json["test_loss"] = number(result.test_loss);
  if (!result.further.empty()) json["further"] = result.further;
  json["validation_error"] = number(result.validation_error);
  json["validation_loss"] = number(result.validation_loss);
  json["dead"] = number(result.dead);
  json["saturated"] = number(result.saturated);
  json["memory_mib"] = number(result.memory);
  json["ms_per_step"] = number(result.ms_per_step);
  json["seconds"] = number(result.seconds);
  json["findings"] = result.findings;
  json["points"] = std::move(points);
  return json;
}

// Of all its runs, those that tuned it included.
double seconds_of(const Arm& arm) {
  double seconds = 0;
  for (const auto* runs : {&arm.tuning, &arm.results})
    for (const StoredRun* run : *runs)
      if (std::isfinite(run->result.seconds)) seconds += run->result.seconds;
  return seconds;
}

// The means over runs that finished.
std::map<std::string, double> further_of(const Arm& arm) {
  std::map<std::string, double> means;
  for (const StoredRun* run : arm.results)
    if (run->result.status == Status::finished)
      for (const auto& [name, value] : run->result.further) means[name] += value / static_cast<double>(arm.finished);
  return means;
}

Json arm_json(const Arm& arm, const DataFacts& data) {
  const Activation activation(arm.activation);
  Json json{{"activation", arm.name},
            {"family", family_of(activation.function())},
            {"formula", activation.spec().formula},
            {"verdict", words_of(arm.verdict)},
            {"seeds_finished", arm.finished},
            {"seeds_diverged", arm.diverged},
            {"seeds_failed", arm.failed}};
  json["test_error"] = {{"mean", number(arm.error)},
                        {"low", number(arm.interval.low)},
                        {"high", number(arm.interval.high)},
                        {"deviation", number(deviation(arm.errors))},
                        {"bca", ends(arm.bca)}};
  if (arm.stopped_after > 0) json["stopped_after_seeds"] = arm.stopped_after;
  json["probability_best"] = number(arm.best_probability);
  json["train_loss"] = number(arm.train_loss);
  json["validation_loss"] = number(arm.validation_loss);
  json["test_loss"] = number(arm.loss);
  if (const auto further = further_of(arm); !further.empty()) json["further"] = further;
  json["ms_per_step"] = number(arm.ms_per_step);
  json["seconds"] = seconds_of(arm);
  json["memory_mib"] = number(arm.memory);
  json["parameters"] = arm.parameters;
  json["dead"] = number(arm.dead);
  json["saturated"] = number(arm.saturated);
  json["gradient_ratio"] = {{"start", number(arm.ratio_start)}, {"end", number(arm.ratio_end)}};
  json["learning_rate"] = number(arm.rate);
  json["learning_rate_at_edge"] = arm.rate_at_edge;
  if (!arm.attributes.empty()) json["attributes"] = arm.attributes;
  const Against& against = arm.against;
  if (arm.verdict != Verdict::best && against.pairs > 0)
    json["against_best"] = {{"difference", number(against.difference)},
                            {"low", number(against.interval.low)},
                            {"high", number(against.interval.high)},
                            {"pairs", against.pairs},
                            {"alone", ends(against.alone)},
                            {"effect", number(against.effect.size)},
                            {"effect_interval", ends(against.effect.interval)},
                            {"p_t", number(against.t_p)},
                            {"p_t_holm", number(against.t_holm)},
                            {"p_t_lowest", number(against.t_lowest)},
                            {"p_sign_flip", number(against.flip_p)},
                            {"p_sign_flip_holm", number(against.flip_holm)},
                            {"words", words_of(arm, data)}};
  json["gradients"] = {{"start", numbers(arm.gradients_start)}, {"end", numbers(arm.gradients_end)}};
  Json tuning = Json::array();
  for (const StoredRun* run : arm.tuning)
    tuning.push_back({{"stage", name_of(run->key.stage)},
                      {"seed", run->key.seed},
                      {"learning_rate", run->key.rate},
                      {"attributes", run->key.attributes},
                      {"steps", run->key.steps},
                      {"status", name_of(run->result.status)},
                      {"validation_error", number(run->result.validation_error)},
                      {"validation_loss", number(run->result.validation_loss)}});
  json["tuning"] = std::move(tuning);
  json["watched"] = watched(arm);
  json["curve"] = curve_of(arm);
  json["by_layer"] = layers_of(arm);
  Json runs = Json::array();
  for (const StoredRun* run : arm.results) runs.push_back(run_json(*run));
  json["runs"] = std::move(runs);
  return json;
}

}  // namespace

Json summarise(const Experiment& experiment, const DataFacts& data, const Environment& environment,
               const std::vector<StoredRun>& runs) {
  const Judged judged = judge(experiment, data, runs);
  const auto wanted = replay(experiment, runs).runs();
  Json json;
  json["what"] = "ogee compare";
  json["complete"] = static_cast<std::int64_t>(runs.size()) >= wanted;
  json["runs_done"] = runs.size();
  json["runs_wanted"] = wanted;
  const auto name_at = [&](int i) {
    return i < 0 ? Json(nullptr) : Json(judged.arms[static_cast<std::size_t>(i)].name);
  };
  Json rule_list = Json::array();
  for (const Rule& rule : rules(judged, data)) rule_list.push_back({{"rule", rule.rule}, {"text", rule.text}});
  json["recommendation"] = {{"arm", name_at(judged.chosen)},
                            {"lowest", name_at(judged.best)},
                            {"text", recommend(judged, experiment, data)},
                            {"rules", std::move(rule_list)}};
  json["remarks"] = remarks(judged, experiment, data);
  json["metric"] = data.metric;
  json["share"] = data.share();  // shown in per cent
  json["data"] = {{"name", data.name},   {"goal", data.goal},
                  {"shape", data.shape}, {"classes", data.classes},
                  {"train", data.train}, {"validation", data.validation},
                  {"test", data.test},   {"baseline", number(data.baseline)}};
  json["experiment"] = to_json(experiment);
  json["statistics"] = {
      {"interval", "95 %, Student's t over seeds; beside it BCa, which covers too little with few seeds"},
      {"difference",
       "paired by seed against the lowest mean; 95 % Student's t, for all arms together, whichever came "
       "out lowest; `alone`: for this pair by itself"},
      {"tests",
       "paired t (p_t), corrected for choosing the lowest arm (p_t_lowest) or by Holm as if it had been named "
       "beforehand (p_t_holm); exact sign-flip permutation, Holm-corrected over all pairs; all two-sided"},
      {"effect", "mean difference over the deviation of differences, with Hedges' correction; 95 %, noncentral t"},
      {"probability_best", "posterior of the lowest true mean, flat prior, paired"},
      {"smallest_sign_flip_p", smallest_sign_flip(static_cast<std::size_t>(experiment.seeds))},
      {"worse",
       "p_t_lowest below 0.04, and the sign flips below 0.05 or as low as the seeds allow: wrong of any arm in at most "
       "5 % of comparisons, arms stopped early included"},
      {"probably worse", "an indication: p_t_holm below 0.05, and the sign flips likewise"},
      {"stopped", "validation errors, one-sided paired t, 0.01 spread over all pairs and looks"},
      {"measured", "docs/statistics.md"},
  };
  json["environment"] = {{"command", environment.command},
                         {"simd", environment.target},
                         {"libtorch", environment.libtorch},
                         {"workers", environment.workers},
                         {"seconds", environment.seconds}};
  if (!environment.note.empty()) json["environment"]["note"] = environment.note;
  json["arms"] = Json::array();
  for (const Arm& arm : judged.arms) json["arms"].push_back(arm_json(arm, data));
  return json;
}

}  // namespace ogee::lab
