// Copying and associative recall: the steps of every example, read back; even bits; parts that share nothing; the same
// for the same text; and how answers are judged.
#include "ogee/libtorch.h"
#include "data/recall.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "ogee/ogee.h"
#include "refusal.h"
#include "tasks/task.h"

namespace ogee::data::recall_test {
namespace {

Dataset drawn(const std::string& data) {
  Request request;
  request.data = data;
  return load(request);
}

// Steps as text: bits, a mark's column, or nothing.
std::vector<std::string> steps_of(const at::Tensor& x, std::int64_t bits, bool marks) {
  std::vector<std::string> all;
  for (std::int64_t t = 0; t < x.size(0); ++t) {
    std::string step;
    for (std::int64_t i = 0; i < bits; ++i) step += x[t][i].item<float>() == 1 ? '1' : '0';
    if (marks)
      for (std::int64_t i = bits; i < x.size(1); ++i)
        if (x[t][i].item<float>() == 1) step = "mark " + std::to_string(i - bits + 1);
    all.push_back(step);
  }
  return all;
}

TEST(Copy, AsksForWhatWasShown) {
  const Dataset set = drawn("copy(bits=3,shortest=2,longest=5,train=200,validation=50,test=50)");
  EXPECT_EQ(set.goal, Goal::recall);
  EXPECT_EQ(set.shape, (std::vector<std::int64_t>{11, 4}));
  EXPECT_EQ(set.outputs(), 3);
  std::map<std::int64_t, int> lengths;
  for (std::int64_t i = 0; i < set.train.size(); ++i) {
    const at::Tensor x = set.train.x[i], y = set.train.y[i];
    const auto given = steps_of(x, 3, true), wanted = steps_of(y, 3, false);
    const std::int64_t length = set.difficulty[i].item<std::int64_t>();
    ++lengths[length];
    for (std::int64_t t = 0; t < 11; ++t) {
      const bool asked = t > length && t <= 2 * length;
      const auto at = static_cast<std::size_t>(t);
      EXPECT_EQ(y[t].ge(0).all().item<bool>(), asked);
      EXPECT_EQ(y[t].eq(not_asked).all().item<bool>(), !asked);
      if (t == length) {
        EXPECT_EQ(given[at], "mark 1");
      }
      if (t > length) {
        EXPECT_EQ(x[t].abs().sum().item<float>(), 0);
      }
      if (asked) {
        EXPECT_EQ(wanted[at], given[at - static_cast<std::size_t>(length) - 1]);
      }
    }
  }
  EXPECT_EQ(lengths.size(), 4u);
  const at::Tensor bits = set.train.y.masked_select(set.train.y.ge(0));
  EXPECT_NEAR(bits.mean().item<double>(), 0.5, 4 * 0.5 / std::sqrt(static_cast<double>(bits.numel())));
}

TEST(AssociativeRecall, AsksForTheItemThatFollowed) {
  const Dataset set = drawn("associative_recall(bits=4,length=2,fewest=2,most=5,train=300,validation=50,test=50)");
  EXPECT_EQ(set.shape, (std::vector<std::int64_t>{3 * 7, 6}));
  EXPECT_EQ(set.outputs(), 4);
  std::map<std::int64_t, int> counts, queries;
  for (std::int64_t i = 0; i < set.train.size(); ++i) {
    const at::Tensor y = set.train.y[i];
    const auto given = steps_of(set.train.x[i], 4, true), wanted = steps_of(y, 4, false);
    const std::int64_t items = set.difficulty[i].item<std::int64_t>();
    ++counts[items];
    std::vector<std::string> seen;
    std::size_t t = 0;
    for (std::int64_t item = 0; item < items; ++item, t += 3) {
      EXPECT_EQ(given[t], "mark 1");
      seen.push_back(given[t + 1] + given[t + 2]);
    }
    EXPECT_EQ(given[t], "mark 2");
    const std::string query = given[t + 1] + given[t + 2];
    EXPECT_EQ(given[t + 3], "mark 2");
    t += 4;
    EXPECT_EQ(std::count(seen.begin(), seen.end(), query), 1);
    const auto at = std::find(seen.begin(), seen.end(), query);
    ASSERT_NE(at + 1, seen.end());
    ++queries[at - seen.begin()];
    EXPECT_EQ(*(at + 1), wanted[t] + wanted[t + 1]);
    for (std::size_t step = 0; step < given.size(); ++step) {
      const bool asked = step == t || step == t + 1;
      EXPECT_EQ(y[static_cast<std::int64_t>(step)].ge(0).all().item<bool>(), asked);
      if (step >= t) {
        EXPECT_EQ(given[step], "0000");
      }
    }
  }
  EXPECT_EQ(counts.size(), 4u);
  EXPECT_EQ(queries.size(), 4u) << "every item but the last is asked for";
  EXPECT_EQ(drawn("associative_recall(train=9,validation=9,test=9)").shape, (std::vector<std::int64_t>{32, 8}));
}

TEST(Recall, PartsShareNoExample) {
  const Dataset set = drawn("copy(bits=2,shortest=3,longest=3,train=60,validation=30,test=30)");
  std::set<std::string> seen[3];
  const Part* parts[] = {&set.train, &set.validation, &set.test};
  for (int p = 0; p < 3; ++p)
    for (std::int64_t i = 0; i < parts[p]->size(); ++i) {
      std::string text;
      for (const std::string& step : steps_of(parts[p]->x[i], 2, true)) text += step;
      seen[p].insert(text);
    }
  for (int p = 0; p < 3; ++p)
    for (const std::string& text : seen[p]) EXPECT_FALSE(seen[(p + 1) % 3].contains(text)) << text;
}

TEST(Recall, IsTheSameForTheSameText) {
  for (const std::string kind : {"copy", "associative_recall"}) {
    const std::string data = kind + "(train=50,validation=10,test=10)";
    EXPECT_EQ(drawn(data).fingerprint, drawn(data).fingerprint);
    EXPECT_NE(drawn(data).fingerprint, drawn(kind + "(train=50,validation=10,test=10,seed=2)").fingerprint);
  }
}

TEST(Recall, RefusesWhatCannotBe) {
  refused([] { drawn("copy(shortest=5,longest=4)"); }, "shortest is 5, expected 1 to 4");
  refused([] { drawn("copy(bits=0)"); }, "bits is 0, expected 1 to 64");
  refused([] { drawn("associative_recall(most=1)"); }, "most is 1, expected 2 to 24");
  refused([] { drawn("associative_recall(items=3)"); }, "has no attribute 'items'; it has bits, length, most, fewest");
  refused([] { drawn("copy(bits=1,longest=1)"); }, "too few different examples");
}

TEST(Recall, IsJudgedByWhatIsAskedForAlone) {
  const Dataset set = drawn("associative_recall(bits=3,length=2,train=40,validation=10,test=10)");
  const auto bits = tasks::make_task(set), examples = tasks::make_task(set, "error"),
             loss = tasks::make_task(set, "loss");
  EXPECT_STREQ(bits->metric().title, "wrong bits");
  const at::Tensor y = set.test.y;
  // Even guesses: ln 2 for each of two vectors.
  EXPECT_NEAR(bits->loss(torch::zeros_like(y), y).item<double>(), 2 * std::log(2.0), 1e-6);
  at::Tensor output = 40 * (2 * y.clamp_min(0) - 1);
  EXPECT_NEAR(bits->loss(output, y).item<double>(), 0, 1e-6);
  const auto error = [&](const tasks::Task& task) { return task.error(task.statistics(output, y), 10); };
  EXPECT_EQ(error(*bits), 0);
  output = output.masked_fill(y.lt(0), 40);  // whatever is said where nothing is asked
  EXPECT_EQ(error(*bits), 0);
  const at::Tensor place = y[3].ge(0).nonzero()[0];
  output[3][place[0].item<std::int64_t>()][place[1].item<std::int64_t>()].mul_(-1);
  EXPECT_NEAR(error(*bits), 1.0 / (10 * 2 * 3), 1e-12);
  EXPECT_NEAR(error(*examples), 0.1, 1e-12);
  EXPECT_NEAR(error(*loss), 40.0 / 3 / 10, 1e-5);
  EXPECT_NEAR(tasks::baseline(*bits, set), 0.5, 1e-12);
  EXPECT_NEAR(tasks::baseline(*loss, set), 2 * std::log(2.0), 1e-6);
  refused([&] { tasks::make_task(set, "perplexity"); }, "expected wrong_bits, error or loss for bits to recall");
}

}  // namespace
}  // namespace ogee::data::recall_test
