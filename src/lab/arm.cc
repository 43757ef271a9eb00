#include "lab/arm.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <tuple>

#include "lab/family.h"
#include "lab/plan.h"
#include "lab/race.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

// The level of the tests, of which a race may have spent a part on stopping arms early.
constexpr double level = 0.05, level_left = level - Race::level;
// An error this close to that of a constant answer means that nothing was learned.
constexpr double learned_below = 0.9;
// So does an arm that gets less than this share of the best arm's advance over the constant answer.
constexpr double learned_share = 0.25;
// Among arms that cannot be told apart, a simpler one is preferred only if its mean is this close to the lowest: few
// seeds must not be a reason to recommend what looks clearly worse.
constexpr double close_enough = 1.25;

// The share of dead units from which a leak is worth having.
constexpr double many_dead = 0.1;

int simplicity_of(const std::string& name) {
  const Activation activation(name);
  const Spec& spec = activation.spec();
  if (spec.noise != Noise::none) return 5;
  if (spec.inputs > 1) return 4;
  for (const Parameter& parameter : spec.parameters)
    if (parameter.role == Role::learned) return 3;
  if (family_of(activation.function()) != "rectified") return 2;
  return spec.name == "relu" ? 0 : 1;
}

double mean_of(const Arm& arm, double RunResult::*field) {
  std::vector<double> values;
  for (const StoredRun* run : arm.results)
    if (run->result.status == Status::finished) values.push_back(run->result.*field);
  return values.empty() ? unknown : mean(values);
}

double largest_of(const Arm& arm, double RunResult::*field) {
  double largest = unknown;
  for (const StoredRun* run : arm.results) largest = std::fmax(largest, run->result.*field);
  return largest;
}

// The mean's interval, missed with this probability, within what an error can be.
Interval level_interval(const std::vector<double>& errors, double missed, const DataFacts& data) {
  if (errors.size() < 2) return {unknown, unknown};
  Interval interval = mean_interval(errors, 1 - missed, resolution_of(data, data.test));
  interval.low = std::max(interval.low, 0.0);
  if (data.share()) interval.high = std::min(interval.high, 1.0);
  return interval;
}

std::vector<double> geometric_means(const Arm& arm, bool at_end) {
  std::vector<double> logs;
  double count = 0;
  for (const StoredRun* run : arm.results) {
    if (run->result.points.empty()) continue;
    const auto& gradients = (at_end ? run->result.points.back() : run->result.points.front()).gradients;
    logs.resize(std::max(logs.size(), gradients.size()));
    for (std::size_t i = 0; i < gradients.size(); ++i)
      logs[i] += std::log(std::max(gradients[i], 1e-300));  // a gradient of exactly 0 still has a place on the chart
    ++count;
  }
  for (double& value : logs) value = std::exp(value / count);
  return logs;
}

double first_to_last(const std::vector<double>& gradients) {
  return gradients.empty() ? unknown : gradients.front() / gradients.back();
}

Arm gather(const std::string& name, const Experiment& experiment, const DataFacts& data,
           const std::vector<StoredRun>& runs) {
  Arm arm;
  arm.name = name;
  const ArmSettings& settings = experiment.arm(name);
  arm.activation = activation_of(settings);
  arm.simplicity = simplicity_of(arm.activation);
  for (const StoredRun& run : runs) {
    if (run.key.arm != name) continue;
    (run.key.stage == Stage::result ? arm.results : arm.tuning).push_back(&run);
  }
  std::vector<double> times;
  for (const StoredRun* run : arm.results) {
    const RunResult& result = run->result;
    arm.rate = run->key.rate;
    arm.attributes = run->key.attributes;
    arm.finished += result.status == Status::finished;
    arm.diverged += result.status == Status::diverged;
    arm.failed += result.status == Status::failed;
    if (result.status == Status::finished)
      arm.errors.push_back(result.test_error);
    else if (arm.message.empty())
      arm.message = result.message;
    arm.parameters = std::max(arm.parameters, result.parameters);
    if (std::isfinite(result.ms_per_step)) times.push_back(result.ms_per_step);
  }
  arm.rate_at_edge = experiment.learning_rate == 0 && settings.learning_rate == 0 && experiment.rates.size() > 1 &&
                     (arm.rate == experiment.rates.front() || arm.rate == experiment.rates.back());
  if (!arm.errors.empty()) {
    arm.error = mean(arm.errors);
    arm.interval = level_interval(arm.errors, level, data);
    arm.bca = bca_interval(arm.errors);
  }
  arm.loss = mean_of(arm, &RunResult::test_loss);
  arm.validation_loss = mean_of(arm, &RunResult::validation_loss);
  std::vector<double> losses;
  for (const StoredRun* run : arm.results)
    if (!run->result.points.empty() && std::isfinite(run->result.points.back().train_loss))
      losses.push_back(run->result.points.back().train_loss);
  if (!losses.empty()) arm.train_loss = mean(losses);
  arm.memory = largest_of(arm, &RunResult::memory);
  arm.dead = mean_of(arm, &RunResult::dead);
  arm.saturated = mean_of(arm, &RunResult::saturated);
  if (!times.empty()) {
    std::sort(times.begin(), times.end());
    arm.ms_per_step = times[times.size() / 2];
  }
  arm.troubled = arm.dead > many_dead || 2 * arm.runs_with("dead_units") > arm.results.size() ||
                 2 * arm.runs_with("dying") > arm.results.size();
  arm.gradients_start = geometric_means(arm, false);
  arm.gradients_end = geometric_means(arm, true);
  arm.ratio_start = first_to_last(arm.gradients_start);
  arm.ratio_end = first_to_last(arm.gradients_end);
  if (arm.results.empty())
    arm.verdict = Verdict::missing;
  else if (arm.diverged > 0)
    arm.verdict = Verdict::diverged;
  else if (arm.failed > 0)
    arm.verdict = Verdict::failed;
  else
    arm.verdict = arm.error >= learned_below * data.baseline ? Verdict::not_learned : Verdict::one_seed;
  return arm;
}

