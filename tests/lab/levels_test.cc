// Curricula by levels: which examples an epoch has, when the next level follows, and runs that climb.
#include "broken_off.h"
#include "lab/curriculum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "lab/experiment_file.h"
#include "lab/run.h"
#include "lab/streams.h"
#include "ogee/libtorch.h"
#include "ogee/ogee.h"
#include "refusal.h"

namespace ogee::lab::levels_test {
namespace {

// ---- The order of an epoch -----------------------------------------------------------------------------------------

const std::vector<std::int64_t> sizes{300, 500, 200, 2000};  // the last is an epoch

at::Tensor order_of(const Climb& climb, std::uint64_t seed) {
  at::Generator random = generator_of(seed, Stream::order);
  const at::Tensor permutation = torch::randperm(sizes.back(), random, torch::kLong);
  return climb.order(permutation, random);
}
// How many examples of each level, by where its neighbours lie.
std::vector<std::int64_t> count_levels(const at::Tensor& order) {
  std::vector<std::int64_t> counts;
  std::int64_t from = 0;
  for (const std::int64_t size : sizes) {
    counts.push_back(order.ge(from).logical_and(order.lt(from + size)).sum().item<std::int64_t>());
    from += size;
  }
  return counts;
}

TEST(Climb, NaiveHasTheLevelAlone) {
  Climb climb("naive", sizes);
  std::int64_t from = 0;
  for (std::int64_t level = 0; level < 4; ++level) {
    climb.state.level = level;
    const at::Tensor order = order_of(climb, 1);
    std::vector<std::int64_t> expected(4, 0);
    expected[static_cast<std::size_t>(level)] = 2000;
    EXPECT_EQ(count_levels(order), expected) << "level " << level;
    const std::int64_t size = sizes[static_cast<std::size_t>(level)];
    const at::Tensor times = torch::bincount(order - from, {}, size);
    EXPECT_GE(times.min().item<std::int64_t>(), 2000 / size);
    EXPECT_LE(times.max().item<std::int64_t>(), (2000 + size - 1) / size);
    from += size;
  }
  // At the last level it is what there is without a curriculum.
  at::Generator random = generator_of(1, Stream::order);
  EXPECT_TRUE(order_of(climb, 1).equal(1000 + torch::randperm(2000, random, torch::kLong)));
}

// Within four deviations of the binomial distribution.
void expect_share(std::int64_t count, double share) {
  EXPECT_NEAR(static_cast<double>(count), 2000 * share, 4 * std::sqrt(2000 * share * (1 - share)));
}

TEST(Climb, MixHasAllLevelsAlike) {
  Climb climb("mix", sizes);
  const at::Tensor order = order_of(climb, 2);
  for (const std::int64_t count : count_levels(order)) expect_share(count, 0.25);
  climb.state.level = 2;
  EXPECT_TRUE(order.equal(order_of(climb, 2))) << "whatever has been reached";
  EXPECT_FALSE(order.equal(order_of(climb, 3)));
  EXPECT_FALSE(climb.staged());
  EXPECT_FALSE(climb.look(1)) << "there is nothing to climb";
}

TEST(Climb, CombinedHasAFifthOfTheMix) {
  Climb climb("combined", sizes);
  for (std::int64_t level = 0; level < 4; ++level) {
    climb.state.level = level;
    const std::vector<std::int64_t> counts = count_levels(order_of(climb, 4));
    for (std::int64_t i = 0; i < 4; ++i)
      expect_share(counts[static_cast<std::size_t>(i)], i == level ? 0.8 + 0.2 / 4 : 0.2 / 4);
  }
}

// So that arms on different levels have the same random numbers in the next epoch.
TEST(Climb, DrawsTheSameAtEveryLevel) {
  Climb climb("combined", sizes);
  std::vector<at::Tensor> after;
  for (std::int64_t level = 0; level < 4; ++level) {
    climb.state.level = level;
    at::Generator random = generator_of(5, Stream::order);
    climb.order(torch::arange(2000, torch::kLong), random);
    after.push_back(torch::rand({3}, random));
  }
  for (const at::Tensor& numbers : after) EXPECT_TRUE(numbers.equal(after[0]));
}

// ---- When the next level follows -----------------------------------------------------------------------------------

TEST(Climb, GoesOnWhenALevelIsMastered) {
  Climb climb("naive", {10, 10, 10});
  EXPECT_FALSE(climb.look(0.95)) << "not above";
  EXPECT_TRUE(climb.look(0.951));
  EXPECT_EQ(climb.state.level, 1);
  EXPECT_FALSE(climb.look(0.3)) << "the last level's best is forgotten";
  EXPECT_TRUE(climb.climbs());
  EXPECT_TRUE(climb.look(1));
  EXPECT_EQ(climb.state.level, 2);
  EXPECT_FALSE(climb.climbs());
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(climb.look(1));
  EXPECT_EQ(climb.state.level, 2) << "nothing follows the last";
}

TEST(Climb, GoesOnWhenNothingGetsBetter) {
  Climb climb("combined", {10, 10, 10});
  for (const double accuracy : {0.2, 0.3, 0.3, 0.31, 0.2}) EXPECT_FALSE(climb.look(accuracy)) << accuracy;
  EXPECT_TRUE(climb.look(0.31)) << "the second epoch without a better one";
  EXPECT_EQ(climb.state.level, 1);
  EXPECT_FALSE(climb.look(0.1)) << "the best at this level";
  EXPECT_FALSE(climb.look(0.1));
  EXPECT_TRUE(climb.look(std::numeric_limits<double>::quiet_NaN())) << "no improvement either";
  EXPECT_EQ(climb.state.level, 2);
}

// ---- Runs ----------------------------------------------------------------------------------------------------------

constexpr const char* climbing = R"toml(
data = { data = "programs(length=2,nesting=2,easier=60,easier_validation=4,train=100,validation=20,test=20)" }
model = { name = "lstm(gates=all)", depth = 1, width = 8 }
training = { epochs = 8, batch = 20, seeds = 1, clip_norm = 1 }
[[arm]]
name = "combined"
activation = "nan(base=tanh)"
curriculum = "combined"
[[arm]]
name = "naive"
activation = "tanh"
curriculum = "naive"
[[arm]]
name = "mix"
activation = "tanh"
curriculum = "mix"
[[arm]]
name = "plain"
activation = "tanh"
)toml";

class Climbing : public testing::Test {
 protected:
  Climbing()
      : wanted(parse_experiment(climbing, "e.toml")),
        data(data::load(request_of(wanted))),
        experiment(resolve(wanted, data)) {}

