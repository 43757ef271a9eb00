#include "monitor/weights.h"
//

#include <algorithm>
#include <cmath>
#include <utility>

#include "ogee/libtorch.h"
#include "monitor/sample.h"

namespace ogee::monitor {
namespace {

constexpr std::int64_t most_weights = 512, most_gradients = 1024, most_rows = 16, most_columns = 256;
// So many that lie in a row are quicker to go through than a few hundred apart.
constexpr std::int64_t few_gradients = 8192;

bool plain(const at::Tensor& t) {
  return t.defined() && t.device().is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous() && !t.is_neg();
}

}  // namespace

Weight::Weight(const at::Tensor& tensor, std::string name)
    : tensor_(tensor.getIntrusivePtr()), name_(std::move(name)), rows_(tensor.dim() > 0 ? tensor.size(0) : 1) {
  fan_in_ = rows_ > 0 ? tensor.numel() / rows_ : 0;
}

at::Tensor Weight::tensor() const {
  auto locked = tensor_.lock();
  return locked ? at::Tensor(std::move(locked)) : at::Tensor();
}

void Weight::begin(bool at_once) {
  read_ahead_ = at_once && !before_.empty();
  if (!read_ahead_) before_.clear();
  update_.clear();
}

void Weight::read() {
  if (std::exchange(read_ahead_, false)) return;
  const at::Tensor tensor = this->tensor();
  if (!tensor.defined()) return;
  take_evenly(tensor, most_weights, now_);
  if (now_.empty()) return;
  const auto count = static_cast<double>(now_.size());
  now_.resize((now_.size() + padding - 1) / padding * padding);
  const bool moved = before_.size() == now_.size(), turned = moved && update_.size() == now_.size();
  if (!moved) before_ = now_;
  if (!turned) update_.assign(now_.size(), 0.0F);
  const WaySums sums = way_sums_of(now_, before_, update_);
  if (!moved) update_.clear();
  std::swap(before_, now_);
  weight_ = std::sqrt(sums.size / count);
  if (moved && sums.size > 0) {
    ratio_sum_ += std::sqrt(sums.way / sums.size);
    ratio_n_ += 1;
  }
  if (turned && sums.way > 0 && sums.last_way > 0) {
    cosine_sum_ += sums.product / (std::sqrt(sums.way) * std::sqrt(sums.last_way));
    cosine_n_ += 1;
  }
}

void Weight::gradient(const at::Tensor& g) {
  const bool here = plain(g);
  Sums sums;
  if (here && g.numel() <= few_gradients) {
    sums = sums_of(std::span<const float>(g.data_ptr<float>(), static_cast<std::size_t>(g.numel())));
  } else {
    take_evenly(g, most_gradients, now_);  // between two readings
    sums = sums_of(now_);
  }
  gradient_.n += sums.n;
  gradient_.squares += sums.squares;
  if (g.dim() < 2 || g.size(0) != rows_) return;
  // A unit's incoming weights are a row: the sum against the sum of magnitudes.
  const std::int64_t rows = g.size(0), width = rows > 0 ? g.numel() / rows : 0, columns = std::min(width, most_columns);
  if (columns < 4) return;
  const std::int64_t row_step = (rows + most_rows - 1) / most_rows, taken = (rows + row_step - 1) / row_step;
  Block block;
  const float* from = nullptr;
  std::int64_t stride = 0;
  if (here) {
    from = g.data_ptr<float>();
    stride = row_step * width;
  } else {
    const at::Tensor flat = g.dim() == 2 ? g : g.reshape({rows, -1});
    if (!take(flat, Pick{0, 1, rows, width, 1, row_step, 0, 1, taken, columns, 0}, block)) return;
    from = block.value.data();
    stride = columns;
  }
  double sum_of_shares = 0, counted = 0;
  for (std::int64_t u = 0; u < taken; ++u) {
    const SignSums unit = sign_sums_of({from + u * stride, static_cast<std::size_t>(columns)});
    if (!(unit.magnitudes > 0)) continue;
    sum_of_shares += std::fabs(unit.sum) / unit.magnitudes;
    counted += 1;
  }
  if (counted == 0) return;
  one_sign_sum_ += sum_of_shares / counted;
  one_sign_n_ += 1;
  row_length_ = static_cast<double>(columns);
}

WeightNumbers Weight::close() {
  WeightNumbers n;
  n.weight = weight_;
  if (gradient_.n > 0) n.gradient = std::sqrt(gradient_.squares / gradient_.n);
  if (ratio_n_ > 0) n.update_ratio = ratio_sum_ / ratio_n_;
  if (cosine_n_ > 0) n.reversal = -cosine_sum_ / cosine_n_;
  if (one_sign_n_ > 0) {
    n.one_sign = one_sign_sum_ / one_sign_n_;
    // |sum| of n independent normal numbers is sqrt(2n/pi), the sum of magnitudes n*sqrt(2/pi).
    n.one_sign_chance = 1 / std::sqrt(row_length_);
  }
  gradient_ = {};
  ratio_sum_ = ratio_n_ = cosine_sum_ = cosine_n_ = one_sign_sum_ = one_sign_n_ = 0;
  return n;
}

std::string without_weight(std::string name) {
  for (const char* end : {".weight", "_weight"}) {
    if (name.ends_with(end)) name = name.substr(0, name.rfind(end));
  }
  return name;
}

}  // namespace ogee::monitor
