// Batches of similar lengths.
#include "lab/alike.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "ogee/libtorch.h"

namespace ogee::lab {
namespace {

std::vector<std::int64_t> numbers(const at::Tensor& t) {
  return {t.data_ptr<std::int64_t>(), t.data_ptr<std::int64_t>() + t.numel()};
}

TEST(Alike, BatchesAreOfSimilarLengthsAndComeInNoOrderOfLength) {
  constexpr std::int64_t count = 1003, batch = 10, whole = count / batch;
  const at::Tensor lengths = torch::arange(count, torch::kLong).mul(7).remainder(50);
  torch::manual_seed(3);
  const at::Tensor order = torch::randperm(count, torch::kLong);
  const at::Tensor result = alike(order, lengths, batch);
  const std::vector<std::int64_t> all = numbers(result), before = numbers(order), length = numbers(lengths);

  std::vector<std::int64_t> sorted = all;
  std::sort(sorted.begin(), sorted.end());
  for (std::int64_t i = 0; i < count; ++i) ASSERT_EQ(sorted[i], i) << "each example once";
  for (std::int64_t i = whole * batch; i < count; ++i) EXPECT_EQ(all[i], before[i]) << "the rest stays behind";

  // One pool of 1,000: sorted, 20 examples of each length are two batches.
  std::vector<std::int64_t> shortest;
  for (std::int64_t b = 0; b < whole; ++b) {
    const auto [low, high] = std::minmax_element(all.begin() + b * batch, all.begin() + (b + 1) * batch,
                                                 [&](auto x, auto y) { return length[x] < length[y]; });
    EXPECT_LE(length[*high] - length[*low], 1) << "batch " << b;
    shortest.push_back(length[*low]);
  }
  int rises = 0;
  for (std::size_t b = 1; b < shortest.size(); ++b) rises += shortest[b] > shortest[b - 1];
  EXPECT_GT(rises, 25);
  EXPECT_LT(rises, 75);
  EXPECT_TRUE(torch::equal(alike(order, lengths, batch), result)) << "equal orders give equal ones";
}

TEST(Alike, WithoutLengthsTheOrderStays) {
  const at::Tensor order = torch::arange(100, torch::kLong).flip(0);
  EXPECT_TRUE(torch::equal(alike(order, at::Tensor(), 10), order));
  EXPECT_TRUE(torch::equal(alike(order, order, 60), order)) << "one batch";
}

}  // namespace
}  // namespace ogee::lab