  RunKey key(const std::string& arm) const { return {arm, Stage::result, 1, 3e-3, experiment.steps}; }

  const Experiment wanted;
  const data::Dataset data;
  const Experiment experiment;
};

std::vector<double> levels_of(const RunResult& result) {
  std::vector<double> levels;
  for (const Point& point : result.points) levels.push_back(point.scheduled.at("level"));
  return levels;
}

TEST_F(Climbing, FilesSayWhatTheyAreRead) {
  EXPECT_EQ(experiment.arms[0].regime, "combined");
  EXPECT_EQ(experiment.arms[0].curriculum, 0);
  EXPECT_EQ(experiment.steps, 8 * 5) << "an epoch is the task's own training part";
  const Experiment again = resolve(parse_experiment(to_toml(experiment), "again.toml"), data);
  EXPECT_EQ(again.arms[0].regime, "combined");
  EXPECT_EQ(again.arms[1].regime, "naive");
  EXPECT_EQ(again.arms[3].regime, "");
  EXPECT_EQ(to_toml(again), to_toml(experiment));
}

TEST_F(Climbing, ARunGoesOnElsewhereToTheSameResult) {
  for (const char* arm : {"combined", "naive", "mix"}) {
    SCOPED_TRACE(arm);
    const RunResult whole = train(experiment, data, key(arm), {});
    ASSERT_EQ(whole.status, Status::finished) << whole.message;
    const RunResult result = train_broken_off(experiment, data, key(arm), 5);
    EXPECT_EQ(result.test_loss, whole.test_loss);
    ASSERT_EQ(result.points.size(), whole.points.size());
    for (std::size_t i = 1; i < whole.points.size(); ++i) {
      EXPECT_EQ(result.points[i].train_loss, whole.points[i].train_loss);
      EXPECT_EQ(result.points[i].scheduled, whole.points[i].scheduled);
    }
    if (std::string(arm) == "mix") {
      EXPECT_TRUE(whole.points.back().scheduled.empty()) << "it has no level of its own";
      continue;
    }
    // From the first, one after another.
    const std::vector<double> levels = levels_of(whole);
    EXPECT_EQ(levels[0], 1);
    EXPECT_EQ(levels[1], 1) << "the level that the epoch had";
    EXPECT_GE(levels.back(), 2);
    for (std::size_t i = 1; i < levels.size(); ++i) {
      EXPECT_GE(levels[i], levels[i - 1]);
      EXPECT_LE(levels[i], levels[i - 1] + 1);
    }
  }
}

// The programs of the first epoch tell: naive never saw the task's own, which were replaced by nothing that is asked.
TEST_F(Climbing, TrainsOnTheLevelsPrograms) {
  data::Dataset easy = data;
  easy.levels.train.x = data.levels.train.x.clone();
  easy.levels.train.x.narrow(0, 60, easy.levels.train.size() - 60).fill_(1);  // all but the first level's
  RunKey two = key("naive");
  two.steps = 2 * 5;  // epochs at the first level
  EXPECT_EQ(train(experiment, easy, two, {}).points.back().train_loss,
            train(experiment, data, two, {}).points.back().train_loss);
  two.arm = "combined";
  EXPECT_NE(train(experiment, easy, two, {}).points.back().train_loss,
            train(experiment, data, two, {}).points.back().train_loss);
}

// Whether the level at hand has been learned is asked of its own validation part, once an epoch. All that is to be
// learned here is a full stop for any character asked for.
TEST_F(Climbing, TheLevelsValidationPartsDecide) {
  data::Dataset stops = data;
  const auto stop = std::find(data.classes.begin(), data.classes.end(), ".") - data.classes.begin();
  const auto stopped = [&](const at::Tensor& y) {
    return torch::where(y.ge(0), torch::full_like(y, static_cast<std::int64_t>(stop)), y);
  };
  stops.levels.train.y = stopped(stops.levels.train.y);
  for (data::Part& part : stops.levels.validation) part.y = stopped(part.y);
  RunKey fast = key("naive");
  fast.rate = 0.1;
  fast.steps = 5 * 5;
  EXPECT_EQ(levels_of(train(experiment, stops, fast, {})), (std::vector<double>{1, 1, 2, 3, 4, 4}));
  stops.levels.validation[1] = data.levels.validation[1];
  EXPECT_EQ(levels_of(train(experiment, stops, fast, {})), (std::vector<double>{1, 1, 2, 2, 2, 3}))
      << "most of its characters are others, and never right";
}

TEST_F(Climbing, TuningClimbsAlike) {
  RunKey tuning = key("combined");
  tuning.stage = Stage::tune;
  const RunResult result = train(experiment, data, key("combined"), {});
  EXPECT_GT(levels_of(result).back(), 1);
  EXPECT_EQ(train(experiment, data, tuning, {}).validation_loss, result.validation_loss);
}

TEST_F(Climbing, RefusesWhatCannotBe) {
  const auto with = [](const std::string& curriculum) {
    return "[[arm]]\nactivation = \"relu\"\ncurriculum = " + curriculum + "\n";
  };
  refused([&] { parse_experiment(with("\"naiv\""), "e.toml"); },
          "e.toml:3:14: curriculum is 'naiv'; expected one of naive, mix, combined");
  refused([&] { parse_experiment(with("true"), "e.toml"); },
          "curriculum is true; expected a number above 0, at most 1");
  refused(
      [&] {
        resolve(parse_experiment(with("\"mix\""), "e.toml"), data::load({"optdigits", "", 100}));
      },
      "arm relu: curriculum mix: optdigits has no easier levels; expected data that do");
  Experiment both = wanted;
  both.arms[0].curriculum = 0.5;
  refused([&] { resolve(both, data); }, "arm combined: curriculum combined: it has another one, 0.5");
  both.arms[0].curriculum = 0;
  both.arms[0].regime = "mixed";
  refused([&] { resolve(both, data); }, "arm combined: curriculum mixed: expected one of naive, mix, combined");
}

}  // namespace
}  // namespace ogee::lab::levels_test
