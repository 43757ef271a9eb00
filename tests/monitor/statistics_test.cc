// The monitor's numbers against plain two-pass computations in double arithmetic, and what is known of random samples.
#include "ogee/libtorch.h"
#include "monitor/statistics.h"

#include <ATen/core/ivalue.h>
//
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "monitor/sample.h"

namespace ogee::monitor {
namespace {

std::vector<float> normal(std::size_t n, std::uint64_t seed, double mean = 0, double deviation = 1) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> draw(mean, deviation);
  std::vector<float> x(n);
  for (float& v : x) v = static_cast<float>(draw(random));
  return x;
}

Moments plain(std::span<const float> x) {
  Moments m;
  for (const float v : x) {
    if (!std::isfinite(v)) continue;
    m.n += 1;
    m.mean += v;
  }
  m.mean /= m.n;
  for (const float v : x) {
    if (!std::isfinite(v)) continue;
    const double d = v - m.mean;
    m.m2 += d * d;
    m.m3 += d * d * d;
    m.m4 += d * d * d * d;
  }
  return m;
}

void expect_near(const Moments& a, const Moments& b, double tolerance) {
  EXPECT_EQ(a.n, b.n);
  const double s = std::sqrt(b.m2 / b.n);
  EXPECT_NEAR(a.mean, b.mean, tolerance * s);
  EXPECT_NEAR(a.m2, b.m2, tolerance * b.n * s * s);
  EXPECT_NEAR(a.m3, b.m3, tolerance * b.n * s * s * s);
  EXPECT_NEAR(a.m4, b.m4, tolerance * 3 * b.n * s * s * s * s);
}

TEST(Statistics, MomentsAreThoseOfTwoPasses) {
  for (const std::size_t n : {1U, 2U, 7U, 8U, 63U, 64U, 1000U, 4097U}) {
    std::vector<float> x = normal(n, n, 3, 0.5);
    expect_near(moments_of(x), plain(x), 1e-5);
    if (n > 4) {
      x[1] = NAN;
      x[n / 2] = INFINITY;
      x[n - 1] = -INFINITY;
      expect_near(moments_of(x), plain(x), 1e-5);
    }
  }
  EXPECT_EQ(moments_of({}).n, 0);
  EXPECT_TRUE(std::isnan(moments_of({}).deviation()));
}

TEST(Statistics, MergedMomentsAreThoseOfTheWhole) {
  std::vector<float> x = normal(3000, 1, -2, 1.5);
  for (float& v : x) v = std::exp(v);  // skewed, so that every term counts
  Moments merged;
  merged.merge(Moments());
  for (const std::size_t end : {1U, 10U, 500U, 3000U}) {
    const std::size_t begin = end == 1 ? 0 : end == 10 ? 1 : end == 500 ? 10 : 500;
    merged.merge(plain(std::span(x).subspan(begin, end - begin)));
  }
  const Moments whole = plain(x);
  expect_near(merged, whole, 1e-10);
  EXPECT_NEAR(merged.skew(), whole.skew(), 1e-9 * whole.skew());
  EXPECT_NEAR(merged.kurtosis(), whole.kurtosis(), 1e-9 * whole.kurtosis());
  EXPECT_GT(whole.kurtosis(), 1);  // a logarithm of a normal number is far from normal
}

TEST(Statistics, QuantilesAreRightToASixteenth) {
  std::vector<float> x = normal(20000, 2);
  for (std::size_t i = 0; i < x.size(); i += 3) x[i] = 1e6F * x[i] * x[i];
  x[5] = NAN;
  x[6] = INFINITY;
  Histogram histogram;
  histogram.add(x);
  std::vector<double> sorted;
  for (const float v : x)
    if (std::isfinite(v)) sorted.push_back(v);
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(histogram.count(), static_cast<double>(sorted.size()));
  const std::vector<double> shares = {0, 0.001, 0.05, 0.25, 0.5, 0.66, 0.75, 0.95, 0.999, 1};
  const std::vector<double> quantiles = histogram.quantiles(shares);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const double n = static_cast<double>(sorted.size()) - 1, at = shares[i] * n;
    const double low = sorted[static_cast<std::size_t>(std::max(0.0, at - 2))];
    const double high = sorted[static_cast<std::size_t>(std::min(n, at + 2))];
    EXPECT_GE(quantiles[i], low - std::abs(low) / 16) << shares[i];
    EXPECT_LE(quantiles[i], high + std::abs(high) / 16) << shares[i];
  }
}

