#include "monitor/statistics.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "monitor/statistics.cc"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::monitor::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;

template <class V>
HWY_INLINE V finite_or_zero(V x) {
  return hn::IfThenElseZero(hn::IsFinite(x), x);
}

// n, sum, sum of squares, zeros.
HWY_ATTR void power_sums(const float* x, std::size_t n, double* result) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const auto one = hn::Set(d, 1.0F), nothing = hn::Zero(d);
  double count = 0, sum = 0, squares = 0, zeros = 0;
  std::size_t i = 0;
  while (i + lanes <= n) {
    // Float sums of a few hundred terms at most, so that they stay exact to about six digits.
    const std::size_t stop = std::min(n, i + 64 * lanes);
    auto c = nothing, s = nothing, q = nothing, z = nothing;
    for (; i + lanes <= stop; i += lanes) {
      const auto raw = hn::LoadU(d, x + i);
      const auto valid = hn::IsFinite(raw);
      const auto v = hn::IfThenElseZero(valid, raw);
      c = hn::Add(c, hn::IfThenElseZero(valid, one));
      s = hn::Add(s, v);
      q = hn::MulAdd(v, v, q);
      z = hn::Add(z, hn::IfThenElseZero(hn::Eq(raw, nothing), one));
    }
    count += hn::GetLane(hn::SumOfLanes(d, c));
    sum += hn::GetLane(hn::SumOfLanes(d, s));
    squares += hn::GetLane(hn::SumOfLanes(d, q));
    zeros += hn::GetLane(hn::SumOfLanes(d, z));
    if (stop - i < lanes && stop == n) break;
  }
  for (; i < n; ++i) {
    if (!std::isfinite(x[i])) continue;
    count += 1;
    sum += x[i];
    squares += static_cast<double>(x[i]) * x[i];
    zeros += x[i] == 0 ? 1 : 0;
  }
  result[0] = count;
  result[1] = sum;
  result[2] = squares;
  result[3] = zeros;
}

// Sums of the second to fourth powers of what is off the mean.
HWY_ATTR void central_sums(const float* x, std::size_t n, float mean, double* result) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const auto centre = hn::Set(d, mean);
  double second = 0, third = 0, fourth = 0;
  std::size_t i = 0;
  while (i + lanes <= n) {
    const std::size_t stop = std::min(n, i + 64 * lanes);
    auto s = hn::Zero(d), t = hn::Zero(d), f = hn::Zero(d);
    for (; i + lanes <= stop; i += lanes) {
      const auto raw = hn::LoadU(d, x + i);
      const auto v = hn::IfThenElseZero(hn::IsFinite(raw), hn::Sub(raw, centre));
      const auto v2 = hn::Mul(v, v);
      s = hn::Add(s, v2);
      t = hn::MulAdd(v2, v, t);
      f = hn::MulAdd(v2, v2, f);
    }
    second += hn::GetLane(hn::SumOfLanes(d, s));
    third += hn::GetLane(hn::SumOfLanes(d, t));
    fourth += hn::GetLane(hn::SumOfLanes(d, f));
    if (stop - i < lanes && stop == n) break;
  }
  for (; i < n; ++i) {
    if (!std::isfinite(x[i])) continue;
    const double v = static_cast<double>(x[i]) - mean;
    second += v * v;
    third += v * v * v;
    fourth += v * v * v * v;
  }
  result[0] = second;
  result[1] = third;
  result[2] = fourth;
}

// One row of units side by side.
HWY_ATTR void sides_across(const float* z, std::size_t n, const float* bounds, float* left, float* right, float* zero) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const auto l = hn::Set(d, bounds[0]), r = hn::Set(d, bounds[1]), zl = hn::Set(d, bounds[2]),
             zr = hn::Set(d, bounds[3]);
  const auto one = hn::Set(d, 1.0F);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = hn::LoadU(d, z + i);
    hn::StoreU(hn::Add(hn::LoadU(d, left + i), hn::IfThenElseZero(hn::Le(v, l), one)), d, left + i);
    hn::StoreU(hn::Add(hn::LoadU(d, right + i), hn::IfThenElseZero(hn::Ge(v, r), one)), d, right + i);
    const auto flat = hn::Or(hn::Le(v, zl), hn::Ge(v, zr));
    hn::StoreU(hn::Add(hn::LoadU(d, zero + i), hn::IfThenElseZero(flat, one)), d, zero + i);
  }
  for (; i < n; ++i) {
    left[i] += z[i] <= bounds[0] ? 1.0F : 0.0F;
    right[i] += z[i] >= bounds[1] ? 1.0F : 0.0F;
    zero[i] += z[i] <= bounds[2] || z[i] >= bounds[3] ? 1.0F : 0.0F;
  }
}

