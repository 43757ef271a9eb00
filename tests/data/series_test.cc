// Series as data sets: windows, borders, standardisation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "files.h"

namespace ogee::data::series_test {
namespace {

using testing::HasSubstr;
using Shape = std::vector<std::int64_t>;

std::string date(int i) { return "2020-01-" + std::string(i < 9 ? "0" : "") + std::to_string(i + 1); }

// a: 0, 1, 2...; b: random-looking, and far larger in the last fifth.
std::string table(int rows, bool dated = true) {
  std::string text = dated ? "date,a,b\n" : "a,b\n";
  for (int i = 0; i < rows; ++i)
    text += (dated ? "hour " + std::to_string(i) + "," : "") + std::to_string(i) + "," +
            std::to_string(std::sin(12.9898 * i) + (i >= rows * 4 / 5 ? 1000 : 0)) + "\n";
  return text;
}

Request request_of(const std::string& path) {
  Request request{path};
  request.kind = "series";
  request.context = 6;
  request.horizon = 3;
  return request;
}

TEST(Series, WindowsForecastWhatFollows) {
  const Folder folder;
  const Dataset set = load(request_of(folder.write("a.csv", table(200))));
  EXPECT_EQ(set.goal, Goal::forecasting);
  EXPECT_EQ(set.shape, (Shape{6, 2}));
  EXPECT_EQ(set.outputs(), 6);
  EXPECT_EQ(set.train.size(), 120 - 6 - 3 + 1);
  EXPECT_EQ(set.validation.size(), 40 - 3 + 1);  // the context may reach back
  EXPECT_EQ(set.test.size(), 40 - 3 + 1);
  // Column a rises by one a row: undo the standardisation, whose mean and deviation are those of 0..119.
  const double mean = 59.5, deviation = std::sqrt((120.0 * 120 - 1) / 12);
  const auto at = [&](const at::Tensor& t, int window, int step) {
    return t[window][step][0].item<double>() * deviation + mean;
  };
  EXPECT_NEAR(at(set.train.x, 0, 0), 0, 1e-3);
  EXPECT_NEAR(at(set.train.x, 10, 5), 15, 1e-3);
  EXPECT_NEAR(at(set.train.y, 10, 0), 16, 1e-3);
  EXPECT_NEAR(at(set.validation.y, 0, 0), 120, 1e-3);
  EXPECT_NEAR(at(set.test.x, 0, 5), 159, 1e-3);
  EXPECT_NEAR(at(set.test.y, 37, 2), 199, 1e-3);
  // Fitted on the training part alone, which the last fifth's level would move.
  EXPECT_NEAR(set.train.x.select(2, 1).abs().max().item<double>(), std::sqrt(2), 0.1);
  EXPECT_GT(set.test.y.select(2, 1).min().item<double>(), 100);
  EXPECT_TRUE(has_note(set.notes, "'date' has no numbers: taken for the time of each row"));
}

TEST(Series, OneTargetAndNoDates) {
  const Folder folder;
  Request request = request_of(folder.write("a.csv", table(200, false)));
  const Dataset all = load(request);
  request.target = "a";
  const Dataset one = load(request);
  EXPECT_EQ(one.shape, (Shape{6, 2}));
  EXPECT_EQ(one.outputs(), 3);
  EXPECT_TRUE(one.test.y.select(2, 0).equal(all.test.y.select(2, 0)));
  EXPECT_NE(one.fingerprint, all.fingerprint);
}

TEST(Series, GivenPartsStandAlone) {
  const Folder folder;
  Request request = request_of(folder.write("a.csv", table(200)));
  request.test = folder.write("b.csv", table(30));
  const Dataset set = load(request);
  EXPECT_EQ(set.test.size(), 30 - 6 - 3 + 1);
  EXPECT_EQ(set.train.size(), 160 - 6 - 3 + 1);
  request.test = folder.write("c.csv", "date,a,c\n" + table(30).substr(9));
  EXPECT_THAT(error_of([&] { load(request); }), HasSubstr("c.csv:1: columns date, a, c; expected those of"));
}

TEST(Series, WhatDoesNotFitIsNamed) {
  const Folder folder;
  const auto error = [&](const std::string& text, auto change) {
    Request request = request_of(folder.write("a.csv", text));
    change(request);
    return error_of([&] { load(request); });
  };
  const auto as_it_is = [](Request&) {};
  EXPECT_THAT(error(table(20), as_it_is), HasSubstr("12 rows in the training part; context 6 and horizon 3 need 19"));
  EXPECT_THAT(error("date,a\nx,1\ny,2\nz,\n", as_it_is), HasSubstr("a.csv:4: column 2 ('a'): empty cell"));
  EXPECT_THAT(error("date,a\nx,1\ny,?\n", as_it_is), HasSubstr("a.csv:3: column 2 ('a'): '?' is no number"));
  EXPECT_THAT(error("date\nx\ny\n", as_it_is), HasSubstr("no column of numbers"));
  std::string unordered = "date,a\n";
  for (int i = 0; i < 30; ++i) unordered += date(i == 7 ? 2 : i) + "," + std::to_string(i % 5) + "\n";
  EXPECT_THAT(error(unordered, as_it_is),
              HasSubstr("a.csv:9: column 1 ('date'): '2020-01-03' does not come after '2020-01-07'"));
  EXPECT_THAT(error(table(200), [](Request& r) { r.target = "date"; }), HasSubstr("the target 'date' has no numbers"));
  EXPECT_THAT(error(table(200), [](Request& r) { r.target = "d"; }), HasSubstr("no column 'd'"));
  EXPECT_THAT(error(table(200), [](Request& r) { r.size = 5; }), HasSubstr("--size"));
  EXPECT_THAT(error(table(200), [](Request& r) { r.kind = "csv"; }), HasSubstr("--context"));
}

TEST(SeriesReal, Ett) {
  const char* root = std::getenv("OGEE_DATA");
  if (!root || !std::filesystem::exists(std::filesystem::path(root) / "ett/ETTh1.csv.gz"))
    GTEST_SKIP() << "no ett/ETTh1.csv.gz under OGEE_DATA";
  Request request{"ett/ETTh1.csv.gz"};
  request.kind = "series";
  const Dataset set = load(request);
  EXPECT_EQ(set.name, "ett/ETTh1.csv.gz");
  EXPECT_EQ(set.shape, (Shape{96, 7}));
  EXPECT_EQ(set.outputs(), 24 * 7);
  EXPECT_EQ(set.train.size(), 10452 - 96 - 24 + 1);
}

}  // namespace
}  // namespace ogee::data::series_test
