#include "lab/race.h"

#include <algorithm>
#include <cmath>

#include "lab/statistics.h"

namespace ogee::lab {

std::vector<bool> out_of_the_race(const std::vector<std::vector<double>>& errors, std::int64_t seeds,
                                  std::size_t arms) {
  constexpr double level = 0.05;
  std::vector<bool> out(errors.size(), false);
  std::size_t best = errors.size();
  for (std::size_t i = 0; i < errors.size(); ++i) {
    out[i] = std::any_of(errors[i].begin(), errors[i].end(), [](double e) { return std::isnan(e); });
    if (!out[i] && (best == errors.size() || mean(errors[i]) < mean(errors[best]))) best = i;
  }
  if (best == errors.size()) return std::vector<bool>(errors.size(), false);  // all diverged: none is behind
  const auto looks = static_cast<double>(std::max<std::int64_t>(1, seeds - first_look));
  const double threshold = level / (looks * static_cast<double>(std::max<std::size_t>(1, arms - 1)));
  for (std::size_t i = 0; i < errors.size(); ++i) {
    if (i == best || out[i]) continue;
    std::vector<double> differences;
    for (std::size_t seed = 0; seed < errors[i].size(); ++seed)
      differences.push_back(errors[i][seed] - errors[best][seed]);
    out[i] = mean(differences) > 0 && t_test(differences) / 2 < threshold;
  }
  return out;
}

}  // namespace ogee::lab
