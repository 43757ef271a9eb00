// Texts as data sets: tokens, vocabulary, windows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "data/tokens.h"
#include "files.h"

namespace ogee::data::text_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Shape = std::vector<std::int64_t>;

TEST(Tokens, Characters) {
  EXPECT_THAT(split_characters("a\xc3\xa9\n\xe2\x82\xac\xf0\x9f\x98\x80", "t"),
              ElementsAre("a", "\xc3\xa9", "\n", "\xe2\x82\xac", "\xf0\x9f\x98\x80"));
  const auto error = [](const std::string& text) { return error_of([&] { split_characters(text, "t.txt"); }); };
  EXPECT_EQ(error("ab\nc\xff"), "t.txt:2: column 2: byte 0xff is no UTF-8 text");
  for (const char* bad : {"\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\x80", "\xe2\x82"})
    EXPECT_THAT(error(bad), HasSubstr("t.txt:1: column 1")) << bad;
}

TEST(Tokens, WordsAndEndsOfLines) {
  EXPECT_THAT(split_words(" the cat\r\nsat\n\n", "t"), ElementsAre("the", "cat", "<eos>", "sat", "<eos>", "<eos>"));
  EXPECT_THAT(error_of([] { split_words("a b \xff", "t.txt"); }), HasSubstr("t.txt:1: column 5"));
}

TEST(Tokens, TheVocabularyCounts) {
  const Vocabulary all({"b", "a", "b", "c", "<unk>", "c", "b"}, 1, 100);
  EXPECT_THAT(all.names(), ElementsAre("<unk>", "b", "c", "a"));
  EXPECT_EQ(all.number_of("c"), 2);
  EXPECT_EQ(all.number_of("zebra"), 0);
  EXPECT_THAT(Vocabulary({"b", "a", "b", "c", "c", "b"}, 2, 100).names(), ElementsAre("<unk>", "b", "c"));
  EXPECT_THAT(Vocabulary({"b", "a", "b", "c", "c", "b"}, 1, 2).names(), ElementsAre("<unk>", "b"));
}

// "0123...": each token is followed by the next.
std::string digits(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += static_cast<char>('0' + i % 10);
  return text;
}

TEST(Text, WindowsAreFollowedByTheNextToken) {
  const Folder folder;
  Request request{folder.write("a.txt", digits(4000))};
  request.context = 16;
  const Dataset set = load(request);
  EXPECT_EQ(set.goal, Goal::language);
  EXPECT_EQ(set.shape, (Shape{16}));
  EXPECT_EQ(set.outputs(), 11);
  EXPECT_EQ(set.train.size(), (3200 - 1) / 16);
  EXPECT_EQ(set.test.size(), (400 - 1) / 16);
  EXPECT_TRUE(set.train.x.slice(1, 1).equal(set.train.y.slice(1, 0, 15)));
  EXPECT_TRUE(set.train.x.select(1, 0).slice(0, 1).equal(set.train.y.select(1, 15).slice(0, 0, set.train.size() - 1)));
  EXPECT_NEAR(set.baseline, 10, 0.2);
}

TEST(Text, TheVocabularyIsOfTheTrainingPartOnly) {
  const Folder folder;
  Request request{folder.write("a.txt", digits(3900) + std::string(100, 'z'))};
  request.context = 8;
  const Dataset set = load(request);
  EXPECT_EQ(set.outputs(), 11);
  EXPECT_TRUE(set.test.y.eq(0).any().item<bool>());
  EXPECT_TRUE(has_note(set.notes, "25 % of the test part's tokens are <unk>"));
}

TEST(Text, GivenPartsAndWords) {
  const Folder folder;
  std::string words;
  for (int i = 0; i < 400; ++i) words += i % 3 ? "cat sat " : "dog ran\n";
  Request request{folder.write("a.txt", words)};
  request.tokens = "words";
  request.context = 4;
  request.test = folder.write("b.txt", words);
  const Dataset set = load(request);
  EXPECT_EQ((std::set<std::string>{set.classes.begin(), set.classes.end()}),
            (std::set<std::string>{"<unk>", "cat", "sat", "dog", "ran", "<eos>"}));
  EXPECT_NEAR(static_cast<double>(set.train.size()), 0.9 * 934 / 4, 2);
  EXPECT_TRUE(has_note(set.notes, "also among the training examples"));
  request.test_share = 0.3;
  EXPECT_THAT(error_of([&] { load(request); }), HasSubstr("test_share = 0.3: the test part is given"));
}

TEST(Text, WhatDoesNotFitIsNamed) {
  const Folder folder;
  const auto error = [&](const std::string& text, auto change) {
    Request request{folder.write("a.txt", text)};
    change(request);
    return error_of([&] { load(request); });
  };
  EXPECT_THAT(error("short", [](Request&) {}), HasSubstr("tokens in the training part, more than 640 are needed"));
  EXPECT_THAT(error("", [](Request&) {}), HasSubstr("0 tokens in the training part"));
  EXPECT_THAT(error(std::string(9000, 'a'), [](Request&) {}), HasSubstr("1 different characters in the training part"));
  EXPECT_THAT(error(digits(9000), [](Request& r) { r.tokens = "letters"; }), HasSubstr("--tokens letters"));
  EXPECT_THAT(error(digits(9000), [](Request& r) { r.horizon = 3; }), HasSubstr("--horizon"));
  EXPECT_THAT(error(digits(9000), [](Request& r) { r.context = -3; }), HasSubstr("--context -3"));
  EXPECT_THAT(error(digits(9000), [](Request& r) { r.validation_share = 0.6, r.test_share = 0.4; }),
              HasSubstr("leave nothing to train on"));
}

TEST(TextReal, PennTreebank) {
  const char* root = std::getenv("OGEE_DATA");
  if (!root || !std::filesystem::exists(std::filesystem::path(root) / "ptb")) GTEST_SKIP() << "no ptb under OGEE_DATA";
  Request request{"ptb/ptb.train.txt.gz"};
  request.validation = "ptb/ptb.valid.txt";
  request.test = "ptb/ptb.test.txt";
  request.tokens = "words";
  const Dataset set = load(request);
  // 929,589 tokens of 10,000 kinds, the ends of lines among them.
  EXPECT_EQ(set.outputs(), 10000);
  EXPECT_EQ(set.train.size(), (929589 - 1) / 32);
  EXPECT_EQ(set.validation.size(), (73760 - 1) / 32);
  EXPECT_EQ(set.test.size(), (82430 - 1) / 32);
  EXPECT_GT(set.baseline, 500);
  EXPECT_LT(set.baseline, 1000);
}

}  // namespace
}  // namespace ogee::data::text_test
