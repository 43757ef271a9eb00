#include "lab/race.h"

#include <algorithm>
#include <cmath>

#include "lab/statistics.h"

namespace ogee::lab {

std::vector<std::size_t> out_of_the_race(std::span<const std::vector<double>> errors, const Race& race) {
  const std::size_t arms = errors.size();
  std::vector<std::size_t> out(arms, 0);
  if (race.seeds <= Race::first_look) return out;
  const double looks = static_cast<double>(race.seeds - Race::first_look);
  const double pairs = static_cast<double>(arms * (arms - 1));
  for (std::size_t blocks = Race::first_look; blocks < race.seeds; ++blocks) {
    std::vector<std::size_t> racing;
    for (std::size_t i = 0; i < arms; ++i)
      if (out[i] == 0) racing.push_back(i);
    if (std::any_of(racing.begin(), racing.end(), [&](std::size_t i) { return errors[i].size() < blocks; })) break;
    const auto so_far = [&](std::size_t i) { return std::span(errors[i]).first(blocks); };
    std::erase_if(racing, [&](std::size_t i) {
      const auto seen = so_far(i);
      const bool broken = std::any_of(seen.begin(), seen.end(), [](double e) { return !std::isfinite(e); });
      if (broken) out[i] = blocks;
      return broken;
    });
    if (racing.empty()) continue;
    const std::size_t leader = *std::min_element(
        racing.begin(), racing.end(), [&](std::size_t a, std::size_t b) { return mean(so_far(a)) < mean(so_far(b)); });
    for (const std::size_t i : racing) {
      if (i == leader) continue;
      std::vector<double> differences(blocks);
      for (std::size_t s = 0; s < blocks; ++s) differences[s] = errors[i][s] - errors[leader][s];
      // The leader's mean is the lower one, so that half of the two-sided p is the one-sided.
      if (t_test(differences, race.resolution) / 2 < Race::level / (looks * pairs)) out[i] = blocks;
    }
  }
  return out;
}

}  // namespace ogee::lab
