// Parallel text: pairs, subwords that come back to the text, what is left out of training, and refusals by file and
// line.
#include "data/translation.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "ogee/libtorch.h"
#include "data/subwords.h"
#include "drawn.h"
#include "files.h"
#include "tasks/task.h"

namespace ogee::data::translation_test {
namespace {

const char* const words[] = {"red", "blue", "green", "small", "large", "cat", "dog", "bird", "sees", "likes"};
const char* const worte[] = {"rot", "blau", "gruen", "klein", "gross", "Katze", "Hund", "Vogel", "sieht", "mag"};

// So many sentences of `length` words each and more, the same in both languages, word for word.
std::pair<std::string, std::string> sentences(int count, int length, unsigned seed) {
  std::string left, right;
  for (int i = 0; i < count; ++i) {
    const int all = length + i % 3;
    for (int j = 0; j < all; ++j) {
      seed = seed * 1664525 + 1013904223;
      const unsigned which = (seed >> 16) % 10;
      left += std::string(j ? " " : "") + words[which];
      right += std::string(j ? " " : "") + worte[which];
    }
    left += ".\n";
    right += ".\n";
  }
  return {left, right};
}

// Three parts in a folder; the name of the data.
std::string written(const Folder& folder, const std::string& attributes = "") {
  for (const auto& [part, count, seed] : {std::tuple("train", 60, 1u), {"valid", 10, 2u}, {"test", 12, 3u}}) {
    const auto [left, right] = sentences(count, 3, seed);
    folder.write(std::string(part) + ".en", left);
    folder.write(std::string(part) + ".de", right);
  }
  return "translation(train=" + folder.path("train") + ",validation=" + folder.path("valid") +
         ",test=" + folder.path("test") + ",source=en,target=de,pieces=60" + attributes + ")";
}
std::vector<std::int64_t> row(const at::Tensor& t) {
  const at::Tensor whole = t.contiguous();
  return {whole.data_ptr<std::int64_t>(), whole.data_ptr<std::int64_t>() + whole.numel()};
}

TEST(Translation, PairsComeBackAsTheyWereWritten) {
  const Folder folder;
  const Dataset set = loaded(written(folder));
  EXPECT_EQ(set.goal, Goal::translation);
  EXPECT_EQ(set.train.size(), 60);
  EXPECT_EQ(set.validation.size(), 10);
  EXPECT_EQ(set.test.size(), 12);
  EXPECT_EQ(set.outputs(), set.subwords[1]->size());
  EXPECT_LE(set.outputs(), 60);
  ASSERT_EQ(set.references.size(), 82u);
  for (const Part* part : {&set.train, &set.validation, &set.test})
    for (std::int64_t i = 0; i < part->size(); ++i) {
      const std::vector<std::int64_t> x = row(part->x[i]), y = row(part->y[i]);
      const std::string& reference = set.references[static_cast<std::size_t>(y[0])][0];
      const auto source = static_cast<std::size_t>(set.source_tokens);
      const std::string english = set.subwords[0]->decode(x.data(), set.source_tokens);
      EXPECT_EQ(set.subwords[1]->decode(x.data() + source, static_cast<std::int64_t>(x.size() - source)), reference);
      std::string translated;  // word for word
      for (std::size_t at = 0; at < english.size();) {
        const std::size_t end = english.find_first_of(" .", at);
        for (std::size_t k = 0; k < 10; ++k)
          if (english.substr(at, end - at) == words[k]) translated += worte[k];
        translated += english[end];
        at = end + 1;
      }
      EXPECT_EQ(translated, reference);
      EXPECT_EQ(x[source], Subwords::begin);
      // What is asked for is what is shown, one step later, and then the end.
      std::size_t k = 1;
      for (; source + k < x.size() && x[source + k] != Subwords::padding; ++k) EXPECT_EQ(y[k], x[source + k]);
      EXPECT_EQ(y[k], Subwords::end);
      while (++k < y.size()) EXPECT_EQ(y[k], not_asked_token);
    }
  EXPECT_EQ(set.lengths[0].item<std::int64_t>(), set.train.x[0].ne(0).sum().item<std::int64_t>());
  EXPECT_EQ(loaded(written(folder)).fingerprint, set.fingerprint);
  EXPECT_EQ(loaded(written(folder), 7).train.size(), 7);
  EXPECT_NE(loaded(written(folder, ",longest=59"), 50).fingerprint, set.fingerprint);
}

TEST(Translation, LeavesOutOfTrainingWhatIsBlankOrLong) {
  const Folder folder;
  const std::string data = written(folder);
  auto [left, right] = sentences(60, 3, 1);
  const auto [long_left, long_right] = sentences(1, 70, 4);
  folder.write("train.en", "\n" + left + long_left);
  folder.write("train.de", "Nichts.\n" + right + long_right);
  const Dataset set = loaded(data);
  EXPECT_EQ(set.train.size(), 60);
  EXPECT_TRUE(has_note(set.notes, "1 pairs with a blank line are left out"));
  EXPECT_TRUE(has_note(set.notes, "1 pairs of more than 60 subwords are left out"));
}

TEST(Translation, SubwordsAreAFileAndLearnedOfTheTextAlone) {
  const std::vector<std::string> text(20, "A sentence of several words, again and again.");
  const auto learned = Subwords::learned(text, 50, "text");
  EXPECT_EQ(learned->model(), Subwords::learned(text, 50, "text")->model());
  const Subwords again(learned->model(), "file");
  for (const std::string& sentence : {text[0], std::string("words of a sentence"), std::string("again")}) {
    const std::vector<std::int64_t> numbers = again.encode({sentence})[0];
    EXPECT_EQ(numbers, learned->encode({sentence})[0]);
    EXPECT_EQ(again.decode(numbers.data(), static_cast<std::int64_t>(numbers.size())), sentence);
  }
  std::vector<std::int64_t> numbers = again.encode({"again"})[0];
  numbers.insert(numbers.begin(), Subwords::begin);
  numbers.push_back(Subwords::end);
  numbers.push_back(numbers[1]);
  EXPECT_EQ(again.decode(numbers.data(), static_cast<std::int64_t>(numbers.size())), "again");
  EXPECT_NE(error_of([] { Subwords("no model", "x.model"); }).find("x.model: subwords: "), std::string::npos);
}

TEST(Translation, RefusalsNameFileAndLine) {
  const Folder folder;
  const std::string data = written(folder);
  const auto [left, right] = sentences(10, 3, 2);
  const auto refused_with = [&](const std::string& file, const std::string& content) {
    folder.write(file, content);
    const std::string error = error_of([&] { loaded(data); });
    written(folder);
    return error;
  };
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos && text.find('\n') == std::string::npos;
  };
  EXPECT_TRUE(has(refused_with("valid.de", right + "Noch einer.\n"),
                  "valid.de:11: the file has 11 lines, " + folder.path("valid.en") + " has 10"));
  EXPECT_TRUE(
      has(refused_with("valid.de", "\n" + right.substr(right.find('\n') + 1)), "valid.de:1: the line is blank"));
  EXPECT_TRUE(has(refused_with("test.en", "fine.\n\xff\n"), "test.en:2: column 1: byte 0xff is no UTF-8 text"));
  EXPECT_TRUE(has(error_of([&] { loaded("translation(train=nowhere,validation=a,test=b,source=en,target=de)"); }),
                  "train=nowhere: no such file: nowhere.en, nor nowhere.en.gz"));
  EXPECT_TRUE(
      has(error_of([&] { loaded("translation(train=nowhere)"); }), "it has no validation; expected validation=..."));
  EXPECT_TRUE(has(error_of([&] { loaded(written(folder, ",longest=x")); }), "'longest=x': expected attribute=number"));
  EXPECT_TRUE(has(error_of([&] { loaded(written(folder, ",beam=5")); }), "translation has no attribute 'beam'"));
  EXPECT_TRUE(
      has(missing_of_translation("translation(train=nowhere,validation=a,test=b,source=en,target=de)"), "nowhere.en"));
  EXPECT_EQ(missing_of_translation(data), "");
}

// A translation as it was written has a BLEU of 1; one with a wrong word has less.
TEST(Translation, IsJudgedByBleuOfTheWrittenReferences) {
  const Folder folder;
  const Dataset set = loaded(written(folder));
  const auto task = tasks::make_task(set);
  EXPECT_STREQ(task->metric().key, "bleu");
  EXPECT_TRUE(task->generates());
  EXPECT_EQ(tasks::baseline(*task, set), 1);
  at::Tensor said = set.test.y.slice(1, 1).clone();
  said.masked_fill_(said.lt(0), Subwords::padding);
  const auto error = [&] { return task->error(task->statistics(said, set.test.y), 12); };
  EXPECT_NEAR(error(), 0, 1e-12);
  const std::vector<std::int64_t> other = set.subwords[1]->encode({"Katze"})[0];
  said[3][0] = other[0];
  EXPECT_GT(error(), 0);
  EXPECT_LT(error(), 0.2);
  const auto perplexity = tasks::make_task(set, "perplexity");
  EXPECT_FALSE(perplexity->generates());
  EXPECT_GT(tasks::baseline(*perplexity, set), 5);
  EXPECT_LT(tasks::baseline(*perplexity, set), set.outputs());
  // Tokens are as likely as can be where all are alike.
  const at::Tensor even = torch::zeros({12, set.test.y.size(1) - 1, set.outputs()});
  EXPECT_NEAR(perplexity->error(perplexity->statistics(even, set.test.y), 12), set.outputs(), 1e-3);
}

}  // namespace
}  // namespace ogee::data::translation_test