std::vector<double> paired_differences(const Arm& arm, const Arm& best) {
  std::vector<double> differences;
  for (const StoredRun* a : arm.results)
    for (const StoredRun* b : best.results)
      if (a->key.seed == b->key.seed && a->result.status == Status::finished && b->result.status == Status::finished)
        differences.push_back(a->result.test_error - b->result.test_error);
  return differences;
}

// Which arms were not given all seeds, as they could not win any more: what the race says, where it left its mark.
// Right whenever an arm was stopped: its interval is missed at every look together as rarely as the others' at the end.
void mark_stopped(std::vector<Arm>& arms, const Plan& plan, std::int64_t seeds, const DataFacts& data) {
  const auto looks = static_cast<double>(static_cast<std::size_t>(seeds) - Race::first_look + 1);
  for (Arm& arm : arms) {
    const auto out = plan.stopped().find(arm.name);
    if (out == plan.stopped().end()) continue;
    arm.stopped_after = static_cast<std::size_t>(out->second);
    if (arm.verdict == Verdict::one_seed) arm.verdict = Verdict::stopped;
    arm.interval = level_interval(arm.errors, level / looks, data);
  }
}

Against against_of(const std::vector<double>& differences, double missed, double resolution) {
  Against against;
  against.pairs = differences.size();
  if (differences.empty()) return against;
  against.difference = mean(differences);
  if (differences.size() < 2) return against;
  against.alone = t_interval(differences, 1 - level, std::sqrt(2) * resolution);
  against.interval = t_interval(differences, 1 - missed, std::sqrt(2) * resolution);
  against.effect = standardised(differences);
  against.t_p = t_test(differences, resolution);
  against.flip_p = sign_flip(differences);
  return against;
}

// Holm's correction over all pairs of the arms, for those with the best.
std::vector<double> flips_corrected(const std::vector<Arm*>& arms, const Arm& best) {
  std::vector<double> p;
  std::vector<std::size_t> with_best(arms.size(), 0);
  for (std::size_t i = 0; i < arms.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      if (arms[i] == &best || arms[j] == &best) with_best[arms[i] == &best ? j : i] = p.size();
      const double each = sign_flip(paired_differences(*arms[i], *arms[j]));
      p.push_back(std::isfinite(each) ? each : 1);
    }
  const auto corrected = holm(p);
  std::vector<double> result;
  for (std::size_t i = 0; i < arms.size(); ++i) result.push_back(arms[i] == &best ? 1 : corrected[with_best[i]]);
  return result;
}

