// Tuning, its budget, and the race.
#include "lab/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

Experiment with(std::vector<ArmSettings> arms, std::int64_t seeds = 5) {
  Experiment experiment;
  experiment.arms = std::move(arms);
  experiment.rates = {1e-3, 3e-3, 1e-2, 3e-2, 1e-1};
  experiment.epochs = 30;
  experiment.batch = 10;
  experiment.seeds = seeds;
  settle(experiment, 1000, true, 10000);  // 3,000 steps
  return experiment;
}

// Plays a comparison in which a run's error is what `error` says; returns what ran, in order.
template <class F>
std::vector<RunKey> play(Plan& plan, F error, bool backwards = false) {
  std::vector<RunKey> ran, queue = plan.start();
  while (!queue.empty()) {
    const RunKey key = backwards ? queue.back() : queue.front();
    queue.erase(backwards ? queue.end() - 1 : queue.begin());
    RunResult result;
    result.validation_error = result.test_error = error(key);
    ran.push_back(key);
    for (RunKey& more : plan.finish(key, result)) queue.push_back(std::move(more));
  }
  return ran;
}

TEST(Plan, TwoStagesOfRatesThenSeeds) {
  const Experiment experiment = with({{"", "relu", {}, {}}, {"", "elu", {}, {}}});
  Plan plan(experiment);
  EXPECT_EQ(plan.runs(), 2 * (5 + 2 + 5));
  EXPECT_EQ(plan.steps(), 2 * (5 * 500 + 2 * 1500 + 5 * 3000));
  const auto ran = play(plan, [](const RunKey& key) { return std::abs(key.rate - 1e-2); });
  EXPECT_EQ(ran.size(), 24u);
  EXPECT_TRUE(plan.complete());
  for (const RunKey& key : ran) {
    if (key.stage == Stage::scout) continue;
    EXPECT_TRUE(key.rate == 1e-2 || (key.rate == 3e-3 && key.stage == Stage::tune)) << key.rate;
  }
}

TEST(Plan, AttributesAreTunedWithTheBudgetThatAllHave) {
  const ArmSettings plain{"", "relu", {}, {}}, tuned{"", "elu", {}, {{"alpha", {0.5, 1, 2}}}};
  const Experiment experiment = with({plain, tuned});
  EXPECT_EQ(candidates_of(experiment, tuned).size(), 15u);
  const auto cost = [&](const ArmSettings& arm) {
    std::int64_t steps = 0;
    for (const Rung& rung : rungs_of(experiment, arm)) steps += static_cast<std::int64_t>(rung.candidates) * rung.steps;
    return static_cast<double>(steps);
  };
  // Whole steps: a few go astray.
  EXPECT_NEAR(cost(plain), cost(tuned), 0.01 * cost(tuned));
  std::vector<std::size_t> halves;
  for (const Rung& rung : rungs_of(experiment, tuned)) halves.push_back(rung.candidates);
  EXPECT_EQ(halves, (std::vector<std::size_t>{15, 7, 3, 2}));
  Plan plan(experiment);
  const auto ran = play(
      plan, [](const RunKey& key) { return std::abs(key.rate - 1e-2) + (key.attributes == "alpha=0.5" ? 0.0 : 0.3); });
  EXPECT_EQ(static_cast<std::int64_t>(ran.size()), plan.runs());
  for (const RunKey& key : ran) {
    if (key.stage != Stage::result || key.arm != "elu") continue;
    EXPECT_EQ(key.attributes, "alpha=0.5");
  }

  Experiment limited = with({plain, tuned});
  limited.tuning_budget = 3000;
  for (const ArmSettings& arm : limited.arms) {
    std::int64_t steps = 0;
    for (const Rung& rung : rungs_of(limited, arm)) steps += static_cast<std::int64_t>(rung.candidates) * rung.steps;
    EXPECT_NEAR(static_cast<double>(steps), 3000, 30) << arm.label();
  }
}