TEST(Statistics, MergedHistogramsAreThatOfTheWhole) {
  const std::vector<float> x = normal(4000, 3);
  const std::vector<double> shares = {0.01, 0.3, 0.5, 0.9};
  Histogram whole, left, right, empty;
  whole.add(x);
  left.add(std::span(x).first(1234));
  right.add(std::span(x).subspan(1234));
  left.merge(right);
  left.merge(empty);
  EXPECT_EQ(left.count(), whole.count());
  EXPECT_EQ(left.quantiles(shares), whole.quantiles(shares));
  empty.merge(whole);
  EXPECT_EQ(empty.quantiles(shares), whole.quantiles(shares));
  whole.clear();
  EXPECT_EQ(whole.count(), 0);
  EXPECT_TRUE(std::isnan(whole.quantiles(shares)[0]));
  whole.add(std::span(x).first(1));
  EXPECT_NEAR(whole.quantiles(shares)[2], x[0], std::abs(x[0]) / 16);
}

TEST(Statistics, MedianLeavesOutWhatIsNotFinite) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, NAN, 1, 3, 2, INFINITY}), 2.5);
  EXPECT_TRUE(std::isnan(median({NAN})));
  EXPECT_TRUE(std::isnan(median({})));
}

// rows x units, each unit a mix of `sources` independent ones.
Block mixed(std::size_t rows, std::size_t units, std::size_t sources, std::uint64_t seed) {
  const std::vector<float> source = normal(rows * sources, seed), weight = normal(units * sources, 99);
  Block y{rows, units, 1, std::vector<float>(rows * units)};
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t u = 0; u < units; ++u)
      for (std::size_t k = 0; k < sources; ++k)
        y.value[r * units + u] +=
            (sources == units ? static_cast<float>(u == k) : weight[u * sources + k]) * source[r * sources + k];
  return y;
}

TEST(Statistics, RankAndCorrelationOfKnownMixtures) {
  Covariance independent, one, two;
  for (std::uint64_t window = 0; window < 12; ++window) {
    independent.add(mixed(96, 16, 16, window));
    one.add(mixed(96, 16, 1, window));
    two.add(mixed(96, 16, 2, window));
  }
  EXPECT_GT(independent.rank(), 0.9);
  EXPECT_LT(independent.correlation(), 0.06);
  EXPECT_NEAR(one.rank(), 1.0 / 16, 0.01);
  EXPECT_GT(one.correlation(), 0.98);
  EXPECT_GT(two.rank(), 1.0 / 16);
  EXPECT_LT(two.rank(), 2.0 / 16 + 0.02);
}

TEST(Statistics, MeansThatMoveAreSeenAndChanceIsNot) {
  Covariance still, moving;
  double chance = 0, moved = 0, offset = 0;
  for (std::uint64_t window = 0; window < 20; ++window) {
    Block y = mixed(96, 16, 16, 100 + window);
    still.add(y);
    for (float& v : y.value) v += static_cast<float>(window);  // a deviation a window
    moving.add(y);
    if (window == 0) continue;
    chance += still.moved() / 19;
    moved += moving.moved() / 19;
    offset = moving.offset();
  }
  EXPECT_LT(chance, 0.08);
  EXPECT_NEAR(moved, 1, 0.1);
  EXPECT_NEAR(offset, 19, 2);
}

TEST(Statistics, SidesAndMagnitudesUnitByUnit) {
  for (const std::size_t units : {1U, 3U, 8U, 37U}) {
    for (const std::size_t inner : {1U, 5U}) {
      const Block z{6, units, inner, normal(6 * units * inner, units + inner)};
      SideCounts counts;
      counts.reset(units);
      count_sides(z, {-1, 0.5F, -2, 1.5F}, counts);
      std::vector<float> most(units, 0.25F);
      largest_magnitudes(z, most);
      for (std::size_t u = 0; u < units; ++u) {
        float left = 0, right = 0, zero = 0, largest = 0.25F;
        for (std::size_t r = 0; r < z.rows; ++r) {
          for (std::size_t i = 0; i < inner; ++i) {
            const float v = z.value[(r * units + u) * inner + i];
            left += v <= -1 ? 1.F : 0.F;
            right += v >= 0.5F ? 1.F : 0.F;
            zero += v <= -2 || v >= 1.5F ? 1.F : 0.F;
            largest = std::max(largest, std::abs(v));
          }
        }
        EXPECT_EQ(counts.left[u], left);
        EXPECT_EQ(counts.right[u], right);
        EXPECT_EQ(counts.zero[u], zero);
        EXPECT_EQ(most[u], largest);
      }
    }
  }
}

