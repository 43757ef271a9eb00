#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dense/rows.cc"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "kernels/dense/rows.h"
#include "kernels/recurrent/vectors-inl.h"

#ifndef OGEE_DENSE_ROWS_TABLE
#define OGEE_DENSE_ROWS_TABLE
namespace ogee::kernels::dense {
struct RowsTable {
  decltype(&column_sums) sums;
  decltype(&over_root_mean_square) normalise;
  decltype(&over_root_mean_square_backward) normalise_backward;
  decltype(&cross_entropy) entropy;
  decltype(&long_cross_entropy) long_entropy;
};
}  // namespace ogee::kernels::dense
#endif

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {
namespace {

// A sum over a row is sixteen sums, of every sixteenth element each, and these in pairs, whatever a vector's width.
constexpr std::size_t ways = 16;
using D = hn::CappedTag<float, ways>;
constexpr std::size_t lanes = hn::MaxLanes(D());

template <class Part>
HWY_INLINE float in_pairs(Part, hn::Vec<Part> v) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (hn::MaxLanes(Part()) > 1) {
    const hn::Half<Part> half;
    return in_pairs(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  } else
#endif
    return hn::GetLane(v);
}
struct Sums {
  Sums() {
    for (Lane<D>& sum : part) sum = Lane<D>::constant(0.0);
  }
  float total() {
    for (std::size_t n = ways / lanes / 2; n > 0; n /= 2)
      for (std::size_t i = 0; i < n; ++i) part[i] = part[i] + part[i + n];
    return in_pairs(D(), part[0].v);
  }
  Lane<D> part[ways / lanes];
};
// f(place, its sum) for a row's vectors.
template <class F>
HWY_INLINE void for_sums(std::size_t n, Sums& sums, F f) {
  std::size_t j = 0;
  for (; j + ways <= n; j += ways)
    for (std::size_t i = 0; i < ways / lanes; ++i) f(Place<D, true>{j + i * lanes, lanes}, sums.part[i]);
  for (std::size_t i = 0; j < n; ++i, j += lanes) f(Place<D, false>{j, std::min(lanes, n - j)}, sums.part[i]);
}

// sum of a[j]*b[j]
HWY_INLINE float dot(std::size_t n, const float* a, const float* b) {
  Sums sums;
  for_sums(n, sums, [&](auto at, Lane<D>& sum) HWY_ATTR { sum = fused(read(a, at), read(b, at), sum); });
  return sums.total();
}

HWY_ATTR void sums(std::size_t rows, std::size_t columns, const float* x, std::ptrdiff_t stride, float* sum) {
  // Four vectors at a time: one would wait for itself.
  const auto strip = [&](std::size_t from, auto... vector) HWY_ATTR {
    constexpr std::size_t count = sizeof...(vector);
    Lane<D> total[count] = {((void)vector, Lane<D>::constant(0.0))...};
    const auto place = [&](std::size_t v) {
      const std::size_t at = from + v * lanes;
      return Place<D, false>{at, at < columns ? std::min(lanes, columns - at) : 0};
    };
    const float* row = x;
    if (from + count * lanes <= columns) {
      for (std::size_t i = 0; i < rows; ++i, row += stride)
        ((total[vector] = total[vector] + read(row, Place<D, true>{from + vector * lanes, lanes})), ...);
    } else {
      for (std::size_t i = 0; i < rows; ++i, row += stride)
        ((total[vector] = total[vector] + read(row, place(vector))), ...);
    }
    (write(total[vector], sum, place(vector)), ...);
  };
  for (std::size_t from = 0; from < columns; from += 4 * lanes)
    strip(from, std::integral_constant<std::size_t, 0>(), std::integral_constant<std::size_t, 1>(),
          std::integral_constant<std::size_t, 2>(), std::integral_constant<std::size_t, 3>());
}

template <class F>
HWY_INLINE void for_row(std::size_t n, F f) {
  std::size_t j = 0;
  for (; j + lanes <= n; j += lanes) f(Place<D, true>{j, lanes});
  if (j < n) f(Place<D, false>{j, n - j});
}

HWY_ATTR void normalise(std::size_t rows, std::size_t columns, float epsilon, const float* x, float* y, float* factor) {
  for (std::size_t i = 0; i < rows; ++i, x += columns, y += columns) {
    factor[i] = 1 / std::sqrt(dot(columns, x, x) / static_cast<float>(columns) + epsilon);
    const Lane<D> f = {hn::Set(D(), factor[i])};
    for_row(columns, [&](auto at) HWY_ATTR { write(read(x, at) * f, y, at); });
  }
}

HWY_ATTR void normalise_backward(std::size_t rows, std::size_t columns, const float* x, const float* factor,
                                 const float* dy, float* dx) {
  for (std::size_t i = 0; i < rows; ++i, x += columns, dy += columns, dx += columns) {
    const float f = factor[i], share = f * f * f * (dot(columns, x, dy) / static_cast<float>(columns));
    const Lane<D> straight = {hn::Set(D(), f)}, around = {hn::Set(D(), -share)};
    for_row(columns, [&](auto at) HWY_ATTR { write(fused(read(x, at), around, read(dy, at) * straight), dx, at); });
  }
}

// exp(x - least) of a place, which is added to the sum. Places that do not exist are not.
template <bool whole>
HWY_INLINE Lane<D> add_power(const float* x, Lane<D> least, Place<D, whole> at, Lane<D>& sum) {
  Lane<D> power = exp(read(x, at) - least);
  if constexpr (!whole) power.v = hn::IfThenElseZero(hn::FirstN(D(), at.n), power.v);
  sum = sum + power;
  return power;
}

// A row in each lane: nothing is added up across lanes, and rows are short.
HWY_ATTR double entropy(std::size_t rows, std::size_t columns, const float* x, const std::int64_t* y, float* dx) {
  using Full = hn::ScalableTag<float>;
  const Full d;
  const hn::RebindToSigned<Full> integers;
  const std::size_t at_once = hn::Lanes(d);
  const float share = 1 / static_cast<float>(rows);
  thread_local std::vector<float> memory;
  if (memory.size() < columns * at_once) memory.resize(columns * at_once);
  float* const shares = memory.data();
  double loss = 0;
  for (std::size_t first = 0; first < rows; first += at_once) {
    const std::size_t count = std::min(at_once, rows - first);
    // The last row again in lanes that have none.
    const auto lane = hn::Min(hn::Iota(integers, 0), hn::Set(integers, static_cast<std::int32_t>(count - 1)));
    const auto place = hn::Mul(lane, hn::Set(integers, static_cast<std::int32_t>(columns)));
    const float* const from = x + first * columns;
    Lane<Full> high = {hn::GatherIndex(d, from, place)};
    for (std::size_t j = 1; j < columns; ++j) high.v = hn::Max(high.v, hn::GatherIndex(d, from + j, place));
    Lane<Full> total = Lane<Full>::constant(0.0);
    for (std::size_t j = 0; j < columns; ++j) {
      const Lane<Full> power = exp(Lane<Full>{hn::GatherIndex(d, from + j, place)} - high);
      hn::StoreU(power.v, d, shares + j * at_once);
      total = total + power;
    }
    HWY_ALIGN float highest[hn::MaxLanes(Full())], sum[hn::MaxLanes(Full())];
    hn::Store(high.v, d, highest);
    hn::Store(total.v, d, sum);
    const auto factor = hn::Div(hn::Set(d, share), total.v);
    for (std::size_t j = 0; j < columns; ++j)
      hn::StoreU(hn::Mul(hn::LoadU(d, shares + j * at_once), factor), d, shares + j * at_once);
    for (std::size_t r = 0; r < count; ++r) {
      const std::size_t i = first + r;
      float* const out = dx + i * columns;
      for (std::size_t j = 0; j < columns; ++j) out[j] = shares[j * at_once + r];
      out[y[i]] -= share;
      loss += std::log(static_cast<double>(sum[r])) + static_cast<double>(highest[r]) -
              static_cast<double>(x[i * columns + static_cast<std::size_t>(y[i])]);
    }
  }
  return loss / static_cast<double>(rows);
}

// Vectors along a row, which stays in the first-level cache: its largest element, the powers and their sum, the shares.
HWY_ATTR double long_entropy(std::size_t rows, std::size_t columns, const float* x, const std::int64_t* y, float* dx) {
  std::size_t asked = 0;
  for (std::size_t i = 0; i < rows; ++i) asked += y[i] >= 0 ? 1 : 0;
  const float share = 1 / static_cast<float>(asked);
  double loss = 0;
  for (std::size_t i = 0; i < rows; ++i, x += columns, dx = dx == nullptr ? nullptr : dx + columns) {
    if (y[i] < 0) {
      if (dx != nullptr) std::fill_n(dx, columns, 0.0F);
      continue;
    }
    const auto answer = static_cast<std::size_t>(y[i]);
    const float asked_for = x[answer];
    auto high = hn::Set(D(), x[0]);
    std::size_t j = 0;
    for (; j + lanes <= columns; j += lanes) high = hn::Max(high, hn::LoadU(D(), x + j));
    float highest = x[0];
    HWY_ALIGN float each[lanes];
    hn::Store(high, D(), each);
    for (const float one : each) highest = std::max(highest, one);
    for (; j < columns; ++j) highest = std::max(highest, x[j]);
    const Lane<D> least = {hn::Set(D(), highest)};
    Sums sums;
    if (dx == nullptr) {
      for_sums(columns, sums, [&](auto at, Lane<D>& sum) HWY_ATTR { add_power(x, least, at, sum); });
    } else {
      for_sums(columns, sums, [&](auto at, Lane<D>& sum) HWY_ATTR { write(add_power(x, least, at, sum), dx, at); });
    }
    const float total = sums.total();
    loss += std::log(static_cast<double>(total)) + static_cast<double>(highest) - static_cast<double>(asked_for);
    if (dx == nullptr) continue;
    const Lane<D> factor = {hn::Set(D(), share / total)};
    for_row(columns, [&](auto at) HWY_ATTR { write(read(dx, at) * factor, dx, at); });
    dx[answer] -= share;
  }
  return loss / static_cast<double>(asked);
}

}  // namespace

kernels::dense::RowsTable dense_rows() { return {sums, normalise, normalise_backward, entropy, long_entropy}; }

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee {
HWY_EXPORT(dense_rows);

namespace kernels::dense {

void column_sums(std::size_t rows, std::size_t columns, const float* x, std::ptrdiff_t stride, float* sum) {
  HWY_DYNAMIC_DISPATCH(dense_rows)().sums(rows, columns, x, stride, sum);
}
void over_root_mean_square(std::size_t rows, std::size_t columns, float epsilon, const float* x, float* y,
                           float* factor) {
  HWY_DYNAMIC_DISPATCH(dense_rows)().normalise(rows, columns, epsilon, x, y, factor);
}
void over_root_mean_square_backward(std::size_t rows, std::size_t columns, const float* x, const float* factor,
                                    const float* dy, float* dx) {
  HWY_DYNAMIC_DISPATCH(dense_rows)().normalise_backward(rows, columns, x, factor, dy, dx);
}
double cross_entropy(std::size_t rows, std::size_t columns, const float* x, const std::int64_t* y, float* dx) {
  return HWY_DYNAMIC_DISPATCH(dense_rows)().entropy(rows, columns, x, y, dx);
}
double long_cross_entropy(std::size_t rows, std::size_t columns, const float* x, const std::int64_t* y, float* dx) {
  return HWY_DYNAMIC_DISPATCH(dense_rows)().long_entropy(rows, columns, x, y, dx);
}

}  // namespace kernels::dense
}  // namespace ogee
#endif
