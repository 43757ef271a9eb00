// Which arms need no more seeds, because they cannot win any more.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace ogee::lab {

struct Race {
  std::size_t seeds = 0;  // of an arm that stays to the end
  // Of the errors: 1/(number of examples) for a share, 0 for a real number.
  double resolution = 0;

  static constexpr std::size_t first_look = 3;  // complete blocks of seeds before anything is decided
  // The probability, over all looks together, that any arm is stopped which is as good as every other.
  static constexpr double level = 0.01;
};

// After how many complete blocks of seeds each arm is out of the race; 0: never, as far as the blocks show. `errors`:
// by arm, then by seed in a fixed order; NaN where the run did not come to its end. An arm is in a block if it is long
// enough; arms that are out may be shorter than the others, or as long (what lies beyond is not looked at), so that the
// answer for the same experiment is the same at any time and after any interruption.
//
// An arm is out if the arm with the lowest mean among those still racing is better by a one-sided paired t test, at a
// level that makes up for the pairs and for the looks (Bonferroni for both); or if one of its runs diverged or failed,
// which no recommendation survives. Give it validation errors: then the test data decide nothing before the end.
std::vector<std::size_t> out_of_the_race(std::span<const std::vector<double>> errors, const Race& race);

}  // namespace ogee::lab
