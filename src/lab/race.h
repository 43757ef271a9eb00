// Which arms of a comparison cannot win any more.
#pragma once

#include <cstdint>
#include <vector>

namespace ogee::lab {

// Seeds before the first decision: with fewer, a test says nothing.
inline constexpr std::int64_t first_look = 3;

// `errors`: for each arm still in the race, one error a seed, the same seeds for all; NaN where a run diverged. True
// for an arm that cannot win: it diverged (which is never recommended), or it is worse than the one with the lowest
// mean by a one-sided paired t test at 0.05/(looks * (arms - 1)): over all looks at `seeds` seeds and all `arms` that
// started, the chance to drop an arm that is as good stays below 5 %.
std::vector<bool> out_of_the_race(const std::vector<std::vector<double>>& errors, std::int64_t seeds, std::size_t arms);

}  // namespace ogee::lab
