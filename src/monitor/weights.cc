#include "monitor/weights.h"
//

#include <algorithm>
#include <cmath>

#include "ogee/libtorch.h"
#include "monitor/sample.h"

namespace ogee::monitor {
namespace {

constexpr std::int64_t most_weights = 512, most_gradients = 1024, most_rows = 16, most_columns = 256;

double squares(const std::vector<float>& x) {
  double sum = 0;
  for (const float v : x) sum += static_cast<double>(v) * v;
  return sum;
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

void Weight::read() {
  const at::Tensor now = tensor();
  if (!now.defined()) return;
  std::vector<float> at = take_evenly(now.detach(), most_weights);
  if (at.empty()) return;
  const double size = squares(at);
  weight_ = std::sqrt(size / static_cast<double>(at.size()));
  if (before_.size() == at.size()) {
    std::vector<float> update(at.size());
    for (std::size_t i = 0; i < at.size(); ++i) update[i] = at[i] - before_[i];
    const double moved = squares(update);
    if (size > 0) {
      ratio_sum_ += std::sqrt(moved / size);
      ratio_n_ += 1;
    }
    if (update_.size() == update.size()) {
      const double last = squares(update_);
      double dot = 0;
      for (std::size_t i = 0; i < update.size(); ++i) dot += static_cast<double>(update[i]) * update_[i];
      if (moved > 0 && last > 0) {
        cosine_sum_ += dot / std::sqrt(moved * last);
        cosine_n_ += 1;
      }
    }
    update_ = std::move(update);
  }
  before_ = std::move(at);
}

void Weight::gradient(const at::Tensor& g) {
  const Sums sums = sums_of(take_evenly(g, most_gradients));
  gradient_.n += sums.n;
  gradient_.squares += sums.squares;
  if (g.dim() < 2 || g.size(0) != rows_) return;
  // A unit's incoming weights are a row: the sum against the sum of magnitudes.
  const at::Tensor rows = g.dim() == 2 ? g : g.reshape({g.size(0), -1});
  const std::int64_t row_step = (rows.size(0) + most_rows - 1) / most_rows;
  const std::int64_t columns = std::min(rows.size(1), most_columns);
  if (columns < 4) return;
  const Pick p{0,       1, rows.size(0), rows.size(1), 0, row_step, 0, 1, (rows.size(0) + row_step - 1) / row_step,
               columns, 0};
  Pick rows_as_units = p;
  Block block;
  if (!take(rows, rows_as_units, block)) return;
  double sum_of_shares = 0, counted = 0;
  for (std::size_t u = 0; u < block.units; ++u) {
    double sum = 0, magnitudes = 0;
    for (std::size_t i = 0; i < block.inner; ++i) {
      const double v = block.value[u * block.inner + i];
      sum += v;
      magnitudes += std::fabs(v);
    }
    if (!(magnitudes > 0)) continue;
    sum_of_shares += std::fabs(sum) / magnitudes;
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
