// Translation in the laboratory: a run that was stopped goes on to the same bits, noise, its annealing and BLEU's
// search included.
#include <gtest/gtest.h>
#include <string>

#include "broken_off.h"
#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "drawn.h"
#include "folder.h"
#include "lab/experiment_file.h"
#include "lab/run.h"

namespace ogee::lab::translation_test {
namespace {

TEST(Translation, ARunGoesOnElsewhereToTheSameResult) {
  const Folder folder;
  const Experiment wanted = parse_experiment(
      "data = { data = \"" + write_translation(folder, 90) + "\" }\n" +
          "model = { name = \"attention(gates=all,embedding=8,dropout=0.2,beam=2)\", depth = 1, width = 8 }\n"
          "training = { epochs = 6, batch = 10, seeds = 1, learning_rate = 1e-2, clip_norm = 1 }\n"
          "[[arm]]\nname = \"it\"\nactivation = \"nan(base=tanh)\"\n"
          "schedule.c = { from = 0.5, to = 0.05, shape = \"linear\" }\n",
      "e.toml");
  const data::Dataset data = data::load(request_of(wanted));
  const Experiment experiment = resolve(wanted, data);
  const RunKey key{"it", Stage::result, 1, 1e-2, experiment.steps};
  const RunResult whole = train(experiment, data, key, {});
  ASSERT_EQ(whole.status, Status::finished) << whole.message;
  EXPECT_GT(whole.test_loss, 0);
  const RunResult result = train_broken_off(experiment, data, key, 3);
  EXPECT_EQ(result.test_loss, whole.test_loss);
  EXPECT_EQ(result.test_error, whole.test_error) << "1 - BLEU";
  ASSERT_EQ(result.points.size(), whole.points.size());
  for (std::size_t i = 1; i < whole.points.size(); ++i) {
    EXPECT_EQ(result.points[i].train_loss, whole.points[i].train_loss) << "epoch " << i;
    EXPECT_EQ(result.points[i].scheduled, whole.points[i].scheduled) << "epoch " << i;
  }
}

}  // namespace
}  // namespace ogee::lab::translation_test
