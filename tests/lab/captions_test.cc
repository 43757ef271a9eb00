// Captions in the laboratory: BLEU-1 to BLEU-4 of the test part are kept and reported, a run that was stopped goes on
// to the same bits, and what a network adds to the loss is trained on.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "broken_off.h"
#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "lab/experiment_file.h"
#include "lab/laboratory.h"
#include "lab/run.h"
#include "lab/stored.h"
#include "models/network.h"
#include "ogee/ogee.h"

namespace ogee::lab::captions_test {
namespace {

namespace files = std::filesystem;

Experiment small(const std::string& model, const std::string& activation) {
  return parse_experiment(
      "data = { data = \"shapes(train=60,validation=4,test=6)\" }\nmodel = { name = \"captioner(gates=all," + model +
          ")\", depth = 4, width = 8 }\ntraining = { epochs = 2, batch = 20, seeds = 1, learning_rate = 1e-2 }\n" +
          "[[arm]]\nname = \"it\"\nactivation = \"" + activation + "\"\n",
      "e.toml");
}
RunKey key_of(const Experiment& experiment) { return {"it", Stage::result, 1, 1e-2, experiment.steps}; }

TEST(Captions, ARunGoesOnElsewhereToTheSameResult) {
  const Experiment wanted = small("channels=2,dropout=0.2,coverage=0.1", "nah(base=tanh)");
  const data::Dataset data = data::load(request_of(wanted));
  const Experiment experiment = resolve(wanted, data);
  const RunResult whole = train(experiment, data, key_of(experiment), {});
  ASSERT_EQ(whole.status, Status::finished) << whole.message;
  ASSERT_EQ(whole.further.size(), 4u);
  EXPECT_NEAR(1 - whole.further.at("bleu_4"), whole.test_error, 1e-12);
  EXPECT_GE(whole.further.at("bleu_1"), whole.further.at("bleu_2"));
  const RunResult result = train_broken_off(experiment, data, key_of(experiment), 3);
  EXPECT_EQ(result.test_loss, whole.test_loss);
  EXPECT_EQ(result.further, whole.further);
  ASSERT_EQ(result.points.size(), whole.points.size());
  for (std::size_t i = 1; i < whole.points.size(); ++i)
    EXPECT_EQ(result.points[i].train_loss, whole.points[i].train_loss) << "epoch " << i;
}

// The training loss, as the optimiser sees it, has the network's own part.
TEST(Captions, CoverageIsTrainedOn) {
  double losses[2];
  for (const bool covering : {false, true}) {
    const Experiment wanted = small(covering ? "channels=2,dropout=0,coverage=10" : "channels=2,dropout=0", "tanh");
    const data::Dataset data = data::load(request_of(wanted));
    const Experiment experiment = resolve(wanted, data);
    const RunResult result = train(experiment, data, key_of(experiment), {});
    ASSERT_EQ(result.status, Status::finished) << result.message;
    losses[covering] = result.points.back().train_loss;
  }
  EXPECT_GT(losses[1], losses[0] + 0.5);
}

TEST(Captions, BleuIsStoredAndReported) {
  const std::string folder = (files::temp_directory_path() / ("ogee_captions_" + std::to_string(getpid()))).string();
  files::remove_all(folder);
  Options options;
  options.out = folder;
  options.workers = 1;
  options.command = "a test";
  compare(small("channels=2,beam=2", "tanh"), options);
  const StoredComparison stored = load_comparison(folder);
  ASSERT_EQ(stored.runs.size(), 1u);
  const RunResult& result = stored.runs[0].result;
  ASSERT_EQ(result.further.size(), 4u);
  std::ifstream file(folder + "/results.json");
  const nlohmann::json json = nlohmann::json::parse(file);
  EXPECT_EQ(json.at("metric"), "1 - BLEU");
  for (const auto& [name, value] : result.further) {
    EXPECT_EQ(json["arms"][0]["further"][name].get<double>(), value) << name;
    EXPECT_EQ(json["arms"][0]["runs"][0]["further"][name].get<double>(), value) << name;
  }
  files::remove_all(folder);
}

}  // namespace
}  // namespace ogee::lab::captions_test