HWY_ATTR void magnitudes_across(const float* g, std::size_t n, float* most) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(hn::Max(hn::LoadU(d, most + i), hn::Abs(finite_or_zero(hn::LoadU(d, g + i)))), d, most + i);
  }
  for (; i < n; ++i) {
    if (std::isfinite(g[i])) most[i] = std::max(most[i], std::fabs(g[i]));
  }
}

}  // namespace ogee::monitor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee::monitor {
HWY_EXPORT(power_sums);
HWY_EXPORT(central_sums);
HWY_EXPORT(sides_across);
HWY_EXPORT(magnitudes_across);

double median(std::vector<double> values) {
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return 0.5 * (*middle + *std::max_element(values.begin(), middle));
}

void Moments::merge(const Moments& b) {
  if (b.n == 0) return;
  if (n == 0) {
    *this = b;
    return;
  }
  const Moments a = *this;
  const double total = a.n + b.n, delta = b.mean - a.mean, d2 = delta * delta;
  n = total;
  mean = a.mean + delta * b.n / total;
  m2 = a.m2 + b.m2 + d2 * a.n * b.n / total;
  m3 = a.m3 + b.m3 + d2 * delta * a.n * b.n * (a.n - b.n) / (total * total) +
       3 * delta * (a.n * b.m2 - b.n * a.m2) / total;
  m4 = a.m4 + b.m4 + d2 * d2 * a.n * b.n * (a.n * a.n - a.n * b.n + b.n * b.n) / (total * total * total) +
       6 * d2 * (a.n * a.n * b.m2 + b.n * b.n * a.m2) / (total * total) + 4 * delta * (a.n * b.m3 - b.n * a.m3) / total;
}
double Moments::deviation() const { return n > 0 ? std::sqrt(m2 / n) : std::numeric_limits<double>::quiet_NaN(); }
double Moments::skew() const { return m2 > 0 ? std::sqrt(n) * m3 / std::pow(m2, 1.5) : 0; }
double Moments::kurtosis() const { return m2 > 0 ? n * m4 / (m2 * m2) - 3 : 0; }

Moments moments_of(std::span<const float> x) {
  double sums[4], central[3];
  HWY_DYNAMIC_DISPATCH(power_sums)(x.data(), x.size(), sums);
  Moments result;
  result.n = sums[0];
  if (result.n == 0) return result;
  const double mean = sums[1] / sums[0];
  const auto pivot = static_cast<float>(mean);
  HWY_DYNAMIC_DISPATCH(central_sums)(x.data(), x.size(), pivot, central);
  result.mean = mean;
  result.m2 = central[0];
  result.m3 = central[1];
  result.m4 = central[2];
  return result;
}

Sums sums_of(std::span<const float> x) {
  double sums[4];
  HWY_DYNAMIC_DISPATCH(power_sums)(x.data(), x.size(), sums);
  return {sums[0], sums[1], sums[2], sums[3]};
}

