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

const std::vector<std::string>& regimes() {
  static const std::vector<std::string> all{"naive", "mix", "combined"};
  return all;
}

Climb::Climb(const std::string& regime, const std::vector<std::int64_t>& sizes)
    : mix_(regime == "naive" ? 0
           : regime == "mix" ? 1
                             : mixed),
      sizes_(torch::tensor(sizes, torch::kLong)),
      firsts_(sizes_.cumsum(0) - sizes_) {}

at::Tensor Climb::order(const at::Tensor& permutation, at::Generator random) const {
  const std::int64_t count = permutation.size(0);
  at::Tensor level = torch::full({count}, state.level, torch::kLong);
  if (mix_ > 0) {
    const at::Tensor any = torch::randint(sizes_.size(0), {count}, random, torch::kLong);
    const at::Tensor chance = torch::rand({count}, random, torch::kDouble);
    level = torch::where(chance.lt(mix_), any, level);
  }
  return firsts_.index_select(0, level) + permutation.remainder(sizes_.index_select(0, level));
}

bool Climb::look(double accuracy) {
  if (!climbs()) return false;
  if (accuracy > state.best) {
    state.best = accuracy;
    state.waited = 0;
  } else {
    ++state.waited;
  }
  if (!(accuracy > mastered) && state.waited < patience) return false;
  state = {state.level + 1};
  return true;
}

}  // namespace ogee::lab
