// Beam search on chains whose sequences can all be listed.
#include "models/beam.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "ogee/libtorch.h"

namespace ogee::models {
namespace {

constexpr std::int64_t padding = 0, begin = 1, end = 2, tokens = 6;

// The probability of a token depends on the two before it, and on the source.
class Chain {
 public:
  Chain(std::int64_t sources, std::uint64_t seed) {
    torch::manual_seed(seed);
    table_ = torch::log_softmax(2 * torch::randn({sources, tokens, tokens, tokens}, torch::kDouble), 3);
  }
  at::Tensor search(std::int64_t width, std::int64_t longest) const {
    const std::int64_t sources = table_.size(0);
    at::Tensor last = torch::full({sources * width}, padding, torch::kLong), before = last;
    return beam_search(
        sources, {width, longest, begin, end, padding}, [&](const at::Tensor& now, const at::Tensor& from) {
          before = last.index_select(0, from);
          last = now;
          std::vector<at::Tensor> rows;
          for (std::int64_t i = 0; i < now.size(0); ++i)
            rows.push_back(table_[i / width][before[i].item<std::int64_t>()][now[i].item<std::int64_t>()]);
          return torch::stack(rows);
        });
  }
  // The mean logarithm of the probabilities of a sequence's tokens.
  double score(std::int64_t source, const std::vector<std::int64_t>& sequence) const {
    double sum = 0;
    std::int64_t before = padding, last = begin;
    for (const std::int64_t token : sequence) {
      sum += table_[source][before][last][token].item<double>();
      before = last;
      last = token;
    }
    return sum / static_cast<double>(sequence.size());
  }
  // Of all sequences that end within `longest`, or are as long.
  double best(std::int64_t source, std::int64_t longest) const {
    double most = -1e9;
    std::vector<std::int64_t> sequence;
    const std::function<void()> extend = [&] {
      for (std::int64_t token = 0; token < tokens; ++token) {
        sequence.push_back(token);
        if (token == end || static_cast<std::int64_t>(sequence.size()) == longest)
          most = std::max(most, score(source, sequence));
        else
          extend();
        sequence.pop_back();
      }
    };
    extend();
    return most;
  }

 private:
  at::Tensor table_;
};

std::vector<std::int64_t> sequence_of(const at::Tensor& row) {
  std::vector<std::int64_t> sequence;
  for (std::int64_t i = 0; i < row.size(0); ++i) {
    sequence.push_back(row[i].item<std::int64_t>());
    if (sequence.back() == end) break;
  }
  return sequence;
}

TEST(BeamSearch, WideEnoughFindsTheBest) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const Chain chain(3, seed);
    // No more than 6 + 36 + 216 sequences are ever followed.
    const at::Tensor found = chain.search(300, 3);
    for (std::int64_t i = 0; i < 3; ++i)
      EXPECT_NEAR(chain.score(i, sequence_of(found[i])), chain.best(i, 3), 1e-12) << seed << " " << i;
  }
}

TEST(BeamSearch, OfWidthOneIsGreedy) {
  const Chain chain(4, 5);
  const at::Tensor found = chain.search(1, 8), wide = chain.search(6, 8);
  double greedy = 0, better = 0;
  for (std::int64_t i = 0; i < 4; ++i) {
    const std::vector<std::int64_t> said = sequence_of(found[i]);
    std::vector<std::int64_t> so_far;
    for (const std::int64_t token : said) {
      double likeliest = -1e9;
      for (std::int64_t other = 0; other < tokens; ++other) {
        std::vector<std::int64_t> with = so_far;
        with.push_back(other);
        likeliest = std::max(likeliest, chain.score(i, with) * static_cast<double>(with.size()));
      }
      so_far.push_back(token);
      EXPECT_NEAR(chain.score(i, so_far) * static_cast<double>(so_far.size()), likeliest, 1e-12);
    }
    greedy += chain.score(i, said);
    better += chain.score(i, sequence_of(wide[i]));
  }
  EXPECT_GT(better, greedy);
}

TEST(BeamSearch, PadsBehindTheEnd) {
  const Chain chain(5, 7);
  const at::Tensor found = chain.search(3, 6);
  ASSERT_LE(found.size(1), 6);
  for (std::int64_t i = 0; i < 5; ++i) {
    const auto length = static_cast<std::int64_t>(sequence_of(found[i]).size());
    for (std::int64_t j = length; j < found.size(1); ++j) EXPECT_EQ(found[i][j].item<std::int64_t>(), padding);
  }
}

}  // namespace
}  // namespace ogee::models
