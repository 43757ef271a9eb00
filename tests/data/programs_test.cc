// The easier levels of programs: what they are made of is counted in their texts, and nothing is in two parts.
#include "data/programs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <vector>

#include "ogee/libtorch.h"
#include "ogee/ogee.h"
#include "drawn.h"
#include "refusal.h"

namespace ogee::data::programs_test {
namespace {

// The programs without what they print.
std::vector<std::string> texts(const Dataset& set, const Part& part) {
  std::vector<std::string> all;
  for (std::int64_t i = 0; i < part.size(); ++i) {
    const at::Tensor x = part.x[i], asked = part.y[i].ge(0);
    std::string text;
    for (std::int64_t j = 0; j < x.size(0); ++j) {
      text += set.classes[static_cast<std::size_t>(x[j].item<std::int64_t>())];
      if (asked[j].item<bool>()) break;
    }
    all.push_back(text);
  }
  return all;
}

// Each operation but a loop is a pair of parentheses, a loop has those of its range, and print has one more.
std::int64_t operations(const std::string& text) { return std::count(text.begin(), text.end(), '(') - 1; }

// But for what is compared with the value of an operation, and may be equal to it.
std::int64_t largest_number(const std::vector<std::string>& all) {
  std::int64_t largest = 0;
  for (const std::string& text : all)
    for (std::size_t at = 0; at < text.size();) {
      std::size_t digits = 0;
      while (at + digits < text.size() && std::isdigit(static_cast<unsigned char>(text[at + digits]))) ++digits;
      const bool compared = text.compare(at + digits, 2, "==") == 0 || (at > 1 && text.compare(at - 2, 2, "==") == 0);
      if (digits > 0 && !compared) largest = std::max<std::int64_t>(largest, std::stoll(text.substr(at, digits)));
      at += std::max<std::size_t>(digits, 1);
    }
  return largest;
}

Part rows(const Part& part, std::int64_t from, std::int64_t count) {
  return {part.x.narrow(0, from, count), part.y.narrow(0, from, count)};
}

TEST(ProgramLevels, HaveTheirLengthAndNesting) {
  const Dataset set =
      loaded("programs(length=3,nesting=2,easier=150,easier_validation=40,train=200,validation=50,test=60)");
  const std::vector<std::pair<std::int64_t, std::int64_t>> order{{1, 1}, {2, 1}, {3, 1}, {1, 2}, {2, 2}, {3, 2}};
  ASSERT_EQ(set.levels.names.size(), 6u);
  EXPECT_EQ(set.levels.names[2], "length 3, nesting 1");
  EXPECT_EQ(set.levels.names[3], "length 1, nesting 2");
  EXPECT_EQ(set.levels.sizes, (std::vector<std::int64_t>{150, 150, 150, 150, 150, 200}));
  ASSERT_EQ(set.levels.train.size(), 950);
  ASSERT_EQ(set.levels.validation.size(), 5u);
  std::int64_t from = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    SCOPED_TRACE(set.levels.names[i]);
    const auto [length, nesting] = order[i];
    std::vector<std::string> its = texts(set, rows(set.levels.train, from, set.levels.sizes[i]));
    from += set.levels.sizes[i];
    if (i < 5) {
      EXPECT_EQ(set.levels.validation[i].size(), 40);
      for (const std::string& text : texts(set, set.levels.validation[i])) its.push_back(text);
    }
    for (const std::string& text : its) EXPECT_EQ(operations(text), nesting) << text;
    const std::int64_t most = length == 1 ? 10 : length == 2 ? 100 : 1000;
    EXPECT_LE(largest_number(its), most);
    EXPECT_GT(largest_number(its), most / 2) << "of at least 190 programs";
  }
  EXPECT_EQ(set.train.x.data_ptr(), set.levels.train.x[750].data_ptr()) << "the end of all, not a copy";
  EXPECT_TRUE(set.train.y.equal(set.levels.train.y.narrow(0, 750, 200)));
}

TEST(ProgramLevels, LeaveTheTaskAsItIs) {
  const std::string sizes = "train=200,validation=50,test=60)";
  const Dataset with = loaded("programs(length=3,nesting=2,easier=150,easier_validation=40," + sizes),
                without = loaded("programs(length=3,nesting=2," + sizes);
  EXPECT_EQ(texts(with, with.train), texts(without, without.train));
  EXPECT_EQ(texts(with, with.validation), texts(without, without.validation));
  EXPECT_EQ(texts(with, with.test), texts(without, without.test));
  EXPECT_TRUE(with.difficulty.equal(without.difficulty));
  EXPECT_EQ(with.baseline, without.baseline);
  EXPECT_NE(with.fingerprint, without.fingerprint);
  EXPECT_NE(loaded("programs(length=3,nesting=2,easier=150,easier_validation=41," + sizes).fingerprint,
            with.fingerprint);
  EXPECT_TRUE(without.levels.names.empty());
  EXPECT_FALSE(without.levels.train.x.defined());
  // As it was before there were levels.
  EXPECT_EQ(loaded("programs(length=2,nesting=2,train=60,validation=20,test=20)").fingerprint, "b226451d");
}

TEST(ProgramLevels, ShareNoProgramAmongParts) {
  // Levels so easy that the same programs come again and again.
  const Dataset set =
      loaded("programs(length=2,nesting=1,easier=900,easier_validation=300,train=900,validation=300,test=300)");
  const auto as_set = [&](const Part& part) {
    const auto all = texts(set, part);
    return std::set<std::string>(all.begin(), all.end());
  };
  const std::set<std::string> trained = as_set(set.levels.train);
  EXPECT_LT(trained.size(), 1800u) << "some come twice within a part";
  for (const Part* part : {&set.levels.validation[0], &set.validation, &set.test})
    for (const std::string& text : as_set(*part)) EXPECT_FALSE(trained.contains(text)) << text;
  const std::set<std::string> test = as_set(set.test);
  for (const std::string& text : as_set(set.levels.validation[0])) EXPECT_FALSE(test.contains(text)) << text;
}

TEST(ProgramLevels, KeepToTheLimit) {
  const Dataset set = loaded("programs(length=2,easier=90,train=100,validation=20,test=20)", 50);
  EXPECT_EQ(set.levels.sizes, (std::vector<std::int64_t>{50, 50}));
  EXPECT_EQ(set.levels.validation.at(0).size(), 1000) << "the usual number";
}

TEST(ProgramLevels, RefusesWhatCannotBe) {
  refused([] { loaded("programs(easier_validation=5)"); },
          "--data programs(easier_validation=5): easier_validation is 5, expected easier=... beside it");
  refused([] { loaded("programs(length=1,easier=5)"); }, "easier is 5, expected length or nesting above 1 beside it");
  refused([] { loaded("programs(train=100,easier=101)"); }, "easier is 101, expected at most the 100 of train");
  refused([] { loaded("programs(easier=-1)"); }, "easier is -1, expected 0 to 10000000");
  refused([] { loaded("programs(easyer=1)"); }, "no attribute 'easyer'; did you mean 'easier'?");
}

}  // namespace
}  // namespace ogee::data::programs_test
