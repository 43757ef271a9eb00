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

// Sums in float of a few dozen terms a lane at most, so that they stay exact to about six digits.
constexpr std::size_t terms = 64;

// n floats as vectors, `pad` behind the last one.
template <class F>
HWY_INLINE void for_vectors(const float* x, std::size_t n, float pad, F f) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) f(hn::LoadU(d, x + i));
  if (i == n) return;
  HWY_ALIGN float rest[HWY_MAX_BYTES / sizeof(float)];
  for (std::size_t k = 0; k < lanes; ++k) rest[k] = i + k < n ? x[i + k] : pad;
  f(hn::Load(d, rest));
}

// Sums of the first four powers of x - pivot. A number that is not finite, or whose power is none, makes the last one
// so.
HWY_ATTR void power_sums(const float* x, std::size_t n, float pivot, double* sums) {
  const D d;
  const auto centre = hn::Set(d, pivot);
  const std::size_t stretch = terms * hn::Lanes(d);
  for (std::size_t i = 0; i < n; i += stretch) {
    auto a1 = hn::Zero(d), a2 = a1, a3 = a1, a4 = a1, b1 = a1, b2 = a1, b3 = a1, b4 = a1;
    for_vectors(x + i, std::min(stretch, n - i), pivot, [&](auto raw) HWY_ATTR {
      const auto v = hn::Sub(raw, centre), v2 = hn::Mul(v, v);
      // Two of each, in turns: one would wait for itself.
      const auto s1 = hn::Add(b1, v), s2 = hn::Add(b2, v2), s3 = hn::MulAdd(v2, v, b3), s4 = hn::MulAdd(v2, v2, b4);
      b1 = a1, b2 = a2, b3 = a3, b4 = a4;
      a1 = s1, a2 = s2, a3 = s3, a4 = s4;
    });
    sums[0] += hn::GetLane(hn::SumOfLanes(d, hn::Add(a1, b1)));
    sums[1] += hn::GetLane(hn::SumOfLanes(d, hn::Add(a2, b2)));
    sums[2] += hn::GetLane(hn::SumOfLanes(d, hn::Add(a3, b3)));
    sums[3] += hn::GetLane(hn::SumOfLanes(d, hn::Add(a4, b4)));
  }
}

// The first two of these, and how many numbers are 0.
HWY_ATTR void spread_sums(const float* x, std::size_t n, float pivot, double* sums, std::size_t* zeros) {
  const D d;
  const auto centre = hn::Set(d, pivot), nothing = hn::Zero(d);
  const std::size_t lanes = hn::Lanes(d), stretch = terms * lanes;
  std::size_t none = 0;
  for (std::size_t i = 0; i < n; i += stretch) {
    auto a1 = nothing, a2 = nothing, b1 = nothing, b2 = nothing;
    for_vectors(x + i, std::min(stretch, n - i), pivot, [&](auto raw) HWY_ATTR {
      none += hn::CountTrue(d, hn::Eq(raw, nothing));
      const auto v = hn::Sub(raw, centre), s1 = hn::Add(b1, v), s2 = hn::Add(b2, hn::Mul(v, v));
      b1 = a1, b2 = a2;
      a1 = s1, a2 = s2;
    });
    sums[0] += hn::GetLane(hn::SumOfLanes(d, hn::Add(a1, b1)));
    sums[1] += hn::GetLane(hn::SumOfLanes(d, hn::Add(a2, b2)));
  }
  *zeros += none - (pivot == 0 ? (lanes - n % lanes) % lanes : 0);  // less those behind the last one
}

// The sum of squares, not finite where some number is not.
HWY_ATTR void square_sums(const float* x, std::size_t n, double* squares) {
  const D d;
  const std::size_t stretch = terms * hn::Lanes(d);
  for (std::size_t i = 0; i < n; i += stretch) {
    auto a = hn::Zero(d), b = a;
    for_vectors(x + i, std::min(stretch, n - i), 0, [&](auto v) HWY_ATTR {
      const auto sum = hn::MulAdd(v, v, b);
      b = a;
      a = sum;
    });
    *squares += hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
  }
}