TEST(Plan, ArmsThatCannotWinStopWhateverTheOrder) {
  Experiment experiment = with({{"", "relu", {}, {}}, {"", "elu", {}, {}}, {"", "sigmoid", {}, {}}}, 10);
  experiment.learning_rate = 1e-2;
  experiment.stop_early = true;
  const auto error = [](const RunKey& key) {
    const double noise = 0.01 * std::sin(7.0 * static_cast<double>(key.seed) + static_cast<double>(key.arm.size()));
    return (key.arm == "sigmoid" ? 0.5 : 0.1) + noise;
  };
  std::set<RunKey> ran[2];
  for (const bool backwards : {false, true}) {
    Plan plan(experiment);
    const auto keys = play(plan, error, backwards);
    ran[backwards] = {keys.begin(), keys.end()};
    EXPECT_TRUE(plan.complete());
    ASSERT_EQ(plan.stopped().size(), 1u);
    EXPECT_EQ(plan.stopped().begin()->first, "sigmoid");
    EXPECT_LE(plan.stopped().begin()->second, 8);
    EXPECT_EQ(plan.runs(), 20 + plan.stopped().begin()->second);
  }
  EXPECT_EQ(ran[0], ran[1]);
}

TEST(Schedule, Shapes) {
  Schedule schedule{"c", 30, 0.5, Schedule::Shape::linear, 0.5};
  EXPECT_EQ(schedule.at(0, 101), 30);
  EXPECT_EQ(schedule.at(50, 101), 0.5);
  EXPECT_EQ(schedule.at(100, 101), 0.5);
  schedule.until = 1;
  EXPECT_NEAR(schedule.at(50, 101), 15.25, 1e-12);
  EXPECT_EQ(schedule.at(100, 101), 0.5);
  schedule.shape = Schedule::Shape::exponential;
  EXPECT_NEAR(schedule.at(50, 101), std::sqrt(15.0), 1e-12);
  schedule.shape = Schedule::Shape::inverse_root;
  schedule.every = 10;
  EXPECT_EQ(schedule.at(9, 101), 30);
  EXPECT_EQ(schedule.at(30, 101), 15);
  EXPECT_EQ(schedule.at(1000000, 2000000), 0.5);
  EXPECT_EQ(problem_of({"c", 1, -1, Schedule::Shape::exponential}).empty(), false);
  schedule.shape = Schedule::Shape::validation;
  EXPECT_EQ(schedule.at(1000000, 2000000), 30) << "until validation says otherwise";
  EXPECT_EQ(problem_of(schedule), "");
  schedule.factor = 1;
  EXPECT_EQ(problem_of(schedule), "factor = 1: expected above 0, below 1");
  EXPECT_EQ(problem_of({"c", 1, 2, Schedule::Shape::validation}),
            "by validation from 1 to 2: it falls towards 0, so that 0 <= to <= from is expected");
}

TEST(Schedule, ByValidationFallsWhereNothingImproves) {
  Schedule schedule{"c", 8, 1.5, Schedule::Shape::validation};
  schedule.factor = 0.5;
  schedule.patience = 2;
  Lowering lowering{schedule.from};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  // Errors, and what c is after them.
  const std::pair<double, double> course[] = {{0.9, 8}, {0.8, 8}, {0.8, 8},  {0.85, 4},  {0.82, 4},  {0.7, 4},
                                              {nan, 4}, {0.9, 2}, {0.71, 2}, {0.7, 1.5}, {0.9, 1.5}, {0.9, 1.5}};
  for (std::size_t i = 0; i < std::size(course); ++i) {
    const double before = lowering.value;
    EXPECT_EQ(lowering.look(schedule, course[i].first), course[i].second != before) << i;
    EXPECT_EQ(lowering.value, course[i].second) << i;
  }
  EXPECT_THROW(shape_named("linaer"), Error);
}

}  // namespace
}  // namespace ogee::lab
