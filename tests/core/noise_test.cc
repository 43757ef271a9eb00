// The noise: the published answers of its generator, its distribution, its independence, and that it never depends on
// how it is drawn.
#include "kernels/noise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>

#include "kernels.h"

namespace ogee::test {
namespace {

using kernels::fill_noise;
using kernels::threefry2x32;

std::vector<float> draw(Noise kind, NoiseKey key, std::uint64_t first, std::size_t n) {
  std::vector<float> out(n);
  fill_noise(kind, key, first, n, out.data());
  return out;
}

// Random123's kat_vectors, threefry2x32 with 13 rounds.
TEST(Threefry, KnownAnswers) {
  EXPECT_EQ(threefry2x32(0, 0, 0), std::make_pair(0x9d1c5ec6u, 0x8bd50731u));
  EXPECT_EQ(threefry2x32(~std::uint64_t{0}, ~0u, ~0u), std::make_pair(0xfd36d048u, 0x2d17272cu));
  EXPECT_EQ(threefry2x32(0x0370734413198a2e, 0x243f6a88, 0x85a308d3), std::make_pair(0xba3e4725u, 0xf27d669eu));
}

TEST(NoiseTest, SameOnEveryTargetAndFromAnyStart) {
  for (const Noise kind : {Noise::normal, Noise::uniform}) {
    std::vector<float> expected;
    for (const std::string& target : targets()) {
      const OnTarget on(target);
      const auto all = draw(kind, {7, 3}, 0, 3000);
      if (expected.empty()) expected = all;
      if (target != "SSE4" && target != "SSSE3") {
        EXPECT_EQ(all, expected) << target;
      }
      for (std::uint64_t first : {0, 1, 15, 16, 31, 32, 33, 100, 1024}) {
        for (std::size_t n : {0, 1, 5, 31, 32, 64, 65, 1000}) {
          const auto piece = draw(kind, {7, 3}, first, n);
          const auto from = all.begin() + static_cast<std::ptrdiff_t>(first);
          ASSERT_TRUE(std::equal(piece.begin(), piece.end(), from)) << target << " " << first << " " << n;
        }
      }
    }
  }
}

// The vector code encrypts the same counters as the scalar one: a uniform is its word's top 23 bits and a half.
TEST(NoiseTest, UniformsAreTheGeneratorsWords) {
  const NoiseKey key{123, 456};
  const auto [low, high] = threefry2x32(key.seed, 456, 0);
  const std::uint64_t stream = (std::uint64_t{high} << 32) | low;
  const std::uint64_t first = (std::uint64_t{1} << 33) + 64;  // counters beyond 32 bits
  const auto u = draw(Noise::uniform, key, first, 32);
  for (std::uint32_t j = 0; j < 16; ++j) {
    const std::uint64_t counter = first / 2 + j;
    const auto words =
        threefry2x32(stream, static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32));
    EXPECT_EQ(u[j], static_cast<float>(words.first >> 9) * 0x1p-23f + 0x1p-24f);
    EXPECT_EQ(u[16 + j], static_cast<float>(words.second >> 9) * 0x1p-23f + 0x1p-24f);
  }
}

// A normal deviate is the quantile of its word: the top bit is the sign, the others are the probability beyond. All
// octaves of that probability occur, those that only a table in memory has, too.
TEST(NoiseTest, NormalsAreTheWordsQuantiles) {
  const NoiseKey key{3, 4};
  const auto [low, high] = threefry2x32(key.seed, key.call, 0);
  const std::uint64_t stream = (std::uint64_t{high} << 32) | low;
  const std::size_t n = 1 << 18;
  for (const std::string& target : targets()) {
    const OnTarget on(target);
    const auto z = draw(Noise::normal, key, 0, n);
    double least = 1;
    for (std::size_t j = 0; j < n; ++j) {
      const auto words = threefry2x32(stream, static_cast<std::uint32_t>(j / 32 * 16 + j % 16), 0);
      const std::uint32_t word = j % 32 < 16 ? words.first : words.second;
      const double t = (static_cast<double>(word & 0x7fffffffu) + 1) * 0x1p-32;
      least = std::min(least, t);
      const double size = word >> 31 != 0 ? -double{z[j]} : double{z[j]};
      const double density = std::exp(-size * size / 2) / std::sqrt(2 * std::acos(-1.0));
      ASSERT_NEAR(0.5 * std::erfc(size / std::sqrt(2.0)), t, 2e-6 * density + 1e-15) << target << " " << j;
    }
    EXPECT_LT(least, 0x1p-16);
  }
}

struct Moments {
  double mean = 0, variance = 0, skew = 0, kurtosis = 0;
};
Moments moments(const std::vector<float>& v) {
  Moments m;
  const double n = static_cast<double>(v.size());
  for (float x : v) m.mean += x / n;
  double third = 0, fourth = 0;
  for (float x : v) {
    const double d = x - m.mean;
    m.variance += d * d / n;
    third += d * d * d / n;
    fourth += d * d * d * d / n;
  }
  m.skew = third / std::pow(m.variance, 1.5);
  m.kurtosis = fourth / (m.variance * m.variance);
  return m;
}

// Bounds are five standard errors of each estimate at this size; the streams are fixed, so the test is, too.
constexpr std::size_t many = 1 << 20;

TEST(NoiseTest, NormalMoments) {
  const auto v = draw(Noise::normal, {1, 1}, 0, many);
  const Moments m = moments(v);
  const double se = 1 / std::sqrt(double{many});
  EXPECT_NEAR(m.mean, 0, 5 * se);
  EXPECT_NEAR(m.variance, 1, 5 * std::sqrt(2.0) * se);
  EXPECT_NEAR(m.skew, 0, 5 * std::sqrt(6.0) * se);
  EXPECT_NEAR(m.kurtosis, 3, 5 * std::sqrt(24.0) * se);
  double half = 0;
  for (float x : v) half += std::fabs(x) / double{many};
  EXPECT_NEAR(half, std::sqrt(2 / std::acos(-1.0)), 5 * 0.603 * se);
}

TEST(NoiseTest, NormalTailsAndShape) {
  auto v = draw(Noise::normal, {2, 1}, 0, many);
  std::sort(v.begin(), v.end());
  // Kolmogorov-Smirnov: the largest distance is below 1.95/sqrt(n) but once in a thousand streams.
  double worst = 0;
  for (std::size_t i = 0; i < v.size(); ++i) {
    const double cdf = 0.5 * std::erfc(-static_cast<double>(v[i]) / std::sqrt(2.0));
    worst = std::max(
        {worst, std::fabs(cdf - static_cast<double>(i) / many), std::fabs(cdf - static_cast<double>(i + 1) / many)});
  }
  EXPECT_LT(worst, 1.95 / std::sqrt(double{many}));
  EXPECT_GT(v.back(), 4.2f);
  EXPECT_LT(v.back(), 6.7f);
}

TEST(NoiseTest, UniformShape) {
  const auto v = draw(Noise::uniform, {3, 1}, 0, many);
  const Moments m = moments(v);
  const double se = 1 / std::sqrt(double{many});
  EXPECT_NEAR(m.mean, 0.5, 5 * 0.289 * se);
  EXPECT_NEAR(m.variance, 1.0 / 12, 5 * 0.0745 * se);
  for (float x : v) {
    ASSERT_GT(x, 0);
    ASSERT_LT(x, 1);
  }
  // Chi-squared over 256 bins: mean 255, deviation 22.6.
  std::vector<int> bins(256);
  for (float x : v) ++bins[static_cast<std::size_t>(x * 256)];
  double chi = 0;
  for (int b : bins) chi += (b - many / 256.0) * (b - many / 256.0) / (many / 256.0);
  EXPECT_NEAR(chi, 255, 5 * 22.6);
}

double correlation(const std::vector<float>& a, const std::vector<float>& b) {
  const Moments ma = moments(a), mb = moments(b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - ma.mean) * (b[i] - mb.mean);
  return sum / static_cast<double>(a.size()) / std::sqrt(ma.variance * mb.variance);
}

TEST(NoiseTest, IndependentAcrossElementsCallsAndSeeds) {
  const double bound = 5 / std::sqrt(double{many});
  const auto base = draw(Noise::normal, {5, 10}, 0, many);
  for (std::uint64_t lag : {1, 2, 15, 16, 17, 31, 32, 64, 1000}) {
    EXPECT_LT(std::fabs(correlation(base, draw(Noise::normal, {5, 10}, lag, many))), bound) << "lag " << lag;
  }
  EXPECT_LT(std::fabs(correlation(base, draw(Noise::normal, {5, 11}, 0, many))), bound);
  EXPECT_LT(std::fabs(correlation(base, draw(Noise::normal, {6, 10}, 0, many))), bound);
  // The two numbers that share a counter.
  std::vector<float> squares_a, squares_b;
  for (std::size_t i = 0; i + 16 < base.size(); ++i) {
    if (i % 32 >= 16) continue;
    squares_a.push_back(base[i] * base[i]);
    squares_b.push_back(base[i + 16] * base[i + 16]);
  }
  EXPECT_LT(std::fabs(correlation(squares_a, squares_b)), bound * 2);
}

// What users see: the same noise for one thread and two, forward and backward, in training only.
class Stochastic : public testing::TestWithParam<const Function*> {};

TEST_P(Stochastic, SameBitsOnAnyNumberOfThreads) {
  const Activation activation(*GetParam());
  std::vector<float> x(100000), one(x.size()), two(x.size()), three(x.size()), ones(x.size(), 1.0f);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i)) * 5;
  RunOptions options;
  options.mode = Mode::training;
  options.noise = {11, 22};
  forward<float>(activation, x, one, options);
  options.threads = 2;
  forward<float>(activation, x, two, options);
  EXPECT_EQ(one, two);
  const auto sums_two = backward_all<float>(activation, x, ones, two, options);
  options.threads = 3;
  const auto sums_three = backward_all<float>(activation, x, ones, three, options);
  EXPECT_EQ(two, three);
  EXPECT_EQ(sums_two, sums_three);
  options.noise.call = 23;
  forward<float>(activation, x, two, options);
  EXPECT_NE(one, two) << "another call must draw other noise";
  options.mode = Mode::evaluation;
  forward<float>(activation, x, one, options);
  options.noise.call = 24;
  forward<float>(activation, x, two, options);
  EXPECT_EQ(one, two) << "evaluation must not draw";
}

// The noise is drawn as float in every type, so wider types see the same function of the same noise.
TEST_P(Stochastic, TypesSeeTheSameNoise) {
  const Activation activation(*GetParam());
  std::vector<float> x(3000), y(x.size());
  std::vector<double> xd(x.size()), yd(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) xd[i] = x[i] = std::sin(static_cast<float>(i)) * 3;
  RunOptions options;
  options.mode = Mode::training;
  options.noise = {1, 2};
  forward<float>(activation, x, y, options);
  forward<double>(activation, xd, yd, options);
  std::size_t different = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    different += std::fabs(y[i] - yd[i]) > 1e-5 * (1 + std::fabs(yd[i])) ? 1 : 0;
  EXPECT_LE(different, 1u);  // a coin toss within a rounding error of its threshold may fall the other way
}

std::vector<const Function*> noisy() {
  std::vector<const Function*> list;
  for (const Function* f : functions()) {
    if (spec_of(*f).noise != Noise::none) list.push_back(f);
  }
  return list;
}
INSTANTIATE_TEST_SUITE_P(Catalogue, Stochastic, testing::ValuesIn(noisy()),
                         [](const auto& info) { return std::string(spec_of(*info.param).name); });

}  // namespace
}  // namespace ogee::test
