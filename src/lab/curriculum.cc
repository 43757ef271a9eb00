#include "lab/curriculum.h"

#include <algorithm>
#include <cmath>

#include "ogee/libtorch.h"

namespace ogee::lab {
namespace {

constexpr double at_first = 0.1;  // of the examples

}  // namespace

Curriculum::Curriculum(const at::Tensor& difficulty, double until, std::int64_t steps)
    : easiest_first_(std::get<1>(difficulty.cpu().sort(/*stable=*/true, /*dim=*/0, /*descending=*/false))),
      whole_at_(until * static_cast<double>(steps)) {}

at::Tensor Curriculum::order(const at::Tensor& permutation, std::int64_t step) const {
  if (!easiest_first_.defined()) return permutation;
  const double share = std::min(1.0, at_first + (1 - at_first) * static_cast<double>(step) / whole_at_);
  const auto in_use = static_cast<std::int64_t>(std::ceil(share * static_cast<double>(easiest_first_.size(0))));
  return easiest_first_.index_select(0, permutation.remainder(in_use));
}

}  // namespace ogee::lab
