// Comparisons on the data and models beyond tables: what can be learned there is, by far better than a constant answer.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "lab/laboratory.h"
#include "lab/report.h"

namespace ogee::lab {
namespace {

class DataKinds : public testing::Test {
 protected:
  DataKinds()
      : root_(std::filesystem::temp_directory_path() /
              ("ogee_kinds_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) +
               std::to_string(getpid()))) {
    std::filesystem::create_directories(root_);
  }
  ~DataKinds() override { std::filesystem::remove_all(root_); }

  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(root_ / name, std::ios::binary) << bytes;
    return (root_ / name).string();
  }

  // A short comparison; every arm's error must come below `share` of the constant answer's.
  void learns(Experiment experiment, const std::string& model, const std::string& metric, double share) const {
    experiment.model = model;
    experiment.depth = 1;
    experiment.width = 16;
    experiment.activations = {"tanh", "relu", "swiglu"};
    experiment.batch = 16;
    experiment.seeds = 1;
    experiment.learning_rate = 1e-2;
    Options options;
    options.out = (root_ / model).string();
    options.workers = 1;
    const Outcome outcome = compare(experiment, options);
    EXPECT_EQ(outcome.ending, Ending::complete) << model;
    EXPECT_EQ(outcome.results["metric"], metric);
    const double baseline = outcome.results["data"]["baseline"].get<double>();
    for (const auto& arm : outcome.results["arms"])
      EXPECT_LT(arm["test_error"]["mean"].get<double>(), share * baseline) << model << " " << arm["activation"];
    EXPECT_NE(text_report(outcome.results).find(metric), std::string::npos);
  }

  const std::filesystem::path root_;
};

TEST_F(DataKinds, Text) {
  std::string text;  // what follows is known from the two tokens before
  for (int i = 0; i < 4000; ++i) text += "the cat sat on the mat and ran. "[i % 32];
  Experiment experiment;
  experiment.data = write("cat.txt", text);
  experiment.context = 8;
  experiment.epochs = 3;
  for (const char* model : {"transformer", "lstm", "gru"}) learns(experiment, model, "perplexity", 0.4);
}

TEST_F(DataKinds, Series) {
  std::string text = "a,b\n";
  for (int i = 0; i < 600; ++i)
    text += std::to_string(std::sin(0.3 * i)) + "," + std::to_string(5 + 3 * std::cos(0.3 * i + 1)) + "\n";
  Experiment experiment;
  experiment.data = write("waves.csv", text);
  experiment.kind = "series";
  experiment.context = 10;
  experiment.horizon = 4;
  experiment.epochs = 4;
  for (const char* model : {"lstm", "gru", "transformer", "mlp", "resnet"}) learns(experiment, model, "MSE", 0.4);
}

TEST_F(DataKinds, RowsOfPicturesAndResiduals) {
  Experiment experiment;
  experiment.train_limit = 400;
  experiment.epochs = 6;
  for (const char* model : {"lstm", "transformer", "resnet", "resnet(batch_norm=1)"})
    learns(experiment, model, "error", 0.7);
}

}  // namespace
}  // namespace ogee::lab
