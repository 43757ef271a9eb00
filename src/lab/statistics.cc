#include "lab/statistics.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>

namespace ogee::lab {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation(std::span<const double> values) {
  if (values.size() < 2) return nan;
  const double middle = mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - middle) * (value - middle);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

Interval t_interval(std::span<const double> values, double level) {
  if (values.size() < 2) return {nan, nan};
  const auto n = static_cast<double>(values.size());
  const double quantile = boost::math::quantile(boost::math::students_t(n - 1), 0.5 + level / 2);
  const double half = quantile * deviation(values) / std::sqrt(n);
  return {mean(values) - half, mean(values) + half};
}

double t_test(std::span<const double> differences) {
  if (differences.size() < 2) return nan;
  const auto n = static_cast<double>(differences.size());
  const double middle = mean(differences), error = deviation(differences) / std::sqrt(n);
  if (middle == 0) return 1;
  if (error == 0) return 0;
  const boost::math::students_t distribution(n - 1);
  return 2 * boost::math::cdf(boost::math::complement(distribution, std::abs(middle / error)));
}

double sign_flip(std::span<const double> differences) {
  constexpr std::size_t exact_up_to = 20;
  const std::size_t n = differences.size();
  if (n == 0) return nan;
  double sum = 0, scale = 0;
  for (const double difference : differences) sum += difference, scale += std::abs(difference);
  // Patterns that tie with the observed one must count, whatever rounding does to their sums.
  const double bound = std::abs(sum) - 1e-12 * scale;
  const auto extreme = [&](std::uint64_t signs) {
    double flipped = 0;
    for (std::size_t i = 0; i < n; ++i) flipped += signs >> (i % 64) & 1 ? -differences[i] : differences[i];
    return std::abs(flipped) >= bound;
  };
  std::uint64_t count = 0;
  const std::uint64_t patterns = std::uint64_t{1} << std::min(n, exact_up_to);
  if (n <= exact_up_to) {
    for (std::uint64_t signs = 0; signs < patterns; ++signs) count += extreme(signs);
    return static_cast<double>(count) / static_cast<double>(patterns);
  }
  std::mt19937_64 random(20160301);
  for (std::uint64_t i = 0; i < patterns; ++i) {
    double flipped = 0;
    std::uint64_t signs = 0;
    for (std::size_t k = 0; k < n; ++k) {
      if (k % 64 == 0) signs = random();
      flipped += signs >> (k % 64) & 1 ? -differences[k] : differences[k];
    }
    count += std::abs(flipped) >= bound;
  }
  // The observed pattern is one of those that could have come up.
  return static_cast<double>(count + 1) / static_cast<double>(patterns + 1);
}

double smallest_sign_flip(std::size_t count) {
  return count == 0 ? nan : std::max(std::ldexp(2.0, -static_cast<int>(count)), 1.0 / ((1 << 20) + 1));
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> corrected(p.size());
  double largest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    largest = std::max(largest, std::min(1.0, p[order[rank]] * static_cast<double>(p.size() - rank)));
    corrected[order[rank]] = largest;
  }
  return corrected;
}

}  // namespace ogee::lab
