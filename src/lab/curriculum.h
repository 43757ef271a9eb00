// Easy examples first, more and more of the others as training goes on.
#pragma once

#include <torch/types.h>

#include <cstdint>

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

}  // namespace ogee::lab