void Histogram::add(std::span<const float> x) {
  std::size_t count = 0;
  Range range[2] = {used_[0], used_[1]};
  for (const float v : x) {
    const auto bits = std::bit_cast<std::uint32_t>(v);
    if ((bits & 0x7f800000U) == 0x7f800000U) continue;
    const std::uint32_t bin = bits >> dropped_bits;
    ++bin_[bin];
    Range& r = range[bits >> 31];
    r.low = std::min(r.low, bin);
    r.high = std::max(r.high, bin);
    ++count;
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

void SideCounts::reset(std::size_t units) {
  left.assign(units, 0);
  right.assign(units, 0);
  zero.assign(units, 0);
}

void count_sides(const Block& z, const Bounds& bounds, SideCounts& counts) {
  const float limits[] = {bounds.left, bounds.right, bounds.zero_left, bounds.zero_right};
  if (z.inner == 1) {
    for (std::size_t r = 0; r < z.rows; ++r) {
      HWY_DYNAMIC_DISPATCH(sides_across)
      (z.value.data() + r * z.units, z.units, limits, counts.left.data(), counts.right.data(), counts.zero.data());
    }
    return;
  }
  for (std::size_t r = 0; r < z.rows; ++r) {
    for (std::size_t u = 0; u < z.units; ++u) {
      const float* v = z.value.data() + (r * z.units + u) * z.inner;
      int left = 0, right = 0, zero = 0;
      for (std::size_t i = 0; i < z.inner; ++i) {
        left += v[i] <= bounds.left;
        right += v[i] >= bounds.right;
        zero += v[i] <= bounds.zero_left || v[i] >= bounds.zero_right;
      }
      counts.left[u] += static_cast<float>(left);
      counts.right[u] += static_cast<float>(right);
      counts.zero[u] += static_cast<float>(zero);
    }
  }
}

void largest_magnitudes(const Block& g, std::span<float> most) {
  if (g.inner == 1) {
    for (std::size_t r = 0; r < g.rows; ++r) {
      HWY_DYNAMIC_DISPATCH(magnitudes_across)(g.value.data() + r * g.units, g.units, most.data());
    }
    return;
  }
  for (std::size_t r = 0; r < g.rows; ++r) {
    for (std::size_t u = 0; u < g.units; ++u) {
      const float* v = g.value.data() + (r * g.units + u) * g.inner;
      for (std::size_t i = 0; i < g.inner; ++i) {
        if (std::isfinite(v[i])) most[u] = std::max(most[u], std::fabs(v[i]));
      }
    }
  }
}

void Covariance::add(const Block& y) {
  const std::size_t units = std::min(y.units, most_units);
  const std::size_t available = y.rows * y.inner, samples = std::min(available, most_samples);
  if (units < 2 || samples < 4) return;
  if (units != units_) {
    units_ = units;
    samples_ = 0;
    sum_.assign(units * units, 0);
  }
  // Centred within the sample, which a mean that moves in training does not disturb.
  std::vector<float> x(samples * units);
  for (std::size_t s = 0; s < samples; ++s) {
    const std::size_t at = s * available / samples, row = at / y.inner, inner = at % y.inner;
    for (std::size_t u = 0; u < units; ++u) {
      const std::size_t unit = u * y.units / units;
      const float v = y.value[(row * y.units + unit) * y.inner + inner];
      if (!std::isfinite(v)) return;
      x[u * samples + s] = v;
    }
  }
  std::vector<float> means(units);
  double variance = 0;  // summed over units
  for (std::size_t u = 0; u < units; ++u) {
    float mean = 0, squares = 0;
    for (std::size_t s = 0; s < samples; ++s) mean += x[u * samples + s];
    mean /= static_cast<float>(samples);
    for (std::size_t s = 0; s < samples; ++s) {
      x[u * samples + s] -= mean;
      squares += x[u * samples + s] * x[u * samples + s];
    }
    means[u] = mean;
    variance += squares / static_cast<float>(samples - 1);
  }
  // The places of one image are no samples of their own.
  compare_means(means, variance, std::max<std::size_t>(2, std::min(samples, y.rows)));
  constexpr double kept = 0.8;  // of older windows: about five count
  samples_ = kept * samples_ + static_cast<double>(samples - 1);
  for (std::size_t u = 0; u < units; ++u) {
    for (std::size_t v = 0; v <= u; ++v) {
      float lane[8] = {};
      std::size_t s = 0;
      for (; s + 8 <= samples; s += 8) {
        for (std::size_t k = 0; k < 8; ++k) lane[k] += x[u * samples + s + k] * x[v * samples + s + k];
      }
      double dot = 0;
      for (const float part : lane) dot += part;
      for (; s < samples; ++s) dot += x[u * samples + s] * x[v * samples + s];
      double& sum = sum_[u * units + v];
      sum = kept * sum + dot;
      sum_[v * units + u] = sum;
    }
  }
}

void Covariance::compare_means(const std::vector<float>& means, double variance, std::size_t samples) {
  constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  const double chance = variance / static_cast<double>(samples);
  double squares = 0, moves = 0;
  for (std::size_t u = 0; u < means.size(); ++u) {
    squares += static_cast<double>(means[u]) * means[u];
    if (means_.size() == means.size()) moves += (static_cast<double>(means[u]) - means_[u]) * (means[u] - means_[u]);
  }
  const auto over = [&](double sum, double by_chance) { return std::sqrt(std::max(0.0, sum - by_chance) / variance); };
  offset_ = variance > 0 ? over(squares, chance) : unknown;
  moved_ = variance > 0 && means_.size() == means.size() ? over(moves, 2 * chance) : unknown;
  means_ = means;
}

double Covariance::rank() const {
  if (units_ == 0) return std::numeric_limits<double>::quiet_NaN();
  double trace = 0, squares = 0;
  for (std::size_t u = 0; u < units_; ++u) trace += sum_[u * units_ + u];
  for (const double s : sum_) squares += s * s;
  if (!(trace > 0)) return std::numeric_limits<double>::quiet_NaN();
  // n samples of independent units add trace^2/n to the expected sum of squares: taken off again.
  const double corrected = std::max(squares - trace * trace / samples_, trace * trace / static_cast<double>(units_));
  return std::min(1.0, trace * trace / corrected / static_cast<double>(units_));
}

double Covariance::correlation() const {
  if (units_ == 0) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0, pairs = 0;
  for (std::size_t u = 0; u < units_; ++u) {
    for (std::size_t v = 0; v < u; ++v) {
      const double scale = sum_[u * units_ + u] * sum_[v * units_ + v];
      if (!(scale > 0)) continue;
      const double c = sum_[u * units_ + v];
      sum += std::sqrt(std::max(0.0, c * c / scale - 1 / samples_));
      pairs += 1;
    }
  }
  return pairs > 0 ? sum / pairs : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace ogee::monitor
#endif
