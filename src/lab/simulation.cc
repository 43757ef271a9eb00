#include "lab/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/random/gamma_distribution.hpp>
#include <boost/random/mersenne_twister.hpp>
#include <boost/random/normal_distribution.hpp>
#include <boost/random/uniform_real_distribution.hpp>
#include <cmath>

#include "lab/arm.h"
#include "lab/race.h"

namespace ogee::lab {
namespace {

using Random = boost::random::mt19937_64;

constexpr std::int64_t examples = 1000;  // to test, and as many to validate
constexpr double typical_error = 0.05, typical_spread = 0.2;
// Of one arm's errors: what all arms share by seed, and what validation and test errors share.
constexpr double by_seed = 0.3, by_run = 0.5;

enum class Truth { equal, half_equal, different };

// Any names will do, as nothing is trained.
const char* const arm_names[] = {"relu",     "leaky_relu", "elu",    "selu",     "gelu",       "silu",       "mish",
                                 "tanh",     "sigmoid",    "celu",   "softplus", "softsign",   "hard_swish", "relu6",
                                 "hardtanh", "isru",       "logish", "arctan",   "tanhshrink", "serf"};

struct World {
  std::vector<double> means, spreads;
};

World draw_world(const Simulation& simulation, Truth truth, Random& random) {
  boost::random::normal_distribution<double> normal;
  boost::random::uniform_real_distribution<double> worse(0.1, 1.0);
  World world;
  for (std::size_t i = 0; i < simulation.arms; ++i) {
    double factor = 1;
    if (truth == Truth::half_equal && i >= (simulation.arms + 1) / 2) factor += worse(random);
    if (truth == Truth::different) factor = std::exp(0.3 * normal(random));
    world.means.push_back(typical_error * factor);
    world.spreads.push_back(typical_spread * std::exp(0.3 * normal(random)));
  }
  return world;
}

double counted(double error) { return std::max(0.0, std::round(error * examples)) / examples; }

// Runs of one experiment, arm by arm, all seeds.
std::vector<StoredRun> draw_runs(const Simulation& simulation, const World& world, Random& random) {
  const double shape = 4 / (simulation.skewness * simulation.skewness);
  boost::random::gamma_distribution<double> gamma(shape);
  const auto noise = [&] { return (gamma(random) - shape) / std::sqrt(shape); };  // mean 0, deviation 1
  std::vector<double> shared(simulation.seeds);
  for (double& each : shared) each = noise();
  std::vector<StoredRun> runs;
  for (std::size_t i = 0; i < simulation.arms; ++i)
    for (std::size_t s = 0; s < simulation.seeds; ++s) {
      const double run = std::sqrt(by_seed) * shared[s] + std::sqrt(by_run - by_seed) * noise();
      const auto error = [&] {
        return counted(world.means[i] * (1 + world.spreads[i] * (run + std::sqrt(1 - by_run) * noise())));
      };
      StoredRun stored;
      stored.key = {arm_names[i], Stage::result, s + 1, 1e-3, 1};
      stored.result.test_error = error();
      stored.result.validation_error = error();
      runs.push_back(std::move(stored));
    }
  return runs;
}

bool holds(const Interval& interval, double truth) { return interval.low <= truth && truth <= interval.high; }

// Without the runs that the race makes unnecessary; how many those are.
std::size_t stop_early(const Simulation& simulation, std::vector<StoredRun>& runs) {
  std::vector<std::vector<double>> errors(simulation.arms);
  for (std::size_t r = 0; r < runs.size(); ++r) errors[r / simulation.seeds].push_back(runs[r].result.validation_error);
  const auto out = out_of_the_race(errors, {simulation.seeds, 1.0 / examples});
  std::vector<StoredRun> kept;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    const std::size_t arm = r / simulation.seeds;
    if (out[arm] == 0 || r % simulation.seeds < out[arm]) kept.push_back(std::move(runs[r]));
  }
  const std::size_t spared = runs.size() - kept.size();
  runs = std::move(kept);
  return spared;
}

void count_pair(Simulated& result, const std::vector<StoredRun>& runs, const World& world) {
  std::vector<double> differences;
  for (std::size_t s = 0; s < result.of.seeds; ++s)
    differences.push_back(runs[s].result.test_error - runs[result.of.seeds + s].result.test_error);
  const double truth = world.means[0] - world.means[1];
  result.pair_t.add(holds(t_interval(differences, 0.95, std::sqrt(2) / examples), truth));
  result.pair_bca.add(holds(bca_interval(differences), truth));
}

void count(Simulated& result, const Judged& judged, const World& world, Truth truth) {
  const double least = *std::min_element(world.means.begin(), world.means.end());
  const auto best = static_cast<std::size_t>(judged.best);
  bool all_hold = true, false_worse = false, false_likely = false, wrong_stop = false;
  for (std::size_t i = 0; i < judged.arms.size(); ++i) {
    const Arm& arm = judged.arms[i];
    const bool as_good = world.means[i] <= least;
    if (arm.stopped_after > 0) {
      result.stopped.add(holds(arm.interval, world.means[i]));
      wrong_stop |= as_good;
    } else {
      result.mean_t.add(holds(t_interval(arm.errors, 0.95, 1.0 / examples), world.means[i]));
      result.mean_bca.add(holds(arm.bca, world.means[i]));
      if (i != best) {
        all_hold &= holds(arm.against.interval, world.means[i] - world.means[best]);
        const bool not_worse = world.means[i] <= world.means[best];
        false_worse |= not_worse && arm.verdict == Verdict::worse;
        false_likely |= not_worse && (arm.verdict == Verdict::worse || arm.verdict == Verdict::likely_worse);
      }
      if (arm.best_probability >= 0.95) result.sure_and_best.add(as_good);
    }
    if (world.means[i] >= 1.5 * least) result.found_worse.add(arm.verdict == Verdict::worse || arm.stopped_after > 0);
  }
  result.with_lowest.add(all_hold);
  result.false_worse.add(false_worse || wrong_stop);
  result.false_likely.add(false_likely || wrong_stop);
  result.wrong_stop.add(wrong_stop);
  if (truth != Truth::equal) return;
  result.with_lowest_equal.add(all_hold);
  result.false_worse_equal.add(false_worse || wrong_stop);
  result.false_likely_equal.add(false_likely || wrong_stop);
}

std::string percent(const Share& share) {
  return share.of > 0 ? fmt::format("{:.1f}", 100 * share.value()) : std::string("-");
}

}  // namespace

