// What holds for every kind: given parts, shares, leaks, balance, and standardisation by the training part alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "data/parts.h"
#include "files.h"

namespace ogee::data::parts_test {
namespace {

using testing::HasSubstr;

// `rows` examples whose feature starts at `from`; every `every`-th of class 1.
std::string table(int rows, int from, int every) {
  std::string text = "x,y\n";
  for (int i = 0; i < rows; ++i) text += std::to_string(from + i) + "," + (i % every ? "no" : "yes") + "\n";
  return text;
}

TEST(Parts, GivenOnesAreRespected) {
  const Folder folder;
  Request request{folder.write("a.csv", table(100, 0, 2))};
  request.validation = folder.write("b.csv", table(30, 1000, 2));
  request.test = folder.write("c.csv", table(40, 5000, 2));
  const Dataset set = load(request);
  EXPECT_EQ(set.train.size(), 100);
  EXPECT_EQ(set.validation.size(), 30);
  EXPECT_EQ(set.test.size(), 40);
  // The scale is the training part's: 0..99 has mean 49.5 and deviation 28.87, whatever lies in the other parts.
  EXPECT_NEAR(set.train.x.mean().item<double>(), 0, 1e-5);
  EXPECT_NEAR(set.train.x.std(false).item<double>(), 1, 1e-5);
  EXPECT_NEAR(set.validation.x[0][0].item<double>(), (1000 - 49.5) / 28.866, 1e-2);
  EXPECT_NEAR(set.test.x[0][0].item<double>(), (5000 - 49.5) / 28.866, 1e-2);

  request.validation.clear();
  request.validation_share = 0.3;
  const Dataset other = load(request);
  EXPECT_EQ(other.validation.size(), 30);
  EXPECT_EQ(other.train.size(), 70);
  EXPECT_EQ(other.test.size(), 40);
}

TEST(Parts, SharesThatCannotBe) {
  const Folder folder;
  Request request{folder.write("a.csv", table(100, 0, 2))};
  const auto error = [&](double validation, double test) {
    request.validation_share = validation;
    request.test_share = test;
    return error_of([&] { load(request); });
  };
  EXPECT_EQ(error(0.4, 0.4), "");
  EXPECT_THAT(error(-0.1, 0), HasSubstr("validation_share = -0.1: expected more than 0 and less than 1"));
  EXPECT_THAT(error(0, 1), HasSubstr("test_share = 1:"));
  EXPECT_THAT(error(0.5, 0.5), HasSubstr("leave nothing to train on"));
  EXPECT_THAT(error(0.001, 0), HasSubstr("too few examples: 80 to train, 0 to validate, 20 to test"));
}

TEST(Parts, ExamplesInTwoPartsAreCounted) {
  const Folder folder;
  Request request{folder.write("a.csv", table(100, 0, 2))};
  EXPECT_FALSE(has_note(load(request).notes, "also among the training examples"));
  request.test = folder.write("b.csv", table(40, 90, 2));
  request.validation = folder.write("c.csv", table(40, 99, 2));
  const Dataset set = load(request);
  EXPECT_TRUE(has_note(set.notes, "10 of the 40 test examples are also among the training examples"));
  EXPECT_TRUE(has_note(set.notes, "1 of the 40 validation examples is also among the training examples"));
}

TEST(Parts, ImbalanceIsReportedFromThreeToOne) {
  const Folder folder;
  EXPECT_FALSE(has_note(load({folder.write("a.csv", table(300, 0, 3))}).notes, "unbalanced"));
  EXPECT_TRUE(has_note(load({folder.write("b.csv", table(300, 0, 10))}).notes,
                       "classes are unbalanced, 9 to 1: 162 training examples of 'no', 18 of 'yes'"));
}

TEST(Parts, ClassesThatWereNotTrained) {
  const Folder folder;
  Request request{folder.write("a.csv", table(100, 0, 2))};
  request.test = folder.write("b.csv", "x,y\n1,maybe\n2,no\n");
  EXPECT_THAT(error_of([&] { load(request); }),
              HasSubstr("the test part has examples of class 'maybe', the training part none"));
}

TEST(Parts, OtherColumnsAndBadCellsOfGivenPartsAreNamed) {
  const Folder folder;
  Request request{folder.write("a.csv", table(100, 0, 2))};
  request.test = folder.write("b.csv", "z,y\n1,no\n");
  EXPECT_THAT(error_of([&] { load(request); }), HasSubstr("b.csv:1: columns z, y; expected those of"));
  request.test = folder.write("c.csv", "x,y\n1,no\n?,no\n");
  EXPECT_THAT(error_of([&] { load(request); }), HasSubstr("c.csv:3: column 1 ('x'): '?' is no number"));
}

TEST(Parts, ScalesShareWhatTheySay) {
  const std::vector<std::int64_t> rows{0, 1};
  const at::Tensor x = torch::rand({50, 4, 3}) * torch::tensor({1.0, 10.0, 100.0}) + 7;
  std::vector<std::string> notes;
  const at::Tensor column = fit_standard(x, Scale::column, notes).apply(x);
  EXPECT_TRUE(column.mean(rows).abs().lt(1e-4).all().item<bool>());
  EXPECT_TRUE((column.std(rows, false) - 1).abs().lt(1e-4).all().item<bool>());
  const at::Tensor all = fit_standard(x, Scale::all, notes).apply(x);
  EXPECT_NEAR(all.std(false).item<double>(), 1, 1e-4);
  EXPECT_GT((all.std(rows, false) - 1).abs().max().item<double>(), 0.3);
  EXPECT_TRUE(notes.empty());
  EXPECT_TRUE(
      fit_standard(torch::ones({9, 2}), Scale::feature, notes).apply(torch::ones({1, 2})).eq(0).all().item<bool>());
  EXPECT_TRUE(has_note(notes, "2 features are constant"));
}

TEST(Kinds, ArePathsOrWords) {
  const Folder folder;
  const std::string path = folder.write("numbers.data", table(100, 0, 2));
  EXPECT_THAT(error_of([&] { load({path}); }), HasSubstr("the name does not tell its kind: give it as csv, idx,"));
  Request request{path};
  request.kind = "csv";
  EXPECT_EQ(load(request).train.size(), 60);
  request.kind = "table";
  EXPECT_THAT(error_of([&] { load(request); }), HasSubstr("--kind table: expected csv, idx,"));
  EXPECT_THAT(error_of([] { load({"nowhere.csv"}); }), HasSubstr("--data nowhere.csv: no such file or folder"));
  Request digits;
  digits.kind = "csv";
  EXPECT_THAT(error_of([&] { load(digits); }), HasSubstr("optdigits: built in"));
}

}  // namespace
}  // namespace ogee::data::parts_test
