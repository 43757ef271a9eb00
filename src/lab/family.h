// Many arms at once: what chance alone does to the most striking of all their pairs, and which arm is likely the best.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace ogee::lab {

// Which arm comes out lowest is known only afterwards, and against it the others look worse than they are. This is the
// distribution of the smallest p (paired t, two-sided) of any arm against the lowest when all arms are equal, by
// simulation with normal errors: 20,000 draws of a generator of its own, fewer for very many. Corrected with it, claims
// about the arms against the lowest hold together.
class SmallestAgainstLowest {
 public:
  // The number of seeds of each arm; two arms are compared over the first ones that both have. Computed once for the
  // same numbers and shared from then on; safe to call from several threads. Arms with fewer than two seeds do not
  // count.
  explicit SmallestAgainstLowest(std::vector<std::size_t> seeds);

  // The probability that the smallest p is at most `p`.
  double corrected(double p) const;
  // The p that the smallest reaches by chance with this probability.
  double quantile(double probability) const;

 private:
  std::shared_ptr<const std::vector<double>> smallest_;  // ascending; empty with fewer than two arms
};

// The probability of each arm's true mean being the lowest: the posterior under a flat prior, in which every pair's
// difference has exactly the distribution of its paired t interval. `errors`: by arm, then by seed, all of one length;
// at least two of each, otherwise NaNs. The bootstrap would do the same with many seeds; with three or five it is much
// too sure.
std::vector<double> probabilities_of_best(std::span<const std::vector<double>> errors);

}  // namespace ogee::lab
