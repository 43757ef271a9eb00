#include "lab/statistics.h"

#include <algorithm>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/tools/roots.hpp>
#include <boost/random/mersenne_twister.hpp>
#include <boost/random/uniform_int_distribution.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>

namespace ogee::lab {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t exact_up_to = 30;
constexpr int drawn_patterns = 1 << 20;

// The sums with every pattern of signs, ascending.
std::vector<double> flipped_sums(std::span<const double> values) {
  std::vector<double> sums{0};
  for (const double value : values) {
    const std::size_t count = sums.size();
    for (std::size_t i = 0; i < count; ++i) {
      sums.push_back(sums[i] - value);
      sums[i] += value;
    }
  }
  std::sort(sums.begin(), sums.end());
  return sums;
}

// The noncentrality of which `t` is the given quantile.
double noncentrality(double t, double degrees, double probability) {
  // The quantile grows with the noncentrality, so that the distribution function at t falls.
  const auto beyond = [&](double centre) {
    return boost::math::cdf(boost::math::non_central_t(degrees, centre), t) - probability;
  };
  const double reach = 10 + 2 * std::abs(t);
  std::uintmax_t steps = 100;
  const auto found = boost::math::tools::bisect(
      beyond, t - reach, t + reach, [](double a, double b) { return b - a < 1e-6; }, steps);
  return (found.first + found.second) / 2;
}

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

Interval t_interval(std::span<const double> values, double level, double resolution) {
  if (values.size() < 2) return {nan, nan};
  const auto n = static_cast<double>(values.size());
  const double quantile = boost::math::quantile(boost::math::students_t(n - 1), 0.5 + level / 2);
  // What rounding to multiples of the resolution adds to the variance.
  const double half = quantile * std::max(deviation(values), resolution / std::sqrt(12)) / std::sqrt(n);
  return {mean(values) - half, mean(values) + half};
}

double t_test(std::span<const double> differences, double resolution) {
  if (differences.size() < 2) return nan;
  const auto n = static_cast<double>(differences.size());
  // A difference is rounded twice.
  const double error = std::max(deviation(differences), resolution / std::sqrt(6)) / std::sqrt(n);
  const double middle = mean(differences);
  if (middle == 0) return 1;
  if (error == 0) return 0;
  const boost::math::students_t distribution(n - 1);
  return 2 * boost::math::cdf(boost::math::complement(distribution, std::abs(middle / error)));
}

Interval bca_interval(std::span<const double> values, double level) {
  constexpr int resamples = 4000;
  const std::size_t n = values.size();
  if (n < 2) return {nan, nan};
  const double middle = mean(values);
  // The mean's acceleration by the jackknife: a sixth of the skewness of the values.
  double squares = 0, cubes = 0;
  for (const double value : values) {
    const double difference = value - middle;
    squares += difference * difference;
    cubes += difference * difference * difference;
  }
  if (squares == 0) return {middle, middle};
  const double acceleration = cubes / (6 * std::pow(squares, 1.5));
  boost::random::mt19937_64 random(19870301);
  boost::random::uniform_int_distribution<std::size_t> any(0, n - 1);
  std::vector<double> means(resamples);
  for (double& each : means) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += values[any(random)];
    each = sum / static_cast<double>(n);
  }
  std::sort(means.begin(), means.end());
  const auto below = std::lower_bound(means.begin(), means.end(), middle);
  const auto above = std::upper_bound(below, means.end(), middle);
  const double share = (static_cast<double>(below - means.begin()) + 0.5 * static_cast<double>(above - below)) /
                       static_cast<double>(resamples);
  const boost::math::normal normal;
  const double bias = boost::math::quantile(normal, std::clamp(share, 0.5 / resamples, 1 - 0.5 / resamples));
  const auto end = [&](double probability) {
    const double z = bias + boost::math::quantile(normal, probability);
    const double corrected = boost::math::cdf(normal, bias + z / (1 - acceleration * z));
    const auto rank = static_cast<std::ptrdiff_t>(corrected * (resamples + 1)) - 1;
    return means[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(rank, 0, resamples - 1))];
  };
  return {end(0.5 - level / 2), end(0.5 + level / 2)};
}

double sign_flip(std::span<const double> differences) {
  const std::size_t n = differences.size();
  if (n == 0) return nan;
  double sum = 0, scale = 0;
  for (const double difference : differences) sum += difference, scale += std::abs(difference);
  // Patterns that tie with the observed one must count, whatever rounding does to their sums.
  const double bound = std::abs(sum) - 1e-12 * scale;
  if (n <= exact_up_to) {
    // Every pattern is one of the first half with one of the second; sorted, the pairs are counted without making them.
    const auto first = flipped_sums(differences.first(n / 2)), second = flipped_sums(differences.subspan(n / 2));
    std::uint64_t smaller = 0;  // sums within (-bound, bound)
    auto low = second.end(), high = second.end();
    for (const double each : first) {
      while (low != second.begin() && each + *(low - 1) > -bound) --low;
      while (high != second.begin() && each + *(high - 1) >= bound) --high;
      if (high > low) smaller += static_cast<std::uint64_t>(high - low);
    }
    const double patterns = std::ldexp(1.0, static_cast<int>(n));
    return 1 - static_cast<double>(smaller) / patterns;
  }
  std::uint64_t count = 0;
  std::mt19937_64 random(20160301);
  for (int i = 0; i < drawn_patterns; ++i) {
    double flipped = 0;
    std::uint64_t signs = 0;
    for (std::size_t k = 0; k < n; ++k) {
      if (k % 64 == 0) signs = random();
      flipped += signs >> (k % 64) & 1 ? -differences[k] : differences[k];
    }
    count += std::abs(flipped) >= bound;
  }
  // The observed pattern is one of those that could have come up.
  return static_cast<double>(count + 1) / static_cast<double>(drawn_patterns + 1);
}

double smallest_sign_flip(std::size_t count) {
  if (count == 0) return nan;
  return count <= exact_up_to ? std::ldexp(2.0, -static_cast<int>(count)) : 1.0 / (drawn_patterns + 1);
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

Effect standardised(std::span<const double> differences, double level) {
  const double spread = deviation(differences);
  if (!(spread > 0)) return {nan, {nan, nan}};
  const auto n = static_cast<double>(differences.size());
  const double degrees = n - 1, plain = mean(differences) / spread;
  // Hedges' factor, exactly.
  const double factor =
      degrees < 2 ? nan : std::exp(std::lgamma(degrees / 2) - std::lgamma((degrees - 1) / 2)) / std::sqrt(degrees / 2);
  const double t = plain * std::sqrt(n);
  // Beyond this the noncentral distribution cannot be computed, and nobody asks how large "very large" is.
  if (std::abs(t) > 30) return {factor * plain, {nan, nan}};
  return {factor * plain,
          {noncentrality(t, degrees, 0.5 + level / 2) / std::sqrt(n),
           noncentrality(t, degrees, 0.5 - level / 2) / std::sqrt(n)}};
}

}  // namespace ogee::lab