// Rows of units side by side.
HWY_ATTR void sides_across(const float* z, std::size_t rows, std::size_t stride, std::size_t n, const float* bounds,
                           float* left, float* right, float* zero) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const auto l = hn::Set(d, bounds[0]), r = hn::Set(d, bounds[1]), zl = hn::Set(d, bounds[2]),
             zr = hn::Set(d, bounds[3]);
  const auto one = hn::Set(d, 1.0F), nothing = hn::Zero(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto on_left = nothing, on_right = nothing, flat = nothing;
    for (std::size_t row = 0; row < rows; ++row) {
      const auto v = hn::LoadU(d, z + row * stride + i);
      on_left = hn::Add(on_left, hn::IfThenElseZero(hn::Le(v, l), one));
      on_right = hn::Add(on_right, hn::IfThenElseZero(hn::Ge(v, r), one));
      flat = hn::Add(flat, hn::IfThenElseZero(hn::Or(hn::Le(v, zl), hn::Ge(v, zr)), one));
    }
    hn::StoreU(hn::Add(hn::LoadU(d, left + i), on_left), d, left + i);
    hn::StoreU(hn::Add(hn::LoadU(d, right + i), on_right), d, right + i);
    hn::StoreU(hn::Add(hn::LoadU(d, zero + i), flat), d, zero + i);
  }
  for (; i < n; ++i) {
    for (std::size_t row = 0; row < rows; ++row) {
      const float v = z[row * stride + i];
      left[i] += v <= bounds[0] ? 1.0F : 0.0F;
      right[i] += v >= bounds[1] ? 1.0F : 0.0F;
      zero[i] += v <= bounds[2] || v >= bounds[3] ? 1.0F : 0.0F;
    }
  }
}

// One unit's numbers.
HWY_ATTR void sides_along(const float* z, std::size_t n, const float* bounds, float* counts) {
  const D d;
  const auto l = hn::Set(d, bounds[0]), r = hn::Set(d, bounds[1]), zl = hn::Set(d, bounds[2]),
             zr = hn::Set(d, bounds[3]);
  std::size_t left = 0, right = 0, zero = 0;
  for_vectors(z, n, std::numeric_limits<float>::quiet_NaN(), [&](auto v) HWY_ATTR {
    left += hn::CountTrue(d, hn::Le(v, l));
    right += hn::CountTrue(d, hn::Ge(v, r));
    zero += hn::CountTrue(d, hn::Or(hn::Le(v, zl), hn::Ge(v, zr)));
  });
  counts[0] = static_cast<float>(left);
  counts[1] = static_cast<float>(right);
  counts[2] = static_cast<float>(zero);
}

template <class V>
HWY_INLINE V finite_magnitude(V x) {
  return hn::IfThenElseZero(hn::IsFinite(x), hn::Abs(x));
}

HWY_ATTR void magnitudes_across(const float* g, std::size_t rows, std::size_t stride, std::size_t n, float* most) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto largest = hn::LoadU(d, most + i);
    for (std::size_t row = 0; row < rows; ++row)
      largest = hn::Max(largest, finite_magnitude(hn::LoadU(d, g + row * stride + i)));
    hn::StoreU(largest, d, most + i);
  }
  for (; i < n; ++i) {
    for (std::size_t row = 0; row < rows; ++row) {
      const float v = g[row * stride + i];
      if (std::isfinite(v)) most[i] = std::max(most[i], std::fabs(v));
    }
  }
}

// The same with the sum of squares; where that is not finite, some of the largest ones may be missing.
HWY_ATTR void squares_across(const float* g, std::size_t rows, std::size_t stride, std::size_t n, float* most,
                             double* squares) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto largest = hn::LoadU(d, most + i);
    for (std::size_t begin = 0; begin < rows; begin += 4 * terms) {
      const std::size_t end = std::min(rows, begin + 4 * terms);
      auto a = hn::Zero(d), b = a, c = a, e = a;
      std::size_t row = begin;
      for (; row + 4 <= end; row += 4) {
        const float* const at = g + row * stride + i;
        const auto p = hn::LoadU(d, at), q = hn::LoadU(d, at + stride), r = hn::LoadU(d, at + 2 * stride),
                   s = hn::LoadU(d, at + 3 * stride);
        a = hn::MulAdd(p, p, a);
        b = hn::MulAdd(q, q, b);
        c = hn::MulAdd(r, r, c);
        e = hn::MulAdd(s, s, e);
        largest = hn::Max(largest, hn::Max(hn::Max(hn::Abs(p), hn::Abs(q)), hn::Max(hn::Abs(r), hn::Abs(s))));
      }
      for (; row < end; ++row) {
        const auto p = hn::LoadU(d, g + row * stride + i);
        a = hn::MulAdd(p, p, a);
        largest = hn::Max(largest, hn::Abs(p));
      }
      *squares += hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
    }
    if (!std::isfinite(*squares)) return;
    hn::StoreU(largest, d, most + i);
  }
  for (; i < n; ++i) {
    for (std::size_t row = 0; row < rows; ++row) {
      const float v = g[row * stride + i];
      *squares += static_cast<double>(v) * v;
      most[i] = std::max(most[i], std::isfinite(v) ? std::fabs(v) : 0.0F);
    }
  }
}

