// The CSV reader: what it finds out, and that whatever it cannot use is an error naming the place.
#include "data/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "ogee/ogee.h"

namespace ogee::data::csv_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// 30 rows "i,i/2,<target(i)>" under `header`.
template <class Target>
std::string table(const std::string& header, Target target) {
  std::string text = header;
  for (int i = 0; i < 30; ++i) text += std::to_string(i) + "," + std::to_string(0.5 * i) + "," + target(i) + "\n";
  return text;
}
std::string two_classes(int i) { return i % 3 == 0 ? "yes" : "no"; }

std::string error_of(const std::string& text, const std::string& target = "") {
  try {
    parse_csv(text, "t.csv", target);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Csv, ClassesOfText) {
  const Table t = parse_csv(table("a,b,answer\n", two_classes), "t.csv");
  EXPECT_EQ(t.rows, 30u);
  EXPECT_EQ(t.columns, 2u);
  EXPECT_EQ(t.target, "answer");
  EXPECT_EQ(t.goal, Goal::classification);
  EXPECT_THAT(t.classes, ElementsAre("no", "yes"));
  EXPECT_EQ(t.labels[0], 1);
  EXPECT_EQ(t.labels[1], 0);
  EXPECT_FLOAT_EQ(t.features[2 * 3 + 1], 1.5f);
  EXPECT_THAT(t.names, ElementsAre("a", "b"));
}

TEST(Csv, NoHeaderEvenIfTheTargetIsText) {
  const Table t = parse_csv(table("", two_classes), "t.csv");
  EXPECT_EQ(t.rows, 30u);
  EXPECT_EQ(t.target, "column 3");
}

TEST(Csv, WholeNumbersAreClassesInOrder) {
  const Table t = parse_csv(table("a,b,k\n", [](int i) { return std::to_string(10 - i % 3); }), "t.csv");
  EXPECT_THAT(t.classes, ElementsAre("8", "9", "10"));
  EXPECT_EQ(t.labels[0], 2);
}

TEST(Csv, ManyNumbersAreARegression) {
  const Table t = parse_csv(table("a,b,v\n", [](int i) { return std::to_string(i * 1.25); }), "t.csv");
  EXPECT_EQ(t.goal, Goal::regression);
  EXPECT_DOUBLE_EQ(t.values[2], 2.5);
  EXPECT_THAT(t.notes.back(), HasSubstr("regression"));
}

TEST(Csv, TargetByNameAndByNumber) {
  const std::string text = table("a,b,answer\n", two_classes);
  EXPECT_EQ(error_of(text, "3"), "");
  EXPECT_EQ(parse_csv(text, "t.csv", "answer").target, "answer");
  const std::string error = error_of(text, "nothing");
  EXPECT_THAT(error, HasSubstr("t.csv:1"));
  EXPECT_THAT(error, HasSubstr("a, b, answer"));
  EXPECT_THAT(error_of(text, "4"), HasSubstr("no column '4'"));
}

TEST(Csv, QuotesSeparatorsAndLineEnds) {
  std::string text = "\xef\xbb\xbf\"first; and \"\"more\"\"\";b;c\r\n";
  for (int i = 0; i < 30; ++i) text += "\"" + std::to_string(i) + "\";2;" + (i % 2 ? "\"x;\ny\"" : "z") + "\r\n";
  const Table t = parse_csv(text, "t.csv");
  EXPECT_EQ(t.rows, 30u);
  EXPECT_THAT(t.names, ElementsAre("first; and \"more\"", "b"));
  EXPECT_THAT(t.classes, ElementsAre("x;\ny", "z"));
}

TEST(Csv, BadCellsAreNamed) {
  const auto with = [](const std::string& cell) {
    std::string text = "a,b,k\n";
    for (int i = 0; i < 30; ++i) text += (i == 5 ? cell : std::to_string(i)) + ",1," + std::to_string(i % 2) + "\n";
    return error_of(text);
  };
  EXPECT_EQ(with("abc"), "t.csv:7: column 1 ('a'): 'abc' is no number");
  EXPECT_EQ(with("nan"), "t.csv:7: column 1 ('a'): 'nan' is not a finite float32 number");
  EXPECT_THAT(with("2016-07-01 00:00"), HasSubstr("is no number; rows in order of time are data of the kind series"));
  EXPECT_THAT(with("-inf"), HasSubstr("'-inf' is not a finite"));
  EXPECT_THAT(with("1e400"), HasSubstr("'1e400' is not a finite"));
  EXPECT_THAT(with(""), HasSubstr("t.csv:7: column 1 ('a'): empty cell"));
  EXPECT_THAT(with("1,2"), HasSubstr("t.csv:7: 4 cells, expected 3"));
}

TEST(Csv, LinesAreCountedThroughQuotedLineEnds) {
  std::string text = "a,b,k\n";
  for (int i = 0; i < 30; ++i) text += std::string(i == 20 ? "x" : "1") + ",2," + (i % 2 ? "\"p\nq\"" : "r") + "\n";
  EXPECT_THAT(error_of(text), HasSubstr("t.csv:32: column 1"));
}

TEST(Csv, BadTargets) {
  EXPECT_THAT(error_of(table("a,b,k\n", [](int) { return "one"; })), HasSubstr("one class only"));
  EXPECT_THAT(error_of(table("a,b,k\n", [](int) { return "1"; })), HasSubstr("one class only"));
  EXPECT_THAT(error_of(table("a,b,k\n", [](int) { return "1.5"; })), HasSubstr("constant"));
  EXPECT_THAT(error_of(table("a,b,k\n", [](int i) { return i == 9 ? "oops" : std::to_string(0.5 * i); })),
              HasSubstr("t.csv:11: column 3 ('k'): 'oops' is no number"));
  EXPECT_THAT(error_of(table("a,b,k\n", [](int i) { return "name" + std::to_string(i); })),
              HasSubstr("30 classes in 30 rows"));
}

TEST(Csv, TooLittle) {
  EXPECT_EQ(error_of(""), "t.csv: empty file");
  EXPECT_EQ(error_of("\n\n"), "t.csv: empty file");
  EXPECT_THAT(error_of("a\n1\n2\n"), HasSubstr("one column only"));
  EXPECT_THAT(error_of("a,b\n1,2\n"), HasSubstr("1 rows of data, at least 20"));
  EXPECT_THAT(error_of("a,b\n1,\"2\n"), HasSubstr("t.csv:2: a quoted cell is never closed"));
}

TEST(Csv, MissingFilesAndDamagedGzip) {
  EXPECT_THROW(read_csv("nowhere/at_all.csv"), Error);
  const auto path = std::filesystem::temp_directory_path() / "ogee_damaged.csv.gz";
  {
    std::ifstream whole("data/optdigits.csv.gz", std::ios::binary);
    std::string bytes(1000, '\0');
    ASSERT_TRUE(whole.read(bytes.data(), 1000));
    std::ofstream(path, std::ios::binary) << bytes;
  }
  try {
    read_csv(path.string());
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("truncated"));
    EXPECT_THAT(error.what(), HasSubstr("ogee_damaged.csv.gz"));
  }
  std::filesystem::remove(path);
}

TEST(Csv, TheEmbeddedDigits) {
  const Table t = read_csv("data/optdigits.csv.gz");
  EXPECT_EQ(t.rows, 1797u);
  EXPECT_EQ(t.columns, 64u);
  EXPECT_EQ(t.classes.size(), 10u);
  EXPECT_EQ(t.labels[0], 0);
  EXPECT_EQ(t.features[2], 5);
}

}  // namespace
}  // namespace ogee::data::csv_test
