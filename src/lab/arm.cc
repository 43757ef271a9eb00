#include "lab/arm.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "lab/plan.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

constexpr double level = 0.05, beyond_doubt = 0.001;
// An error this close to that of a constant answer means that nothing was learned.
constexpr double learned_below = 0.9;
// So does an arm that gets less than this share of the best arm's advance over the constant answer.
constexpr double learned_share = 0.25;
// Among arms that cannot be told apart, a simpler one is preferred only if its mean is this close to the lowest: few
// seeds must not be a reason to recommend what looks clearly worse.
constexpr double close_enough = 1.25;

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
    arm.interval = t_interval(arm.errors);
    arm.interval.low = std::max(arm.interval.low, 0.0);
    if (data.classification) arm.interval.high = std::min(arm.interval.high, 1.0);
    if (arm.errors.size() < 2) arm.interval = {unknown, unknown};
  }
  arm.loss = mean_of(arm, &RunResult::test_loss);
  arm.dead = mean_of(arm, &RunResult::dead);
  arm.saturated = mean_of(arm, &RunResult::saturated);
  if (!times.empty()) {
    std::sort(times.begin(), times.end());
    arm.ms_per_step = times[times.size() / 2];
  }
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

void compare_with(std::vector<Arm>& arms, const Arm& best) {
  std::vector<Arm*> others;
  std::vector<double> t_values, flip_values;
  for (Arm& arm : arms) {
    if (&arm == &best || arm.errors.empty()) continue;
    const auto differences = paired_differences(arm, best);
    arm.against.pairs = differences.size();
    if (differences.empty()) continue;
    arm.against.difference = mean(differences);
    arm.against.interval = t_interval(differences);
    if (differences.size() < 2) continue;
    arm.against.t_p = t_test(differences);
    arm.against.flip_p = sign_flip(differences);
    others.push_back(&arm);
    t_values.push_back(arm.against.t_p);
    flip_values.push_back(arm.against.flip_p);
  }
  const auto t_corrected = holm(t_values), flip_corrected = holm(flip_values);
  for (std::size_t i = 0; i < others.size(); ++i) {
    Arm& arm = *others[i];
    arm.against.t_holm = t_corrected[i];
    arm.against.flip_holm = flip_corrected[i];
    if (arm.verdict != Verdict::one_seed) continue;
    const bool agree = arm.against.flip_p <= std::max(level, smallest_sign_flip(arm.against.pairs));
    if (!(t_corrected[i] < level && agree && arm.against.difference > 0))
      arm.verdict = Verdict::no_difference;
    else
      arm.verdict = flip_corrected[i] < level || t_corrected[i] < beyond_doubt ? Verdict::worse : Verdict::likely_worse;
  }
}

}  // namespace

const char* words_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::best: return "lowest";
    case Verdict::no_difference: return "no difference seen";
    case Verdict::likely_worse: return "probably worse";
    case Verdict::worse: return "worse";
    case Verdict::one_seed: return "one seed: unknown";
    case Verdict::not_learned: return "hardly learned";
    case Verdict::diverged: return "diverged";
    case Verdict::failed: return "could not run";
    case Verdict::missing: return "not run yet";
  }
  return "";
}

Judged judge(const Experiment& experiment, const DataFacts& data, const std::vector<StoredRun>& runs) {
  Judged judged;
  const Plan plan = replay(experiment, runs);
  for (const std::string& name : experiment.activations) {
    judged.arms.push_back(gather(name, experiment, data, runs));
    if (const auto out = plan.stopped().find(name); out != plan.stopped().end())
      judged.arms.back().stopped_after = out->second;
  }
  auto& arms = judged.arms;
  const int count = static_cast<int>(arms.size());
  const auto at = [&](int i) -> Arm& { return arms[static_cast<std::size_t>(i)]; };
  for (int i = 0; i < count; ++i)
    if (at(i).usable() && (judged.best < 0 || at(i).error < at(judged.best).error)) judged.best = i;
  if (judged.best < 0) return judged;
  const double gain = data.baseline - at(judged.best).error;
  for (Arm& arm : arms)
    if (arm.usable() && data.baseline - arm.error < learned_share * gain) arm.verdict = Verdict::not_learned;
  compare_with(arms, at(judged.best));
  at(judged.best).verdict = Verdict::best;
  judged.chosen = judged.best;
  for (int i = 0; i < count; ++i) {
    const Arm& arm = at(i);
    if (arm.verdict != Verdict::no_difference || arm.error > close_enough * at(judged.best).error) continue;
    const Arm& chosen = at(judged.chosen);
    if (std::pair(arm.simplicity, arm.error) < std::pair(chosen.simplicity, chosen.error)) judged.chosen = i;
  }
  return judged;
}

}  // namespace ogee::lab
