#include "lab/plan.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <tuple>

namespace ogee::lab {

void sort_by_merit(std::vector<RateScore>& scores) {
  const auto merit = [](const RateScore& score) {
    constexpr double worst = std::numeric_limits<double>::infinity();
    const bool fine = score.status == Status::finished;
    return std::tuple(fine ? score.error : worst, fine ? score.loss : worst, score.rate);
  };
  std::sort(scores.begin(), scores.end(), [&](const auto& a, const auto& b) { return merit(a) < merit(b); });
}

ArmPlan::ArmPlan(const Experiment& experiment, std::string arm) : experiment_(experiment), arm_(std::move(arm)) {
  if (experiment.learning_rate > 0) {
    current_ = result_runs(experiment.learning_rate);
  } else {
    for (const double rate : Tuning::rates)
      current_.push_back({arm_, Stage::scout, Tuning::scout_seed, rate, scout_steps(experiment.steps)});
  }
}

std::vector<RunKey> ArmPlan::tune_runs() const {
  std::vector<RunKey> keys;
  for (const double rate : best_rates(Tuning::survivors))
    keys.push_back({arm_, Stage::tune, Tuning::tune_seed, rate, tune_steps(experiment_.steps)});
  return keys;
}

std::vector<RunKey> ArmPlan::result_runs(double rate) const {
  std::vector<RunKey> keys;
  for (std::int64_t seed = 1; seed <= experiment_.seeds; ++seed)
    keys.push_back({arm_, Stage::result, static_cast<std::uint64_t>(seed), rate, experiment_.steps});
  return keys;
}

std::vector<double> ArmPlan::best_rates(std::size_t count) const {
  std::vector<RateScore> scores;
  for (const RunKey& key : current_) {
    const RunResult& result = done_.at(key);
    scores.push_back({key.rate, result.status, result.validation_error, result.validation_loss});
  }
  sort_by_merit(scores);
  std::vector<double> rates;
  for (std::size_t i = 0; i < std::min(count, scores.size()); ++i) rates.push_back(scores[i].rate);
  return rates;
}

std::vector<RunKey> ArmPlan::finish(const RunKey& key, const RunResult& result) {
  done_[key] = result;
  for (const RunKey& other : current_)
    if (!done_.contains(other)) return {};
  if (key.stage == Stage::scout) return current_ = tune_runs();
  if (key.stage == Stage::tune) return current_ = result_runs(best_rates(1).front());
  return {};
}

std::int64_t ArmPlan::runs(const Experiment& experiment) {
  const auto tuning = static_cast<std::int64_t>(std::size(Tuning::rates)) + Tuning::survivors;
  return experiment.seeds + (experiment.learning_rate > 0 ? 0 : tuning);
}

std::int64_t ArmPlan::steps(const Experiment& experiment) {
  const auto rates = static_cast<std::int64_t>(std::size(Tuning::rates));
  const std::int64_t tuning = rates * scout_steps(experiment.steps) + Tuning::survivors * tune_steps(experiment.steps);
  return experiment.seeds * experiment.steps + (experiment.learning_rate > 0 ? 0 : tuning);
}

}  // namespace ogee::lab
