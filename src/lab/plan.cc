#include "lab/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "lab/race.h"
#include "lab/store.h"

namespace ogee::lab {
namespace {

// Half of them go on, but two at least.
std::size_t survivors_of(std::size_t candidates) { return std::max<std::size_t>(Tuning::survivors, candidates / 2); }

std::vector<Rung> plain_rungs(std::size_t candidates, std::int64_t run) {
  std::vector<Rung> rungs;
  if (candidates < 2) return rungs;
  for (std::size_t n = candidates;; n = survivors_of(n)) {
    rungs.push_back({n, 0});
    if (n <= Tuning::survivors) break;
  }
  const auto first = static_cast<double>(scout_steps(run)), last = static_cast<double>(tune_steps(run));
  for (std::size_t i = 0; i < rungs.size(); ++i) {
    const double share = rungs.size() < 2 ? 1 : static_cast<double>(i) / static_cast<double>(rungs.size() - 1);
    rungs[i].steps = std::llround(first * std::pow(last / first, share));
  }
  return rungs;
}

double cost_of(const std::vector<Rung>& rungs) {
  double cost = 0;
  for (const Rung& rung : rungs) cost += static_cast<double>(rung.candidates) * static_cast<double>(rung.steps);
  return cost;
}

}  // namespace

std::vector<Candidate> candidates_of(const Experiment& experiment, const ArmSettings& arm) {
  std::vector<std::string> attributes{""};
  for (const Choice& choice : arm.choices) {
    std::vector<std::string> longer;
    for (const std::string& before : attributes)
      for (const double value : choice.values)
        longer.push_back(fmt::format("{}{}{}={}", before, before.empty() ? "" : ", ", choice.attribute, value));
    attributes = std::move(longer);
  }
  std::vector<double> rates = experiment.rates;
  if (experiment.learning_rate > 0) rates = {experiment.learning_rate};
  if (arm.learning_rate > 0) rates = {arm.learning_rate};
  std::vector<Candidate> all;
  for (const double rate : rates)
    for (const std::string& each : attributes) all.push_back({rate, each});
  return all;
}

std::vector<Rung> rungs_of(const Experiment& experiment, const ArmSettings& arm) {
  const std::int64_t run = experiment.steps_of(arm);
  std::vector<Rung> rungs = plain_rungs(candidates_of(experiment, arm).size(), run);
  if (rungs.empty()) return rungs;
  std::size_t most = 0;
  for (const ArmSettings& other : experiment.arms) most = std::max(most, candidates_of(experiment, other).size());
  const double budget =
      experiment.tuning_budget > 0 ? static_cast<double>(experiment.tuning_budget) : cost_of(plain_rungs(most, run));
  // All stages grow or shrink alike; what those that reach a whole run cannot take goes to the others.
  const std::vector<Rung> plain = rungs;
  std::vector<bool> whole(rungs.size(), false);
  for (bool again = true; again;) {
    again = false;
    double left = budget, open = 0;
    for (std::size_t i = 0; i < rungs.size(); ++i)
      (whole[i] ? left : open) += (whole[i] ? -cost_of({rungs[i]}) : cost_of({plain[i]}));
    for (std::size_t i = 0; i < rungs.size(); ++i) {
      if (whole[i]) continue;
      rungs[i].steps = std::max<std::int64_t>(1, std::llround(static_cast<double>(plain[i].steps) * left / open));
      if (rungs[i].steps < run) continue;
      rungs[i].steps = run;
      whole[i] = again = true;
    }
  }
  return rungs;
}

void sort_by_merit(std::vector<Score>& scores) {
  const auto merit = [](const Score& score) {
    constexpr double worst = std::numeric_limits<double>::infinity();
    const bool fine = score.status == Status::finished;
    return std::tuple(fine ? score.error : worst, fine ? score.loss : worst, score.candidate);
  };
  std::sort(scores.begin(), scores.end(), [&](const auto& a, const auto& b) { return merit(a) < merit(b); });
}

Plan::Plan(const Experiment& experiment) : experiment_(experiment) {
  for (const ArmSettings& settings : experiment.arms) {
    Arm arm{&settings, rungs_of(experiment, settings), 0, {}, candidates_of(experiment, settings), false, 0};
    arm.tuned = arm.rungs.empty();
    arms_.push_back(std::move(arm));
  }
  block_ = experiment.stop_early ? std::min<std::int64_t>(experiment.seeds, Race::first_look) : experiment.seeds;
}

std::vector<RunKey> Plan::start() {
  std::vector<RunKey> keys;
  for (Arm& arm : arms_)
    for (RunKey& key : arm.tuned ? release(arm) : rung_runs(arm)) keys.push_back(std::move(key));
  return keys;
}

std::vector<RunKey> Plan::rung_runs(Arm& arm) const {
  const bool first = arm.rung == 0 && arm.rungs.size() > 1;
  arm.current.clear();
  for (const Candidate& candidate : arm.chosen)
    arm.current.push_back({arm.settings->label(), first ? Stage::scout : Stage::tune,
                           first ? Tuning::scout_seed : Tuning::tune_seed + (arm.rung > 0 ? arm.rung - 1 : 0),
                           candidate.rate, arm.rungs[arm.rung].steps, candidate.attributes});
  return arm.current;
}

RunKey Plan::result_key(const Arm& arm, std::int64_t seed) const {
  const Candidate& best = arm.chosen.front();
  return {arm.settings->label(),
          Stage::result,
          static_cast<std::uint64_t>(seed),
          best.rate,
          experiment_.steps_of(*arm.settings),
          best.attributes};
}

std::vector<RunKey> Plan::release(Arm& arm) {
  std::vector<RunKey> keys;
  if (stopped_.contains(arm.settings->label())) return keys;
  while (arm.asked < block_) keys.push_back(result_key(arm, ++arm.asked));
  return keys;
}

bool Plan::block_done() const {
  return std::all_of(arms_.begin(), arms_.end(), [&](const Arm& arm) {
    if (stopped_.contains(arm.settings->label())) return true;
    if (!arm.tuned) return false;
    for (std::int64_t seed = 1; seed <= block_; ++seed)
      if (!done_.contains(result_key(arm, seed))) return false;
    return true;
  });
}

std::vector<RunKey> Plan::close_blocks() {
  std::vector<RunKey> keys;
  if (!experiment_.stop_early || block_ >= experiment_.seeds || !block_done()) return keys;
  // By validation errors, so that the test data decide nothing before the end.
  std::vector<std::vector<double>> errors;
  for (const Arm& arm : arms_) {
    const auto out = stopped_.find(arm.settings->label());
    std::vector<double>& its = errors.emplace_back();
    for (std::int64_t seed = 1; seed <= (out == stopped_.end() ? block_ : out->second); ++seed) {
      const RunResult& result = done_.at(result_key(arm, seed));
      its.push_back(result.status == Status::finished ? result.validation_error : unknown);
    }
  }
  const auto out = out_of_the_race(errors, {static_cast<std::size_t>(experiment_.seeds), experiment_.resolution});
  for (std::size_t i = 0; i < arms_.size(); ++i)
    if (out[i] > 0) stopped_.emplace(arms_[i].settings->label(), static_cast<std::int64_t>(out[i]));
  ++block_;
  for (Arm& arm : arms_)
    for (RunKey& key : release(arm)) keys.push_back(std::move(key));
  return keys;
}

std::vector<RunKey> Plan::finish(const RunKey& key, const RunResult& result) {
  done_[key] = result;
  Arm& arm = *std::find_if(arms_.begin(), arms_.end(), [&](const Arm& a) { return a.settings->label() == key.arm; });
  if (key.stage == Stage::result) return close_blocks();
  std::vector<Score> scores;
  for (const RunKey& other : arm.current) {
    const auto found = done_.find(other);
    if (found == done_.end()) return {};
    const RunResult& its = found->second;
    scores.push_back({{other.rate, other.attributes}, its.status, its.validation_error, its.validation_loss});
  }
  sort_by_merit(scores);
  const bool last = ++arm.rung >= arm.rungs.size();
  arm.chosen.clear();
  for (std::size_t i = 0; i < (last ? 1 : arm.rungs[arm.rung].candidates); ++i)
    arm.chosen.push_back(scores[i].candidate);
  if (!last) return rung_runs(arm);
  arm.tuned = true;
  return release(arm);
}

std::int64_t Plan::runs() const {
  std::int64_t count = 0;
  for (const Arm& arm : arms_) {
    const auto stopped = stopped_.find(arm.settings->label());
    count += stopped == stopped_.end() ? experiment_.seeds : stopped->second;
    for (const Rung& rung : arm.rungs) count += static_cast<std::int64_t>(rung.candidates);
  }
  return count;
}

std::int64_t Plan::steps() const {
  std::int64_t count = 0;
  for (const Arm& arm : arms_) {
    const auto stopped = stopped_.find(arm.settings->label());
    const std::int64_t seeds = stopped == stopped_.end() ? experiment_.seeds : stopped->second;
    count += seeds * experiment_.steps_of(*arm.settings);
    for (const Rung& rung : arm.rungs) count += static_cast<std::int64_t>(rung.candidates) * rung.steps;
  }
  return count;
}

Plan replay(const Experiment& experiment, const std::vector<StoredRun>& runs) {
  std::map<RunKey, const RunResult*> known;
  for (const StoredRun& run : runs) known.emplace(run.key, &run.result);
  Plan plan(experiment);
  std::vector<RunKey> keys = plan.start();
  while (!keys.empty()) {
    std::vector<RunKey> next;
    for (const RunKey& key : keys) {
      const auto found = known.find(key);
      if (found == known.end()) continue;
      for (RunKey& more : plan.finish(key, *found->second)) next.push_back(std::move(more));
    }
    keys = std::move(next);
  }
  return plan;
}

}  // namespace ogee::lab
