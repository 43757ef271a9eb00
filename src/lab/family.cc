#include "lab/family.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <boost/random/chi_squared_distribution.hpp>
#include <boost/random/mersenne_twister.hpp>
#include <boost/random/normal_distribution.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>

#include "lab/statistics.h"

namespace ogee::lab {
namespace {

using Random = boost::random::mt19937_64;

// Arms by seeds of normal deviates, centred over the first `seeds` for those arms that have as many.
struct Centred {
  std::vector<double> means, values;  // values: arm by arm
};

Centred centre(const std::vector<double>& drawn, std::size_t stride, std::size_t arms, std::size_t seeds) {
  Centred result{std::vector<double>(arms), std::vector<double>(arms * seeds)};
  for (std::size_t i = 0; i < arms; ++i) {
    const std::span<const double> row(drawn.data() + i * stride, seeds);
    result.means[i] = mean(row);
    for (std::size_t s = 0; s < seeds; ++s) result.values[i * seeds + s] = row[s] - result.means[i];
  }
  return result;
}

// The largest t^2 of pairs of which the second has exactly `seeds` and the first at least as many: the arms from
// `fewest_from` on up to `arms`, which are in descending order of their numbers of seeds.
double largest_squared_t(const Centred& centred, std::size_t fewest_from, std::size_t arms, std::size_t seeds) {
  double largest = 0;
  for (std::size_t j = std::max<std::size_t>(1, fewest_from); j < arms; ++j)
    for (std::size_t i = 0; i < j; ++i) {
      const double* a = centred.values.data() + i * seeds;
      const double* b = centred.values.data() + j * seeds;
      double squares = 0;
      for (std::size_t s = 0; s < seeds; ++s) squares += (a[s] - b[s]) * (a[s] - b[s]);
      const double difference = centred.means[i] - centred.means[j];
      largest = std::max(largest, difference * difference / squares);
    }
  const auto n = static_cast<double>(seeds);
  return largest * n * (n - 1);
}

std::vector<double> simulate(const std::vector<std::size_t>& seeds) {
  const std::size_t arms = seeds.size(), longest = seeds.front();
  const double work = static_cast<double>(arms * arms * longest);
  const auto draws = static_cast<std::size_t>(std::clamp(1.5e9 / work, 2000.0, 20000.0));
  Random random(19790501);
  boost::random::normal_distribution<double> normal;
  std::vector<double> drawn(arms * longest), smallest(draws);
  for (double& result : smallest) {
    for (double& each : drawn) each = normal(random);
    result = 1;
    for (std::size_t from = 0; from < arms;) {
      const std::size_t count = seeds[from];
      std::size_t to = from;
      while (to < arms && seeds[to] == count) ++to;
      const double t = std::sqrt(largest_squared_t(centre(drawn, longest, to, count), from, to, count));
      const boost::math::students_t distribution(static_cast<double>(count - 1));
      result = std::min(result, 2 * boost::math::cdf(boost::math::complement(distribution, t)));
      from = to;
    }
  }
  std::sort(smallest.begin(), smallest.end());
  return smallest;
}

}  // namespace

SmallestOfPairs::SmallestOfPairs(std::vector<std::size_t> seeds) {
  static std::mutex mutex;
  static std::map<std::vector<std::size_t>, std::shared_ptr<const std::vector<double>>> known;
  std::erase_if(seeds, [](std::size_t count) { return count < 2; });
  std::sort(seeds.rbegin(), seeds.rend());
  const std::lock_guard lock(mutex);
  auto& kept = known[seeds];
  if (!kept)
    kept = std::make_shared<const std::vector<double>>(seeds.size() < 2 ? std::vector<double>{} : simulate(seeds));
  smallest_ = kept;
}

double SmallestOfPairs::corrected(double p) const {
  if (smallest_->empty() || !std::isfinite(p)) return p;
  const auto count = std::upper_bound(smallest_->begin(), smallest_->end(), p) - smallest_->begin();
  // The observed one is a draw, too; and no correction makes a p smaller.
  return std::max(p, static_cast<double>(count + 1) / static_cast<double>(smallest_->size() + 1));
}

double SmallestOfPairs::quantile(double probability) const {
  if (smallest_->empty()) return probability;
  const double place = probability * static_cast<double>(smallest_->size());
  return (*smallest_)[std::min(smallest_->size() - 1, static_cast<std::size_t>(place))];
}

std::vector<double> probabilities_of_best(std::span<const std::vector<double>> errors) {
  const std::size_t arms = errors.size(), seeds = arms ? errors[0].size() : 0;
  if (seeds < 2) return std::vector<double>(arms, std::numeric_limits<double>::quiet_NaN());
  constexpr int draws = 4000;
  const auto n = static_cast<double>(seeds);
  std::vector<double> means;
  for (const auto& each : errors) means.push_back(mean(each));
  Random random(17630401);
  boost::random::normal_distribution<double> normal;
  boost::random::chi_squared_distribution<double> chi_squared(n - 1);
  std::vector<double> wins(arms), weights(seeds), drawn(arms);
  for (int draw = 0; draw < draws; ++draw) {
    // One weight for each seed, the same for all arms: that keeps the pairing.
    for (double& weight : weights) weight = normal(random);
    const double spread = 1 / std::sqrt(n * chi_squared(random));
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < arms; ++i) {
      double sum = 0;
      for (std::size_t s = 0; s < seeds; ++s) sum += weights[s] * (errors[i][s] - means[i]);
      drawn[i] = means[i] + spread * sum;
      least = std::min(least, drawn[i]);
    }
    const auto ties = std::count(drawn.begin(), drawn.end(), least);
    for (std::size_t i = 0; i < arms; ++i)
      if (drawn[i] == least) wins[i] += 1.0 / static_cast<double>(ties);
  }
  for (double& each : wins) each /= draws;
  return wins;
}

}  // namespace ogee::lab
