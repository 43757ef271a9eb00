#include "data/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <utility>

namespace ogee::data {
namespace {

void shuffle(std::vector<std::int64_t>& items, std::mt19937_64& random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random() % i]);
}

std::map<int, std::vector<std::int64_t>> by_class(const std::vector<std::int64_t>& items,
                                                  const std::vector<int>& labels) {
  std::map<int, std::vector<std::int64_t>> groups;
  for (const auto item : items) groups[labels.empty() ? 0 : labels[static_cast<std::size_t>(item)]].push_back(item);
  return groups;
}

}  // namespace

Indices split(std::size_t count, const std::vector<int>& labels, double validation, double test, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i] = static_cast<std::int64_t>(i);
  Indices result;
  for (auto& [label, group] : by_class(all, labels)) {
    shuffle(group, random);
    const auto size = static_cast<double>(group.size());
    auto for_test = static_cast<std::ptrdiff_t>(std::lround(size * test));
    auto for_validation = static_cast<std::ptrdiff_t>(std::lround(size * validation));
    if (group.size() < 3) for_test = for_validation = 0;
    const auto first = group.begin();
    result.test.insert(result.test.end(), first, first + for_test);
    result.validation.insert(result.validation.end(), first + for_test, first + for_test + for_validation);
    result.train.insert(result.train.end(), first + for_test + for_validation, group.end());
  }
  for (auto* part : {&result.train, &result.validation, &result.test}) std::sort(part->begin(), part->end());
  return result;
}

std::vector<std::int64_t> limit(const std::vector<std::int64_t>& chosen, const std::vector<int>& labels,
                                std::size_t limit, std::uint64_t seed) {
  if (limit >= chosen.size()) return chosen;
  std::mt19937_64 random(seed);
  // Every example gets a place within its class; taking the smallest places first takes every class in proportion.
  std::vector<std::pair<double, std::int64_t>> places;
  for (auto& [label, group] : by_class(chosen, labels)) {
    shuffle(group, random);
    for (std::size_t i = 0; i < group.size(); ++i)
      places.emplace_back((static_cast<double>(i) + 0.5) / static_cast<double>(group.size()), group[i]);
  }
  std::sort(places.begin(), places.end());
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < limit; ++i) result.push_back(places[i].second);
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace ogee::data
