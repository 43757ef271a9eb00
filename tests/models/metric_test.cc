// Metrics against values of scikit-learn 1.2.1, made by the formulas in the comments: part by part, as they add up.
#include "ogee/libtorch.h"
#include "tasks/metric.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "ogee/ogee.h"
#include "tasks/task.h"

namespace ogee::tasks {
namespace {

using data::Goal;
using testing::HasSubstr;

at::Tensor table(std::int64_t rows, std::int64_t columns, const std::function<double(double, double)>& value) {
  at::Tensor t = torch::empty({rows, columns});
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) t[i][j] = value(static_cast<double>(i), static_cast<double>(j));
  return t;
}

struct Judged {
  data::Dataset data;
  at::Tensor output, y;

  double by(const std::string& key) const {
    const auto task = make_task(data, key);
    const std::int64_t size = y.size(0), cut = size / 3;
    const auto part = [&](std::int64_t from, std::int64_t count) {
      return task->statistics(output.narrow(0, from, count), y.narrow(0, from, count));
    };
    return task->error(part(0, cut) + part(cut, size - cut), static_cast<double>(size));
  }
};

// output[i][j] = 2 sin(3i + 7j + 1), and for the class y[i] = (i^2 + i/3) mod 6 3 less where i is a
// multiple of 3, else 3 more.
Judged classes() {
  Judged it;
  it.data.classes = {"a", "b", "c", "d", "e", "f", "g"};
  it.output = table(14, 7, [](double i, double j) { return 2 * std::sin(3 * i + 7 * j + 1); });
  it.y = torch::empty({14}, torch::kLong);
  for (std::int64_t i = 0; i < 14; ++i) {
    const std::int64_t y = (i * i + i / 3) % 6;
    it.y[i] = y;
    it.output[i][y] += i % 3 == 0 ? -3 : 3;
  }
  it.data.train.y = it.data.test.y = it.y;
  return it;
}

TEST(Metrics, OfClassesAreScikitLearns) {
  const Judged it = classes();
  EXPECT_NEAR(it.by(""), 0.6428571428571428, 1e-12);  // 1 - accuracy_score
  EXPECT_EQ(it.by("error"), it.by(""));
  EXPECT_NEAR(it.by("balanced_error"), 0.6944444444444444, 1e-12);  // 1 - balanced_accuracy_score
  EXPECT_NEAR(it.by("macro_f1"), 0.7047619047619048, 1e-12);        // 1 - f1_score(average='macro')
  EXPECT_NEAR(it.by("top5_error"), 0.2142857142857143, 1e-12);      // 1 - top_k_accuracy_score(k=5)
  EXPECT_NEAR(it.by("loss"), 2.260434603795439, 1e-6);              // log_loss of the softmax
}

// y[i] = cos i + 0.1 i, output[i] = cos(i + 0.3), both in units of a deviation of 2.5.
TEST(Metrics, OfValuesAreScikitLearns) {
  Judged it;
  it.data.goal = Goal::regression;
  it.data.target_deviation = 2.5;
  it.output = table(14, 1, [](double i, double) { return std::cos(i + 0.3); });
  it.y = table(14, 1, [](double i, double) { return std::cos(i) + 0.1 * i; }).squeeze(1);
  EXPECT_NEAR(it.by(""), 1.9391372363029342, 1e-6);     // mean_squared_error(squared=False)
  EXPECT_NEAR(it.by("mae"), 1.651230238245002, 1e-6);   // mean_absolute_error
  EXPECT_NEAR(it.by("r2"), 0.8338878585083634, 1e-6);   // 1 - r2_score
  EXPECT_NEAR(it.by("loss"), 0.601640515394653, 1e-6);  // mean_squared_error, in deviations
}

// Four windows of three tokens out of seven: y[i][j] = (2i + 3j) mod 7, output[i][j][v] = sin(i + 2j + 3v).
TEST(Metrics, OfTextsAreScikitLearns) {
  Judged it;
  it.data.goal = Goal::language;
  it.data.shape = {3};
  it.data.classes = {"a", "b", "c", "d", "e", "f", "g"};
  it.output = table(12, 7, [](double i, double v) {
                return std::sin(std::floor(i / 3) + 2 * std::fmod(i, 3) + 3 * v);
              }).reshape({4, 3, 7});
  it.y = table(4, 3, [](double i, double j) { return std::fmod(2 * i + 3 * j, 7); }).to(torch::kLong);
  EXPECT_NEAR(it.by(""), 8.303531906829825, 1e-5);      // e^log_loss
  EXPECT_NEAR(it.by("bits"), 3.05372511725918, 1e-6);   // log_loss/ln 2
  EXPECT_NEAR(it.by("loss"), 2.116680955233289, 1e-6);  // log_loss
  // Of always answering with the tokens' frequencies.
  it.data.baseline = 20;
  EXPECT_EQ(baseline(*make_task(it.data), it.data), 20);
  EXPECT_NEAR(baseline(*make_task(it.data, "bits"), it.data), std::log2(20.0), 1e-12);
}

// Five windows, three steps of two columns: y[i][j][c] = cos(i + j + 2c), output[i][q] = 0.5 sin(i + q).
TEST(Metrics, OfSeriesAreScikitLearns) {
  Judged it;
  it.data.goal = Goal::forecasting;
  it.data.shape = {4, 2};
  it.data.answers = 6;
  it.output = table(5, 6, [](double i, double q) { return 0.5 * std::sin(i + q); });
  it.y = table(5, 6, [](double i, double q) {
           return std::cos(i + std::floor(q / 2) + 2 * std::fmod(q, 2));
         }).reshape({5, 3, 2});
  EXPECT_NEAR(it.by(""), 0.4780508527994028, 1e-6);     // mean_squared_error
  EXPECT_NEAR(it.by("mae"), 0.5750611434380214, 1e-6);  // mean_absolute_error
}

// By hand.
TEST(Metrics, KnowWhatAConstantAnswerGets) {
  data::Dataset data;
  data.classes = {"a", "b", "c", "d", "e", "f"};
  data.baseline = 0.25;
  data.train.y = torch::tensor({0, 0, 0, 1, 1, 2, 3, 4, 4, 5}, torch::kLong);
  data.test.y = torch::tensor({0, 0, 0, 1}, torch::kLong);
  const auto of = [&](const char* key) { return baseline(*make_task(data, key), data); };
  EXPECT_EQ(of("error"), 0.25);
  EXPECT_DOUBLE_EQ(of("balanced_error"), 0.5);              // all of a, none of b
  EXPECT_DOUBLE_EQ(of("macro_f1"), 1 - (6.0 / 7 + 0) / 2);  // a: 2*3/(3 + 4)
  EXPECT_NEAR(of("loss"), -(3 * std::log(0.3) + std::log(0.2)) / 4, 1e-6);
  EXPECT_DOUBLE_EQ(of("top5_error"), 0);
  data::Dataset values;
  values.goal = Goal::regression;
  values.target_deviation = 2;
  values.baseline = 7;
  values.test.y = torch::tensor({1.0f, -1.0f, 2.0f, 0.0f});
  EXPECT_EQ(baseline(*make_task(values, "rmse"), values), 7);
  EXPECT_DOUBLE_EQ(baseline(*make_task(values, "mae"), values), 2.0);
  EXPECT_DOUBLE_EQ(baseline(*make_task(values, "r2"), values), 6.0 / 5);  // squares around 0 over those around 0.5
}

TEST(Metrics, OnlyCountsAreMultiplesOfOneExample) {
  EXPECT_TRUE(is_counted("error") && is_counted("top-5 error"));
  for (const char* title : {"balanced error", "1 - macro F1", "loss", "RMSE", "1 - R2", "perplexity", "nothing"})
    EXPECT_FALSE(is_counted(title)) << title;
  for (const char* title : {"error", "balanced error", "1 - macro F1", "top-5 error"}) EXPECT_TRUE(is_share(title));
  for (const char* title : {"loss", "RMSE", "1 - R2", "bits", "MSE"}) EXPECT_FALSE(is_share(title));
}

std::string refusal(const std::string& key, Goal goal, std::int64_t classes = 0) {
  try {
    metric_named(key, goal, classes);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Metrics, SayWhatWouldFit) {
  EXPECT_EQ(
      refusal("eror", Goal::classification, 4),
      "--metric eror: there is no such metric; did you mean 'error'?; expected error, balanced_error, macro_f1 or "
      "loss for classes");
  EXPECT_EQ(
      refusal("rmse", Goal::classification, 10),
      "--metric rmse: it is for values; expected error, balanced_error, macro_f1, top5_error or loss for classes");
  EXPECT_THAT(refusal("top5_error", Goal::classification, 5), HasSubstr("only 5 classes, more than 5 are needed"));
  EXPECT_EQ(refusal("top5_error", Goal::classification, 6), "");
  EXPECT_EQ(refusal("error", Goal::forecasting),
            "--metric error: it is for classes, a text, bits to recall; expected mse or mae for a series");
  EXPECT_EQ(refusal("mae", Goal::regression), "");
  EXPECT_EQ(refusal("mae", Goal::forecasting), "");
}

}  // namespace
}  // namespace ogee::tasks
