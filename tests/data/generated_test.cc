// Data that are drawn: ranges, answers counted and computed anew, parts that share nothing, the same for the same text.
#include "ogee/libtorch.h"
#include "data/generated.h"

#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "data/programs.h"
#include "data/unique_integers.h"
#include "ogee/ogee.h"
#include "drawn.h"
#include "refusal.h"

namespace ogee::data::generated_test {
namespace {

TEST(UniqueIntegers, AreCountedRight) {
  const Dataset set = loaded("unique_integers(length=9, values=5, train=300, validation=100, test=200)");
  EXPECT_EQ(set.goal, Goal::classification);
  EXPECT_EQ(set.shape, (std::vector<std::int64_t>{9, 5}));
  EXPECT_EQ(set.classes, (std::vector<std::string>{"1", "2", "3", "4", "5"}));
  EXPECT_EQ(set.train.size(), 300);
  EXPECT_EQ(set.validation.size(), 100);
  EXPECT_EQ(set.test.size(), 200);
  for (const Part* part : {&set.train, &set.validation, &set.test}) {
    EXPECT_NEAR(part->x.mean().item<double>(), 0, 1e-5);
    EXPECT_NEAR(part->x.std(false).item<double>(), 1, 1e-5);
    const at::Tensor marked = part->x.gt(0);
    EXPECT_TRUE(marked.sum(2).eq(1).all().item<bool>()) << "one value at every place";
    const at::Tensor there = marked.any(1).sum(1);
    EXPECT_TRUE(there.eq(part->y + 1).all().item<bool>());
  }
  EXPECT_TRUE(set.difficulty.equal(set.train.y));
}

TEST(UniqueIntegers, PartsShareNoSequence) {
  // So few sequences (243) that parts drawn without care would share most of them.
  const Dataset set = loaded("unique_integers(length=5, values=3, train=200, validation=100, test=100)");
  std::set<std::string> seen[3];
  const Part* parts[] = {&set.train, &set.validation, &set.test};
  for (int p = 0; p < 3; ++p) {
    const at::Tensor values = parts[p]->x.argmax(2);
    for (std::int64_t i = 0; i < values.size(0); ++i) {
      std::string text;
      for (std::int64_t j = 0; j < 5; ++j) text += std::to_string(values[i][j].item<std::int64_t>());
      seen[p].insert(text);
    }
  }
  for (int p = 0; p < 3; ++p)
    for (const std::string& text : seen[p]) EXPECT_FALSE(seen[(p + 1) % 3].contains(text)) << text;
}

TEST(UniqueIntegers, AreTheSameForTheSameText) {
  const std::string data = "unique_integers(train=100,validation=10,test=10)";
  EXPECT_EQ(loaded(data).fingerprint, loaded(data).fingerprint);
  EXPECT_NE(loaded(data).fingerprint, loaded("unique_integers(train=100,validation=10,test=10,seed=2)").fingerprint);
  const Dataset some = loaded(data, 30);
  EXPECT_EQ(some.train.size(), 30);
  EXPECT_TRUE(some.train.x.equal(loaded(data).train.x.narrow(0, 0, 30)));
  EXPECT_EQ(some.difficulty.size(0), 30);
  // Of what every build must draw.
  Draw draw(1);
  std::string text;
  for (const char c : draw_integers({}, draw)) text += static_cast<char>('a' + c);
  EXPECT_EQ(text.size(), 26u);
  Draw again(1);
  std::mt19937_64 numbers(1);
  EXPECT_EQ(again.below(11), static_cast<std::int64_t>(numbers() % 11));
}

// With `balanced` every number of different values is as likely as any other, and so is, among the sequences that have
// so many, every sequence.
TEST(UniqueIntegers, BalancedOnesAreDrawnEvenly) {
  UniqueIntegers task;
  task.length = 4;
  task.values = 3;
  task.balanced = true;
  Draw draw(7);
  std::map<std::string, int> times;
  constexpr int draws = 30000;
  for (int i = 0; i < draws; ++i) ++times[draw_integers(task, draw)];
  EXPECT_EQ(times.size(), 81u);
  std::map<std::int64_t, int> sequences;
  for (const auto& [text, count] : times) ++sequences[count_unique(text)];
  EXPECT_EQ(sequences, (std::map<std::int64_t, int>{{1, 3}, {2, 42}, {3, 36}}));
  double chi_squared = 0;
  for (const auto& [text, count] : times) {
    const double expected = draws / 3.0 / sequences[count_unique(text)];
    chi_squared += (count - expected) * (count - expected) / expected;
  }
  EXPECT_LT(chi_squared, 80 + 4 * std::sqrt(160.0));
  task.length = 128;
  task.values = 64;
  EXPECT_EQ(draw_integers(task, draw).size(), 128u);
}

TEST(Generated, RefusesWhatItDoesNotKnow) {
  refused([] { loaded("unique_integers(lenght=5)"); }, "no attribute 'lenght'; did you mean 'length'?");
  refused([] { loaded("unique_integers(values=1)"); }, "values is 1, expected 2 to 64");
  refused([] { loaded("unique_integers(values=x)"); }, "'values=x': expected attribute=number");
  refused([] { loaded("unique_integers(values=3,values=4)"); }, "values stands there twice");
  refused([] { loaded("unique_integers(values=3"); }, "the parenthesis is never closed");
  refused([] { draw_parts({{1, 1, 1}, 1}, "x", [] { return std::string("always"); }); }, "too few different examples");
  refused([] { loaded("programs(nesting=7)"); }, "nesting is 7, expected 1 to 6");
  Request request;
  request.data = "unique_integers";
  request.test_share = 0.5;
  refused([&] { load(request); }, "it is drawn");
  EXPECT_TRUE(is_generated("unique_integers"));
  EXPECT_FALSE(is_generated("unique_integers.csv"));
}

// ---- Programs ------------------------------------------------------------------------------------------------------

// What Python would print, for the part of it that programs use.
class Interpreter {
 public:
  std::string run(const std::string& program) {
    std::istringstream lines(program);
    for (std::string line; std::getline(lines, line);) {
      text_ = line;
      at_ = 0;
      if (take("print(")) {
        const Value value = expression();
        expect(")");
        return value.truth ? value.number != 0 ? "True" : "False" : std::to_string(value.number);
      }
      std::int64_t times = 1;
      if (take("for x in range(")) {
        times = expression().number;
        expect("):");
      }
      const std::string name(1, text_.at(at_++));
      const bool add = take("+=");
      if (!add) expect("=");
      const std::size_t from = at_;
      for (std::int64_t i = 0; i < times; ++i) {
        at_ = from;
        const Value value = expression();
        variables_[name] = add ? Value{variables_.at(name).number + value.number, false} : value;
      }
    }
    return "";
  }

