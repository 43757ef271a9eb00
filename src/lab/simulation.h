// Comparisons of known truth, through the same code as real ones: how often what is said of them is right.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ogee::lab {

// Errors as test runs have them: skewed (gamma noise of skewness 1), of unequal spread between arms, correlated over
// the arms by seed, counted on a finite test set. Means: in a third of the experiments all equal; in a third half of
// them equal and the others worse by 10 to 100 %; in a third all different.
struct Simulation {
  std::size_t arms = 10, seeds = 5;
  bool race = false;  // stops arms early, as out_of_the_race says
  std::size_t experiments = 2000;
  std::uint64_t seed = 1;
  double skewness = 1;
};

// A share, and of how many.
struct Share {
  double hits = 0, of = 0;
  void add(bool hit) { hits += hit, of += 1; }
  double value() const { return hits / of; }
};

struct Simulated {
  Simulation of;
  Share mean_t, mean_bca;   // 95 % intervals of the arms' means that hold the truth: Student's t, bootstrap BCa
  Share stopped;            // likewise, the wider intervals of arms that were stopped
  Share pair_t, pair_bca;   // of the difference of two arms named beforehand
  Share with_lowest;        // experiments in which all intervals of differences to the lowest arm hold the truth
  Share with_lowest_equal;  // likewise, where all arms are equal, which is when choosing the lowest deceives most
  Share false_worse, false_likely;              // experiments with an arm called (probably) worse that is not
  Share false_worse_equal, false_likely_equal;  // likewise, where all arms are equal
  Share found_worse;    // arms at least half worse than the best that are called worse or stopped
  Share wrong_stop;     // experiments in which an arm as good as the best was stopped
  Share runs_spared;    // runs that a race made unnecessary
  Share sure_and_best;  // arms with a probability of at least 0.95 of being the best that are
};
Simulated simulate(const Simulation& simulation);

// Tables in Markdown, a row for each.
std::string markdown(const std::vector<Simulated>& rows);

}  // namespace ogee::lab