Simulated simulate(const Simulation& simulation) {
  Simulated result;
  result.of = simulation;
  Random random(simulation.seed);
  Experiment experiment;
  experiment.seeds = static_cast<std::int64_t>(simulation.seeds);
  experiment.learning_rate = 1e-3;
  experiment.activations.assign(std::begin(arm_names), std::begin(arm_names) + simulation.arms);
  experiment.stop_early = simulation.race;
  experiment.epochs = experiment.batch = 1;
  settle(experiment, 1, true, examples);
  DataFacts data;
  data.validation = data.test = examples;
  data.baseline = 0.9;
  for (std::size_t i = 0; i < simulation.experiments; ++i) {
    constexpr Truth truths[] = {Truth::equal, Truth::half_equal, Truth::equal, Truth::different};
    const Truth truth = truths[i % 4];
    const World world = draw_world(simulation, truth, random);
    std::vector<StoredRun> runs = draw_runs(simulation, world, random);
    count_pair(result, runs, world);
    const auto all = static_cast<double>(runs.size());
    if (simulation.race) result.runs_spared.hits += static_cast<double>(stop_early(simulation, runs));
    result.runs_spared.of += all;
    count(result, judge(experiment, data, runs), world, truth);
  }
  return result;
}

std::string markdown(const std::vector<Simulated>& rows) {
  std::string covered =
      "| seeds | arms | mean, t | mean, BCa | one pair, t | one pair, BCa | all to the lowest | the same, arms equal "
      "|\n"
      "|--:|--:|--:|--:|--:|--:|--:|--:|\n";
  std::string judged =
      "| seeds | arms | race | false \"worse\" | arms equal | false \"probably worse\", arms equal | found worse | "
      "sure, "
      "and best |\n|--:|--:|---|--:|--:|--:|--:|--:|\n";
  std::string raced =
      "| seeds | arms | remaining arms' mean | stopped arms' mean | all to the lowest | wrongly stopped | runs spared "
      "|\n|--:|--:|--:|--:|--:|--:|--:|\n";
  for (const Simulated& row : rows) {
    const std::string place = fmt::format("| {} | {} |", row.of.seeds, row.of.arms);
    judged += fmt::format("{} {} | {} | {} | {} | {} | {} |\n", place, row.of.race ? "yes" : "no",
                          percent(row.false_worse), percent(row.false_worse_equal), percent(row.false_likely_equal),
                          percent(row.found_worse), percent(row.sure_and_best));
    if (row.of.race)
      raced += fmt::format("{} {} | {} | {} | {} | {} |\n", place, percent(row.mean_t), percent(row.stopped),
                           percent(row.with_lowest), percent(row.wrong_stop), percent(row.runs_spared));
    else
      covered += fmt::format("{} {} | {} | {} | {} | {} | {} |\n", place, percent(row.mean_t), percent(row.mean_bca),
                             percent(row.pair_t), percent(row.pair_bca), percent(row.with_lowest),
                             percent(row.with_lowest_equal));
  }
  return "Intervals of 95 % that hold the truth, in %:\n\n" + covered +
         "\nWhat is said of the arms, in % of comparisons (the first three) and of arms:\n\n" + judged +
         "\nWith arms stopped early, in %:\n\n" + raced;
}

}  // namespace ogee::lab
