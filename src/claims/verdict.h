// Whether what a claim expects is what was seen.
#pragma once

#include <string>
#include <vector>

#include "claims/claim.h"
#include "lab/statistics.h"

namespace ogee::claims {

// holds_in_part: of a claim alone, of which some expectations hold and some do not.
enum class Verdict { holds, holds_in_part, does_not_hold, cannot_tell };
// "holds", "holds in part", "does not hold", "cannot tell at this scale"
const char* words_of(Verdict verdict);

struct Judgement {
  Verdict verdict = Verdict::cannot_tell;
  std::size_t seeds = 0;  // 0: exact
  // What the two sides come to over the seeds (geometric means where the expectation has a factor), and of their
  // difference, or their ratio, the mean and its interval.
  double value = 0, other = 0;
  double contrast = 0;
  lab::Interval interval{0, 0};
  std::string figure;   // all of this in a line
  std::string problem;  // why it cannot be told, other than by the interval: nothing measured, too few seeds
};

// At the level at which all expectations of the claim hold together (Bonferroni over `count` of them, 95 %).
Judgement judge(const Expectation& expectation, const std::vector<Observation>& observations, std::size_t count);

// It holds if all expectations do. Where one does not, it holds in part if another one does, else not at all.
Verdict judge(const std::vector<Judgement>& judgements);

}  // namespace ogee::claims
