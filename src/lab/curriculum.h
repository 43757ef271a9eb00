// Easy examples first, more and more of the others as training goes on.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace ogee::lab {

class Curriculum {
 public:
  // None: every epoch is what was drawn for it.
  Curriculum() = default;
  // `difficulty` of every example, int64; all are in use after `until`, a share of the run's `steps`.
  Curriculum(const at::Tensor& difficulty, double until, std::int64_t steps);
  // From an epoch's permutation of all examples to as many of those in use at `step`, every one as often, but for one.
  at::Tensor order(const at::Tensor& permutation, std::int64_t step) const;

 private:
  at::Tensor easiest_first_;
  double whole_at_ = 0;  // steps
};

// Which of a task's levels (data::Levels) an epoch's examples are of; Zaremba and Sutskever 2014 (1410.4615) have them
// all: "naive", the level that has been reached; "mix", for each example any level; "combined", either, example by
// example.
const std::vector<std::string>& regimes();

// A curriculum by levels, from the easiest on.
class Climb {
 public:
  static constexpr double mastered = 0.95;     // accuracy above which the next level follows
  static constexpr std::int64_t patience = 2;  // epochs in a row without a better accuracy after which it follows, too
  static constexpr double mixed = 0.2;         // the share of "mix" in "combined"

  // All that changes.
  struct State {
    std::int64_t level = 0;
    double best = -std::numeric_limits<double>::infinity();  // the best accuracy at this level
    std::int64_t waited = 0;                                 // epochs since then
  };

  // `sizes`: how many examples each level has, neighbours all; an epoch is as long as the last level.
  Climb(const std::string& regime, const std::vector<std::int64_t>& sizes);
  // From an epoch's permutation of the last level's examples to as many numbers of examples among those of all levels.
  // Of one level alone every one comes as often, but for one. What it draws does not depend on the level.
  at::Tensor order(const at::Tensor& permutation, at::Generator random) const;
  // Whether there is a level to be left.
  bool climbs() const { return staged() && state.level + 1 < sizes_.size(0); }
  // Whether examples depend on the level that has been reached.
  bool staged() const { return mix_ < 1; }
  // After an epoch with this accuracy on the level's validation part; true where the next level follows. One that is no
  // number is no improvement.
  bool look(double accuracy);

  State state;

 private:
  double mix_;                 // the share of examples that are of any level
  at::Tensor sizes_, firsts_;  // of each level, int64
};

}  // namespace ogee::lab
