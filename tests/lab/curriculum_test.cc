// Easy examples first; and a run with a curriculum, noisy gates and a schedule, broken off and gone on with.
#include "broken_off.h"
#include "lab/curriculum.h"

#include <gtest/gtest.h>

#include <string>

#include "data/dataset.h"
#include "lab/experiment_file.h"
#include "lab/run.h"
#include "ogee/libtorch.h"
#include "ogee/ogee.h"
#include "refusal.h"

namespace ogee::lab {
namespace {

TEST(Curriculum, TakesTheEasiestFirstAndAllInTheEnd) {
  const at::Tensor difficulty = torch::tensor({5, 1, 3, 2, 9, 8, 7, 6, 4, 0}, torch::kLong);
  const Curriculum curriculum(difficulty, 0.5, 90);
  const at::Tensor all = torch::arange(10, torch::kLong);
  const auto hardest = [&](std::int64_t step) {
    return difficulty.index_select(0, curriculum.order(all, step)).max().item<std::int64_t>();
  };
  EXPECT_EQ(hardest(0), 0) << "a tenth";
  EXPECT_EQ(hardest(5), 1);
  EXPECT_EQ(hardest(20), 4) << "half of them";
  EXPECT_EQ(hardest(45), 9);
  EXPECT_EQ(hardest(89), 9);
  const at::Tensor times = torch::bincount(curriculum.order(all, 20), {}, 10);
  EXPECT_EQ(times.max().item<std::int64_t>(), 2) << "each of the easiest five twice";
  EXPECT_TRUE(std::get<0>(curriculum.order(all, 60).sort()).equal(all)) << "a permutation";
  EXPECT_TRUE(Curriculum().order(all, 0).equal(all));
}

constexpr const char* annealed = R"toml(
data = { data = "unique_integers(length=8,values=4,train=200,validation=60,test=60)" }
model = { name = "lstm(gates=all,head=mean)", depth = 2, width = 8 }
training = { epochs = 4, batch = 20, seeds = 1, clip_norm = 1 }
[[arm]]
name = "annealed"
activation = "nan(base=tanh)"
curriculum = 0.7
schedule.c = { from = 30, to = 0.5, shape = "c/sqrt(t+1)", every = 1 }
[[arm]]
name = "plain"
activation = "tanh"
)toml";

TEST(Curriculum, ARunGoesOnElsewhereToTheSameResult) {
  const Experiment wanted = parse_experiment(annealed, "e.toml");
  const data::Dataset data = data::load(request_of(wanted));
  const Experiment experiment = resolve(wanted, data);
  EXPECT_EQ(experiment.arms[0].curriculum, 0.7);
  const Experiment again = resolve(parse_experiment(to_toml(experiment), "again.toml"), data);
  EXPECT_EQ(again.arms[0].curriculum, 0.7);
  EXPECT_EQ(again.optimiser.clip_norm, 1);
  const RunKey key{"annealed", Stage::result, 1, 3e-3, experiment.steps};
  const RunResult whole = train(experiment, data, key, {});
  ASSERT_EQ(whole.status, Status::finished) << whole.message;
  EXPECT_EQ(whole.points.front().gradients.size(), 10u) << "five activations in each of two cells";
  EXPECT_EQ(whole.points.front().scheduled.at("c"), 30);
  EXPECT_LT(whole.points.back().scheduled.at("c"), 5);
  const RunResult result = train_broken_off(experiment, data, key, 5);
  EXPECT_EQ(result.test_loss, whole.test_loss);
  EXPECT_EQ(result.points.back().train_loss, whole.points.back().train_loss);
}

TEST(Curriculum, RefusesWhatCannotBe) {
  Experiment experiment = parse_experiment(annealed, "e.toml");
  const data::Dataset integers = data::load(request_of(experiment));
  experiment.arms[1].activation = "relu";
  refused([&] { resolve(experiment, integers); }, "relu has no sigmoid to go with it");
  Experiment digits;
  digits.arms = {{"", "relu", {}, {}}};
  digits.arms[0].curriculum = 0.5;
  refused([&] { resolve(digits, data::load({"optdigits", "", 100})); }, "optdigits does not say how hard");
  digits.arms[0].curriculum = 2;
  refused([&] { resolve(digits, data::load({"optdigits", "", 100})); }, "arm relu: curriculum 2: out of range");
}

}  // namespace
}  // namespace ogee::lab