HWY_ATTR float largest_along(const float* g, std::size_t n) {
  const D d;
  auto largest = hn::Zero(d);
  for_vectors(g, n, 0, [&](auto v) HWY_ATTR { largest = hn::Max(largest, finite_magnitude(v)); });
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

// The sum, and the sum of magnitudes.
HWY_ATTR void sign_sums(const float* x, std::size_t n, double* sums) {
  const D d;
  auto sum = hn::Zero(d), magnitudes = sum;
  for_vectors(x, n, 0, [&](auto v) HWY_ATTR {
    sum = hn::Add(sum, v);
    magnitudes = hn::Add(magnitudes, hn::Abs(v));
  });
  sums[0] = hn::GetLane(hn::SumOfLanes(d, sum));
  sums[1] = hn::GetLane(hn::SumOfLanes(d, magnitudes));
}

// Sums of squares of what is now, of the way from before to now, of the last way; the product of the two ways. `last`
// becomes this way.
HWY_ATTR void way_sums(const float* now, const float* before, float* last, std::size_t n, double* sums) {
  const D d;
  const std::size_t lanes = hn::Lanes(d), stretch = terms * lanes;
  for (std::size_t begin = 0; begin < n; begin += stretch) {
    auto size = hn::Zero(d), way = size, old = size, product = size;
    for (std::size_t i = begin; i < std::min(n, begin + stretch); i += lanes) {  // all padded with zeros
      const auto here = hn::LoadU(d, now + i), step = hn::Sub(here, hn::LoadU(d, before + i)),
                 was = hn::LoadU(d, last + i);
      size = hn::MulAdd(here, here, size);
      way = hn::MulAdd(step, step, way);
      old = hn::MulAdd(was, was, old);
      product = hn::MulAdd(step, was, product);
      hn::StoreU(step, d, last + i);
    }
    sums[0] += hn::GetLane(hn::SumOfLanes(d, size));
    sums[1] += hn::GetLane(hn::SumOfLanes(d, way));
    sums[2] += hn::GetLane(hn::SumOfLanes(d, old));
    sums[3] += hn::GetLane(hn::SumOfLanes(d, product));
  }
}

}  // namespace ogee::monitor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee::monitor {
HWY_EXPORT(power_sums);
HWY_EXPORT(spread_sums);
HWY_EXPORT(square_sums);
HWY_EXPORT(squares_across);
HWY_EXPORT(sides_across);
HWY_EXPORT(sides_along);
HWY_EXPORT(magnitudes_across);
HWY_EXPORT(largest_along);
HWY_EXPORT(sign_sums);
HWY_EXPORT(way_sums);

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

namespace {

// A value that lies among them, as powers of large numbers would drown what differs.
float pivot_of(const View& x) {
  const std::size_t n = std::min<std::size_t>(x.width(), 64);
  float sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += x.data[i];
  return std::isfinite(sum) ? sum / static_cast<float>(n) : 0;
}

// Numbers among which some are not finite, or too large for the quick way.
Moments slow_moments_of(const View& x) {
  Moments m;
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t r = 0; r < x.rows; ++r) {
      for (std::size_t i = 0; i < x.width(); ++i) {
        const double v = x.row(r)[i];
        if (!std::isfinite(v)) continue;
        if (pass == 0) {
          m.n += 1;
          m.mean += v;
        } else {
          const double off = v - m.mean;
          m.m2 += off * off;
          m.m3 += off * off * off;
          m.m4 += off * off * off * off;
        }
      }
    }
    if (pass == 0 && m.n > 0) m.mean /= m.n;
  }
  return m;
}

Sums slow_sums_of(const View& x) {
  Sums s;
  for (std::size_t r = 0; r < x.rows; ++r) {
    for (std::size_t i = 0; i < x.width(); ++i) {
      const double v = x.row(r)[i];
      if (!std::isfinite(v)) continue;
      s.n += 1;
      s.squares += v * v;
    }
  }
  return s;
}

// Calls f with pieces that lie in one.
template <class F>
void for_stretches(const View& x, F f) {
  if (x.dense()) {
    f(x.data, x.count());
    return;
  }
  for (std::size_t r = 0; r < x.rows; ++r) f(x.row(r), x.width());
}

}  // namespace

