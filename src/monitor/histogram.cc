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
  Range range[2] = {used_[0], used_[1]};
  for (std::size_t r = 0; r < x.rows; ++r) {
    const float* const row = x.row(r);
    for (; at < x.width(); at += step) {
      const auto bits = std::bit_cast<std::uint32_t>(row[at]);
      if ((bits & 0x7f800000U) == 0x7f800000U) continue;
      const std::uint32_t bin = bits >> dropped_bits;
      ++bin_[bin];
      Range& side = range[bits >> 31];
      side.low = std::min(side.low, bin);
      side.high = std::max(side.high, bin);
      ++count;
    }
    at -= x.width();
  }
  used_[0] = range[0];
  used_[1] = range[1];
  total_ += static_cast<double>(count);
}
void Histogram::merge(const Histogram& other) {
  for (int side = 0; side < 2; ++side) {
    const Range& r = other.used_[side];
    for (std::uint32_t i = r.low; i <= r.high; ++i) bin_[i] += other.bin_[i];
    used_[side] = {std::min(used_[side].low, r.low), std::max(used_[side].high, r.high)};
  }
  total_ += other.total_;
}
void Histogram::clear() {
  for (Range& r : used_) {
    for (std::uint32_t i = r.low; i <= r.high; ++i) bin_[i] = 0;
    r = none;
  }
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
  const auto visit = [&](std::uint32_t bin, double low, double high) {
    const double here = bin_[bin];
    while (next < shares.size() && here > 0 && shares[next] * total_ <= before + here) {
      result[next] = low + (high - low) * std::clamp((shares[next] * total_ - before) / here, 0.0, 1.0);
      ++next;
    }
    before += here;
  };
  // Below 0 the larger magnitudes come first.
  if (const Range& r = used_[1]; r.low <= r.high) {
    for (std::uint32_t bin = r.high + 1; bin-- > r.low;) visit(bin, edge(bin + 1), edge(bin));
  }
  if (const Range& r = used_[0]; r.low <= r.high) {
    for (std::uint32_t bin = r.low; bin <= r.high; ++bin) visit(bin, edge(bin), edge(bin + 1));
  }
  return result;
}

}  // namespace ogee::monitor