void compare_with(std::vector<Arm>& arms, const Arm& best, const DataFacts& data) {
  const double resolution = resolution_of(data, data.test);
  std::vector<Arm*> family;  // whose pairs all count
  std::vector<std::size_t> seeds;
  for (Arm& arm : arms) {
    if (!arm.usable()) continue;
    family.push_back(&arm);
    seeds.push_back(arm.errors.size());
  }
  const SmallestAgainstLowest by_chance(seeds);
  std::vector<double> t_values;
  for (Arm& arm : arms) {
    if (&arm == &best || arm.errors.empty()) continue;
    arm.against = against_of(paired_differences(arm, best), by_chance.quantile(level), resolution);
    if (arm.usable() && arm.against.pairs > 1) t_values.push_back(arm.against.t_p);
  }
  const auto t_holm = holm(t_values), flip_holm = flips_corrected(family, best);
  std::size_t tested = 0;
  for (std::size_t i = 0; i < family.size(); ++i) {
    Arm& arm = *family[i];
    Against& against = arm.against;
    if (&arm == &best || against.pairs < 2) continue;
    against.t_holm = t_holm[tested++];
    against.t_lowest = by_chance.corrected(against.t_p);
    against.flip_holm = flip_holm[i];
    const bool agree = against.difference > 0 && against.flip_p <= std::max(level, smallest_sign_flip(against.pairs));
    if (agree && against.t_lowest < level_left)
      arm.verdict = Verdict::worse;
    else
      arm.verdict = agree && against.t_holm < level ? Verdict::likely_worse : Verdict::no_difference;
  }
}

// Among the arms that have as many seeds as the best.
void set_probabilities(std::vector<Arm>& arms, const Arm& best) {
  std::vector<Arm*> whole;
  std::vector<std::vector<double>> errors;
  for (Arm& arm : arms)
    if (arm.usable() && paired_differences(arm, best).size() == best.errors.size() &&
        arm.errors.size() == best.errors.size()) {
      whole.push_back(&arm);
      errors.push_back(arm.errors);
    }
  const auto probabilities = probabilities_of_best(errors);
  for (std::size_t i = 0; i < whole.size(); ++i) whole[i]->best_probability = probabilities[i];
}

}  // namespace

const char* words_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::best: return "lowest";
    case Verdict::no_difference: return "no difference seen";
    case Verdict::likely_worse: return "probably worse";
    case Verdict::worse: return "worse";
    case Verdict::one_seed: return "one seed: unknown";
    case Verdict::stopped: return "stopped: cannot win";
    case Verdict::not_learned: return "hardly learned";
    case Verdict::diverged: return "diverged";
    case Verdict::failed: return "could not run";
    case Verdict::missing: return "not run yet";
  }
  return "";
}

double resolution_of(const DataFacts& data, std::int64_t examples) {
  return data.counted() && examples > 0 ? 1 / static_cast<double>(examples) : 0;
}

namespace {

// The documents' order: simple first; but not what loses its units, while something nearly as simple does not.
std::tuple<bool, int, double> place_of(const Arm& arm) { return {arm.troubled, arm.simplicity, arm.error}; }

}  // namespace

std::size_t Arm::runs_with(const char* rule) const {
  return static_cast<std::size_t>(std::count_if(results.begin(), results.end(), [&](const StoredRun* run) {
    const auto& findings = run->result.findings;
    return std::any_of(findings.begin(), findings.end(), [&](const monitor::Finding& f) { return f.rule == rule; });
  }));
}

Against compare_pair(const Arm& arm, const Arm& other, const DataFacts& data) {
  return against_of(paired_differences(arm, other), level, resolution_of(data, data.test));
}

Judged judge(const Experiment& experiment, const DataFacts& data, const std::vector<StoredRun>& runs) {
  Judged judged;
  for (const std::string& name : experiment.activations) judged.arms.push_back(gather(name, experiment, data, runs));
  auto& arms = judged.arms;
  mark_stopped(arms, replay(experiment, runs), experiment.seeds, data);
  const int count = static_cast<int>(arms.size());
  const auto at = [&](int i) -> Arm& { return arms[static_cast<std::size_t>(i)]; };
  for (int i = 0; i < count; ++i)
    if (at(i).usable() && (judged.best < 0 || at(i).error < at(judged.best).error)) judged.best = i;
  if (judged.best < 0) return judged;
  const double gain = data.baseline - at(judged.best).error;
  for (Arm& arm : arms)
    if (arm.usable() && data.baseline - arm.error < learned_share * gain) arm.verdict = Verdict::not_learned;
  compare_with(arms, at(judged.best), data);
  set_probabilities(arms, at(judged.best));
  at(judged.best).verdict = Verdict::best;
  judged.chosen = judged.best;
  for (int i = 0; i < count; ++i) {
    const Arm& arm = at(i);
    if (arm.verdict != Verdict::no_difference || arm.error > close_enough * at(judged.best).error) continue;
    const Arm& chosen = at(judged.chosen);
    if (place_of(arm) < place_of(chosen)) judged.chosen = i;
  }
  return judged;
}

}  // namespace ogee::lab
