// Texts whose batches go on from one another, rates that are halved with the epochs, weights that start uniformly.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "broken_off.h"
#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "lab/experiment_file.h"
#include "lab/run.h"
#include "models/network.h"
#include "ogee/ogee.h"
#include "refusal.h"

namespace ogee::lab {
namespace {

namespace files = std::filesystem;

// A file of this process: tests run beside one another.
std::string own_file(const std::string& name) {
  return (files::temp_directory_path() / ("ogee_" + name + "_" + std::to_string(getpid()) + ".txt")).string();
}

// A text in which a sentence's first word, one of two, tells its last. Windows of four words begin anywhere in
// sentences of five: half of those that ask for the last word do not hold the first.
class Text {
 public:
  Text() : path_(own_file("carrying")) {
    std::ofstream file(path_);
    std::uint64_t random = 7;
    for (int i = 0; i < 500; ++i) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      const bool one = (random >> 40) % 2 == 0;
      file << (one ? "this a b first\n" : "that a b last\n");
    }
  }
  ~Text() { files::remove(path_); }
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;

  Experiment experiment(const std::string& more, const std::string& arms) const {
    return parse_experiment("data = { data = \"" + path_ + "\", tokens = \"words\", context = 4 }\n" +
                                "model = { name = \"lstm(gates=all)\", depth = 1, width = 12, initial_range = 0.2 }\n" +
                                "training = { seeds = 1, learning_rate = 2, optimiser = \"sgd\", clip_norm = 0.5, " +
                                more + " }\n" + arms,
                            "e.toml");
  }