TEST(Statistics, SpreadAndGradientsInOnePass) {
  for (const bool finite : {true, false}) {
    for (const std::size_t units : {1U, 3U, 16U, 37U}) {
      for (const std::size_t rows : {1U, 7U, 300U}) {
        Block block{rows, units, 1, normal(rows * units, units + rows, 3)};
        for (std::size_t i = 0; i < block.value.size(); i += 5) block.value[i] = 0;
        if (!finite) {
          block.value[block.value.size() / 2] = std::numeric_limits<float>::infinity();
          block.value[block.value.size() / 3] = std::numeric_limits<float>::quiet_NaN();
        }
        double n = 0, squares = 0, zeros = 0;
        std::vector<float> largest(units, 0.5F), most = largest;
        for (std::size_t i = 0; i < block.value.size(); ++i) {
          const float v = block.value[i];
          if (!std::isfinite(v)) continue;
          n += 1;
          squares += static_cast<double>(v) * v;
          zeros += v == 0 ? 1 : 0;
          largest[i % units] = std::max(largest[i % units], std::abs(v));
        }
        const Sums sums = sums_and_magnitudes(block, most);
        EXPECT_EQ(sums.n, n);
        EXPECT_NEAR(sums.squares, squares, 1e-6 * squares);
        EXPECT_EQ(most, largest);
        if (n == 0) continue;
        const Spread spread = spread_of(block);
        Moments expected = plain(block.all());
        expected.m3 = expected.m4 = 0;
        EXPECT_EQ(spread.zeros, zeros);
        EXPECT_EQ(spread.moments.n, n);
        EXPECT_NEAR(spread.moments.mean, expected.mean, 1e-5);
        EXPECT_NEAR(spread.moments.m2, expected.m2, 1e-5 * (expected.m2 + 1));
      }
    }
  }
}

// What a pick takes, by plain indexing of a contiguous copy.
std::vector<float> indexed(const at::Tensor& tensor, const Pick& p) {
  const at::Tensor flat = tensor.detach().to(at::kFloat).contiguous().view({p.rows, p.units, p.inner});
  const auto at = flat.accessor<float, 3>();
  std::vector<float> result;
  for (std::int64_t r = 0; r < p.rows_taken; ++r)
    for (std::int64_t u = 0; u < p.units_taken; ++u)
      for (std::int64_t i = 0; i < p.inner_taken; ++i)
        result.push_back(at[p.first_row + r * p.row_step][u * p.unit_step][p.inner_start + i]);
  return result;
}

TEST(Sample, TakesTheSameNumbersHoweverATensorLies) {
  torch::manual_seed(4);
  const at::Tensor pictures = torch::randn({6, 5, 7, 9}), rows = torch::randn({40, 33});
  const struct {
    at::Tensor tensor;
    bool channels_first;
  } cases[] = {
      {pictures, true},
      {pictures.contiguous(at::MemoryFormat::ChannelsLast), true},
      {pictures.transpose(2, 3), true},
      {pictures.permute({2, 3, 0, 1}), false},
      {pictures.to(at::kHalf), true},
      {pictures.to(at::kBFloat16), true},
      {pictures.to(at::kDouble), true},
      {rows, false},
      {rows.t(), false},
      {rows.slice(1, 3, 31, 2), false},
      {rows.select(1, 4), false},
      {torch::randn({3, 4}).expand({5, 3, 4}), false},
      {torch::imag(torch::randn({5, 3}, at::kComplexFloat).conj()), false},  // a view that negates
      {torch::randn({}), false},
  };
  for (const auto& c : cases) {
    for (const std::int64_t most : {0, 1, 50, 8192}) {
      for (const std::uint64_t turn : {0U, 1U, 7U}) {
        const Pick p = pick(c.tensor.sizes(), c.channels_first, most, turn);
        Block block;
        ASSERT_TRUE(take(c.tensor, p, block)) << c.tensor.sizes();
        EXPECT_EQ(block.value, indexed(c.tensor, p)) << c.tensor.sizes() << " " << most << " " << turn;
        if (most == 0) {
          EXPECT_EQ(static_cast<std::int64_t>(block.value.size()), c.tensor.numel());
        }
        EXPECT_LT(p.first_row + (p.rows_taken - 1) * p.row_step, p.rows);
        EXPECT_LE(p.inner_start + p.inner_taken, p.inner);
      }
    }
  }
}

TEST(Sample, RefusesWhatItCannotRead) {
  const Pick p = pick({4, 3}, false, 0, 0);
  Block block;
  EXPECT_FALSE(take(at::Tensor(), p, block));
  EXPECT_FALSE(take(torch::zeros({4, 3}, at::kLong), p, block));
  EXPECT_FALSE(take(torch::zeros({4, 4}), p, block));
  EXPECT_FALSE(take(torch::zeros({3, 4}), p, block));
  EXPECT_FALSE(take(torch::zeros({4, 3}).to_sparse(), p, block));
  EXPECT_TRUE(take_evenly(torch::zeros({4}, at::kLong), 3).empty());
}

TEST(Sample, SpreadsEvenly) {
  const std::vector<float> all = take_evenly(torch::arange(7, at::kFloat), 100);
  EXPECT_EQ(all, (std::vector<float>{0, 1, 2, 3, 4, 5, 6}));
  const std::vector<float> some = take_evenly(torch::arange(10000, at::kFloat).view({100, 100}), 300);
  EXPECT_LE(some.size(), 300U);
  EXPECT_GT(some.size(), 250U);
  EXPECT_GT(some.back(), 9900);
  EXPECT_TRUE(std::is_sorted(some.begin(), some.end()));
}

}  // namespace
}  // namespace ogee::monitor