Moments moments_of(const View& x) {
  if (x.count() == 0) return {};
  const float pivot = pivot_of(x);
  double s[4] = {};
  for_stretches(x, [&](const float* at, std::size_t n) { HWY_DYNAMIC_DISPATCH(power_sums)(at, n, pivot, s); });
  if (!std::isfinite(s[3])) return slow_moments_of(x);
  Moments result;
  const double n = static_cast<double>(x.count()), off = s[0] / n;
  result.n = n;
  result.mean = pivot + off;
  result.m2 = std::max(0.0, s[1] - n * off * off);
  result.m3 = s[2] - 3 * off * s[1] + 2 * n * off * off * off;
  result.m4 = std::max(0.0, s[3] - 4 * off * s[2] + 6 * off * off * s[1] - 3 * n * off * off * off * off);
  return result;
}

Sums sums_of(const View& x) {
  Sums result;
  for_stretches(x, [&](const float* at, std::size_t n) { HWY_DYNAMIC_DISPATCH(square_sums)(at, n, &result.squares); });
  if (!std::isfinite(result.squares)) return slow_sums_of(x);
  result.n = static_cast<double>(x.count());
  return result;
}

Sums sums_and_magnitudes(const View& g, std::span<float> most) {
  if (g.inner == 1) {
    Sums result;
    HWY_DYNAMIC_DISPATCH(squares_across)(g.data, g.rows, g.stride, g.units, most.data(), &result.squares);
    result.n = static_cast<double>(g.count());
    if (std::isfinite(result.squares)) return result;
  }
  largest_magnitudes(g, most);
  return sums_of(g);
}

Spread spread_of(const View& x) {
  Spread result;
  if (x.count() == 0) return result;
  const float pivot = pivot_of(x);
  double s[2] = {};
  std::size_t zeros = 0;
  for_stretches(x, [&](const float* at, std::size_t n) { HWY_DYNAMIC_DISPATCH(spread_sums)(at, n, pivot, s, &zeros); });
  result.zeros = static_cast<double>(zeros);
  Moments& m = result.moments;
  if (!std::isfinite(s[1])) {
    m = slow_moments_of(x);
    m.m3 = m.m4 = 0;
    return result;
  }
  const double n = static_cast<double>(x.count()), off = s[0] / n;
  m.n = n;
  m.mean = pivot + off;
  m.m2 = std::max(0.0, s[1] - n * off * off);
  return result;
}

SignSums sign_sums_of(std::span<const float> x) {
  double sums[2];
  HWY_DYNAMIC_DISPATCH(sign_sums)(x.data(), x.size(), sums);
  return {sums[0], sums[1]};
}

WaySums way_sums_of(const std::vector<float>& now, const std::vector<float>& before, std::vector<float>& last) {
  double sums[4] = {};
  HWY_DYNAMIC_DISPATCH(way_sums)(now.data(), before.data(), last.data(), now.size(), sums);
  return {sums[0], sums[1], sums[2], sums[3]};
}

void SideCounts::reset(std::size_t units) {
  left.assign(units, 0);
  right.assign(units, 0);
  zero.assign(units, 0);
}

void count_sides(const View& z, const Bounds& bounds, SideCounts& counts) {
  const float limits[] = {bounds.left, bounds.right, bounds.zero_left, bounds.zero_right};
  if (z.inner == 1) {
    HWY_DYNAMIC_DISPATCH(sides_across)
    (z.data, z.rows, z.stride, z.units, limits, counts.left.data(), counts.right.data(), counts.zero.data());
    return;
  }
  for (std::size_t r = 0; r < z.rows; ++r) {
    for (std::size_t u = 0; u < z.units; ++u) {
      float here[3];
      HWY_DYNAMIC_DISPATCH(sides_along)(z.row(r) + u * z.inner, z.inner, limits, here);
      counts.left[u] += here[0];
      counts.right[u] += here[1];
      counts.zero[u] += here[2];
    }
  }
}

void largest_magnitudes(const View& g, std::span<float> most) {
  if (g.inner == 1) {
    HWY_DYNAMIC_DISPATCH(magnitudes_across)(g.data, g.rows, g.stride, g.units, most.data());
    return;
  }
  for (std::size_t r = 0; r < g.rows; ++r) {
    for (std::size_t u = 0; u < g.units; ++u)
      most[u] = std::max(most[u], HWY_DYNAMIC_DISPATCH(largest_along)(g.row(r) + u * g.inner, g.inner));
  }
}

}  // namespace ogee::monitor
#endif