 private:
  std::string path_;
};
constexpr const char* plain = "[[arm]]\nactivation = \"tanh\"\n";

RunKey key_of(const Experiment& experiment) {
  return {experiment.arms[0].label(), Stage::result, 1, 2, experiment.steps};
}

// Whether the network has learned what only a carried state can tell it.
TEST(Carrying, SeesBeyondTheWindow) {
  const Text text;
  double losses[2];
  for (const bool carry : {false, true}) {
    const Experiment wanted =
        text.experiment(std::string("epochs = 40, batch = 5, carry_state = ") + (carry ? "true" : "false"), plain);
    const data::Dataset data = data::load(request_of(wanted));
    const Experiment experiment = resolve(wanted, data);
    const RunResult result = train(experiment, data, key_of(experiment), {});
    ASSERT_EQ(result.status, Status::finished) << result.message;
    losses[carry] = result.test_loss;
  }
  // Of five words one is an even guess, and one is where the window does not tell.
  const double one_guess = std::log(2.0) / 5;
  EXPECT_GT(losses[false], 1.35 * one_guess);
  EXPECT_LT(losses[true], 1.15 * one_guess);
}

TEST(Carrying, ARunGoesOnElsewhereToTheSameResult) {
  const Text text;
  const Experiment wanted =
      text.experiment("epochs = 3, batch = 5, carry_state = true, decay = { after = 1, factor = 0.5 }",
                      "[[arm]]\nactivation = \"nah(base=tanh)\"\n"
                      "schedule.c = { from = 3, to = 0.5, shape = \"validation\", factor = 0.5, patience = 1 }\n");
  const data::Dataset data = data::load(request_of(wanted));
  const Experiment experiment = resolve(wanted, data);
  EXPECT_EQ(to_json(resolve(parse_experiment(to_toml(experiment), "again.toml"), data)), to_json(experiment));
  const RunKey key = key_of(experiment);
  const RunResult whole = train(experiment, data, key, {});
  ASSERT_EQ(whole.status, Status::finished) << whole.message;
  const RunResult result = train_broken_off(experiment, data, key, 5);
  EXPECT_EQ(result.test_loss, whole.test_loss);
  ASSERT_EQ(result.points.size(), whole.points.size());
  for (std::size_t i = 1; i < whole.points.size(); ++i) {
    EXPECT_EQ(result.points[i].train_loss, whole.points[i].train_loss) << "epoch " << i;
    EXPECT_EQ(result.points[i].scheduled, whole.points[i].scheduled) << "epoch " << i;
  }
}

// A rate that is as good as 0 after the first epoch leaves the network as it was then.
TEST(RateCourse, FallsWithTheEpochs) {
  const Text text;
  const auto losses = [&](const std::string& more) {
    const Experiment wanted = text.experiment("epochs = 3, batch = 5, carry_state = true" + more, plain);
    const data::Dataset data = data::load(request_of(wanted));
    const Experiment experiment = resolve(wanted, data);
    const RunResult result = train(experiment, data, key_of(experiment), {});
    std::vector<double> all;
    for (const Point& point : result.points) all.push_back(point.validation_loss);
    return all;
  };
  const std::vector<double> falling = losses(", decay = { after = 1, factor = 1e-9 }"),
                            constant = losses(", decay = { after = 3, factor = 1e-9 }");
  ASSERT_EQ(falling.size(), 4u);
  EXPECT_EQ(falling[1], constant[1]) << "the first epoch is the same";
  EXPECT_NEAR(falling[3], falling[1], 1e-4);
  EXPECT_LT(constant[3], constant[1] - 0.01);
}

TEST(InitialRange, IsOfAllWeightsAndBiasesButNotOfUnits) {
  const Text text;
  const Experiment wanted =
      text.experiment("epochs = 1, batch = 5", "[[arm]]\nname = \"NAN\"\nactivation = \"nan(base=tanh)\"\n");
  const data::Dataset data = data::load(request_of(wanted));
  const Experiment experiment = resolve(wanted, data);
  RunHooks hooks;
  int seen = 0;
  hooks.network = [&](models::Network& network, bool trained) {
    if (trained) return;
    for (const auto& item : network.named_parameters()) {
      const double largest = item.value().abs().max().item<double>();
      SCOPED_TRACE(item.key());
      if (item.key().ends_with("_activation.p")) {
        EXPECT_GT(largest, 0.4) << "p starts in U(-1, 1)";
      } else {
        EXPECT_LE(largest, 0.2);
        EXPECT_GT(largest, 0.1);
        EXPECT_LT(std::abs(item.value().mean().item<double>()), 0.1);
      }
      ++seen;
    }
  };
  train(experiment, data, key_of(experiment), hooks);
  EXPECT_EQ(seen, 6 + 5) << "embedding, both maps into the cell, its bias, the answer's two; a p for each activation";
}

// The monitor must know one step from the next even where nothing but fused nodes runs, or no state could be kept.
TEST(Carrying, AVocabularysRunCanBeBrokenOff) {
  std::string words;
  for (int i = 0; i < 2400; ++i)
    words += (i % 2 ? "a" : std::string(1, static_cast<char>('b' + i / 2 % 20))) + std::to_string(i % 600) + "\n";
  const std::string path = own_file("vocabulary");
  std::ofstream(path) << words;
  const Experiment wanted = parse_experiment(
      "data = { data = \"" + path +
          "\", tokens = \"words\", context = 4 }\n"
          "model = { name = \"lstm(gates=all)\", depth = 1, width = 4 }\n"
          "training = { epochs = 1, batch = 10, seeds = 1, learning_rate = 0.1, carry_state = true }\n" +
          std::string(plain),
      "e.toml");
  const data::Dataset data = data::load(request_of(wanted));
  files::remove(path);
  ASSERT_GT(data.outputs(), 512);
  const Experiment experiment = resolve(wanted, data);
  RunHooks hooks;
  int kept = 0;
  hooks.keep_seconds = 0;
  hooks.keep = [&](const std::string&) { ++kept; };
  testing::internal::CaptureStderr();
  const RunResult result = train(experiment, data, {"tanh", Stage::result, 1, 0.1, experiment.steps}, hooks);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "LibTorch's allocator has something to say";
  ASSERT_EQ(result.status, Status::finished) << result.message;
  EXPECT_GT(kept, 30) << "of " << experiment.steps << " steps";
}

TEST(Carrying, RefusesWhatCannotBe) {
  const Text text;
  Experiment experiment = text.experiment("carry_state = true", plain);
  const data::Dataset data = data::load(request_of(experiment));
  experiment.model = "transformer";
  refused([&] { resolve(experiment, data); }, "transformer has no state to carry; expected lstm or gru");
  experiment.model = "gru";
  experiment.train_limit = 30;
  refused([&] { resolve(experiment, data); }, "not with a train_limit");
  Experiment digits;
  digits.carry_state = true;
  refused([&] { resolve(digits, data::load({"optdigits", "", 100})); }, "optdigits is no running text");
  refused([&] { text.experiment("decay = { after = 2 }", plain); }, "the rate's decay has no 'factor'");
}

}  // namespace
}  // namespace ogee::lab
