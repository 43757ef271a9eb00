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

double two_sided(double t, std::size_t seeds) {
  const boost::math::students_t distribution(static_cast<double>(seeds - 1));
  return 2 * boost::math::cdf(boost::math::complement(distribution, t));
}

// `seeds` in descending order.
std::vector<double> simulate(const std::vector<std::size_t>& seeds) {
  const std::size_t arms = seeds.size(), longest = seeds.front();
  const auto draws = static_cast<std::size_t>(std::clamp(1e8 / static_cast<double>(arms * longest), 5000.0, 20000.0));
  Random random(19790501);
  boost::random::normal_distribution<double> normal;
  std::vector<double> drawn(arms * longest), means(arms), smallest(draws), differences;
  const auto row = [&](std::size_t arm, std::size_t count) { return std::span(drawn).subspan(arm * longest, count); };
  for (double& result : smallest) {
    for (double& each : drawn) each = normal(random);
    for (std::size_t i = 0; i < arms; ++i) means[i] = mean(row(i, seeds[i]));
    const auto lowest = static_cast<std::size_t>(std::min_element(means.begin(), means.end()) - means.begin());
    std::map<std::size_t, double> largest;  // t, by the number of seeds
    for (std::size_t i = 0; i < arms; ++i) {
      if (i == lowest) continue;
      const std::size_t both = std::min(seeds[i], seeds[lowest]);
      differences.resize(both);
      for (std::size_t s = 0; s < both; ++s) differences[s] = row(i, both)[s] - row(lowest, both)[s];
      double& t = largest[both];
      t = std::max(t, std::abs(mean(differences)) * std::sqrt(static_cast<double>(both)) / deviation(differences));
    }
    result = 1;
    for (const auto& [both, t] : largest) result = std::min(result, two_sided(t, both));
  }
  std::sort(smallest.begin(), smallest.end());
  return smallest;
}

}  // namespace

SmallestAgainstLowest::SmallestAgainstLowest(std::vector<std::size_t> seeds) {
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

double SmallestAgainstLowest::corrected(double p) const {
  if (smallest_->empty() || !std::isfinite(p)) return p;
  const auto count = std::upper_bound(smallest_->begin(), smallest_->end(), p) - smallest_->begin();
  // The observed one is a draw, too; and no correction makes a p smaller.
  return std::max(p, static_cast<double>(count + 1) / static_cast<double>(smallest_->size() + 1));
}

double SmallestAgainstLowest::quantile(double probability) const {
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