 private:
  struct Value {
    std::int64_t number;
    bool truth;
  };

  bool take(const std::string& word) {
    if (text_.compare(at_, word.size(), word) != 0) return false;
    at_ += word.size();
    return true;
  }
  void expect(const std::string& word) {
    if (!take(word)) throw std::runtime_error("expected " + word + " in " + text_.substr(at_));
  }

  Value expression() {
    if (std::isdigit(static_cast<unsigned char>(text_.at(at_)))) {
      std::size_t digits = 0;
      const std::int64_t number = std::stoll(text_.substr(at_), &digits);
      at_ += digits;
      return {number, false};
    }
    if (!take("(")) return variables_.at(std::string(1, text_.at(at_++)));
    const Value a = expression();
    Value result{0, false};
    if (take(" if ")) {
      const Value low = expression();
      expect("<");
      const Value high = expression();
      expect(" else ");
      const Value other = expression();
      result = low.number < high.number ? a : other;
    } else if (take("==")) {
      result = {a.number == expression().number ? 1 : 0, true};
    } else {
      const char sign = text_.at(at_++);
      const std::int64_t b = expression().number;
      result.number = sign == '+' ? a.number + b : sign == '-' ? a.number - b : a.number * b;
      if (sign != '+' && sign != '-' && sign != '*') throw std::runtime_error("a strange sign in " + text_);
    }
    expect(")");
    return result;
  }

  std::string text_;
  std::size_t at_ = 0;
  std::map<std::string, Value> variables_;
};

TEST(Programs, PrintWhatTheySay) {
  for (const std::int64_t length : {1, 2, 5, 8})
    for (const std::int64_t nesting : {1, 2, 3, 6}) {
      Draw draw(static_cast<std::uint64_t>(10 * length + nesting));
      std::set<std::string> words;
      for (int i = 0; i < 300; ++i) {
        const std::string text = draw_program({length, nesting}, draw);
        const std::size_t answer = answer_of(text);
        ASSERT_EQ(text.back(), '.');
        ASSERT_EQ(text.substr(answer, text.size() - answer - 1), Interpreter().run(text.substr(0, answer))) << text;
        for (const char* word : {"+", "-", "*", "==", "for x", " if ", "=", "True", "False"})
          if (text.find(word) != std::string::npos) words.insert(word);
      }
      EXPECT_GE(words.size(), 8u) << "all operations are used";
    }
}

TEST(Programs, OnlyAnswersAreAskedFor) {
  const Dataset set = loaded("programs(length=2, nesting=2, train=200, validation=50, test=50)");
  ASSERT_TRUE(set.masked);
  EXPECT_EQ(set.goal, Goal::language);
  std::set<std::string> seen[3];
  const Part* parts[] = {&set.train, &set.validation, &set.test};
  for (int p = 0; p < 3; ++p)
    for (std::int64_t i = 0; i < parts[p]->size(); ++i) {
      const at::Tensor x = parts[p]->x[i], y = parts[p]->y[i];
      std::string given, asked;
      for (std::int64_t j = 0; j < x.size(0); ++j) {
        const auto in = x[j].item<std::int64_t>(), out = y[j].item<std::int64_t>();
        if (out >= 0) {
          asked += set.classes[static_cast<std::size_t>(out)];
          if (j + 1 < x.size(0) && y[j + 1].item<std::int64_t>() >= 0) {
            EXPECT_EQ(x[j + 1].item<std::int64_t>(), out) << "the answer is given as it goes on";
          }
        }
        if (asked.size() <= 1 && in > 0) given += set.classes[static_cast<std::size_t>(in)];
      }
      ASSERT_EQ(given.back(), '\n');
      EXPECT_EQ(asked, Interpreter().run(given) + ".") << given;
      seen[p].insert(given);
      if (p == 0) {
        EXPECT_EQ(set.difficulty[i].item<std::int64_t>(), static_cast<std::int64_t>(given.size() + asked.size()));
      }
    }
  for (int p = 0; p < 3; ++p)
    for (const std::string& text : seen[p]) EXPECT_FALSE(seen[(p + 1) % 3].contains(text)) << text;
  EXPECT_GT(set.baseline, 4);
  EXPECT_LT(set.baseline, 16);
}

}  // namespace
}  // namespace ogee::data::generated_test
