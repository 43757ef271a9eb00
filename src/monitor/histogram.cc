#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "monitor/statistics.h"

namespace ogee::monitor {

void Histogram::add(const View& x, std::size_t most) {
  // An odd step does not fall on the same units again and again.
  const std::size_t step = most == 0 || x.count() <= most ? 1 : (x.count() / most) | 1;
  std::size_t count = 0, at = 0;
  for (std::size_t r = 0; r < x.rows; ++r) {
    const float* const row = x.row(r);
    for (; at < x.width(); at += step) {
      const auto bits = std::bit_cast<std::uint32_t>(row[at]);
      if ((bits & 0x7f800000U) == 0x7f800000U) continue;
      const std::uint32_t bin = bits >> dropped_bits;
      ++bin_[bin];
      used_[bin / group] = true;
      ++count;
    }
    at -= x.width();
  }
  total_ += static_cast<double>(count);
}
void Histogram::merge(const Histogram& other) {
  for (std::size_t g = 0; g < groups; ++g) {
    if (!other.used_[g]) continue;
    for (std::size_t i = g * group; i < (g + 1) * group; ++i) bin_[i] += other.bin_[i];
    used_[g] = true;
  }
  total_ += other.total_;
}
void Histogram::clear() {
  for (std::size_t g = 0; g < groups; ++g) {
    if (used_[g]) std::fill_n(bin_.begin() + static_cast<std::ptrdiff_t>(g * group), group, 0);
  }
  used_ = {};
  total_ = 0;
}
std::vector<double> Histogram::quantiles(std::span<const double> shares) const {
  std::vector<double> result(shares.size(), std::numeric_limits<double>::quiet_NaN());
  if (total_ == 0) return result;
  double before = 0;
  std::size_t next = 0;
  // A bin's own end, towards 0, and where the next one starts.
  const auto edge = [](std::uint32_t bin) {
    const float v = std::bit_cast<float>(bin << dropped_bits);
    return std::isinf(v) ? std::copysign(std::numeric_limits<double>::max(), v) : static_cast<double>(v);
  };
  const auto visit = [&](std::uint32_t bin, bool below_zero) {
    const double here = bin_[bin];
    while (next < shares.size() && here > 0 && shares[next] * total_ <= before + here) {
      const double low = edge(below_zero ? bin + 1 : bin), high = edge(below_zero ? bin : bin + 1);
      result[next] = low + (high - low) * std::clamp((shares[next] * total_ - before) / here, 0.0, 1.0);
      ++next;
    }
    before += here;
  };
  // Below 0 the larger magnitudes come first.
  for (std::size_t g = groups; g-- > groups / 2;) {
    if (!used_[g]) continue;
    for (std::size_t bin = (g + 1) * group; bin-- > g * group;) visit(static_cast<std::uint32_t>(bin), true);
  }
  for (std::size_t g = 0; g < groups / 2; ++g) {
    if (!used_[g]) continue;
    for (std::size_t bin = g * group; bin < (g + 1) * group; ++bin) visit(static_cast<std::uint32_t>(bin), false);
  }
  return result;
}

}  // namespace ogee::monitor
