// Sums and dot products of chosen rows.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sparse/rows.cc"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/convert.h"
#include "kernels/sparse/rows.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using kernels::sparse::Dot;
using kernels::sparse::Sum;

template <class D, class V = hn::Vec<D>>
HWY_INLINE V fused(D, V a, V b, V c) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(D(), std::fma(hn::GetLane(a), hn::GetLane(b), hn::GetLane(c)));
#else
  return hn::MulAdd(a, b, c);
#endif
}

template <class D>
HWY_INLINE hn::Vec<D> load(D d, const hn::TFromD<D>* p) {
  return hn::LoadU(d, p);
}
HWY_INLINE hn::Vec<hn::ScalableTag<float>> load(hn::ScalableTag<float> d, const std::uint16_t* p) {
  const hn::RebindToUnsigned<decltype(d)> du;
  const hn::Rebind<std::uint16_t, decltype(d)> d16;
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(d16, p))));
}
// The first n elements, zeros behind: for the end of a row, beyond which nothing may be read.
template <class D, class W>
HWY_INLINE hn::Vec<D> load_end(D d, const W* p, std::size_t n) {
  HWY_ALIGN W end[HWY_MAX_BYTES / sizeof(W)] = {};
  for (std::size_t i = 0; i < n; ++i) end[i] = p[i];
  return load(d, end);
}

// Loops over k < K, unrolled by hand (GCC's -O2 would not): everything stays in registers.
template <std::size_t K, std::size_t k = 0, class D>
HWY_INLINE void broadcast(D d, const hn::TFromD<D>* c, hn::Vec<D>* out) {
  out[k] = hn::Set(d, c[k]);
  if constexpr (k + 1 < K) broadcast<K, k + 1>(d, c, out);
}
// What to fetch while a row is used, so that the jump to the next one, which the processor cannot foresee, costs
// nothing. For one output: the rows that come next, K of them.
template <class W>
struct NextRows {
  static constexpr std::size_t line = 64 / sizeof(W);
  const W* row[4];
  template <std::size_t K, std::size_t k = 0>
  HWY_INLINE void step(std::size_t i) {
    hwy::Prefetch(row[k] + i);
    if constexpr (k + 1 < K) step<K, k + 1>(i);
  }
};
// For several: the active rows of the next tile, a few lines at a time, into the second-level cache.
template <class W>
struct NextTile {
  static constexpr std::size_t line = 64 / sizeof(W);
  const W* weights;
  std::size_t width, columns;
  const std::uint32_t *at, *end;
  std::size_t each, column = 0;
  template <std::size_t K>
  HWY_INLINE void step(std::size_t) {
    for (std::size_t e = 0; e < each && at != end; ++e) {
      __builtin_prefetch(weights + *at * width + column, 0, 2);
      column += line;
      if (column >= columns) {
        column = 0;
        ++at;
      }
    }
  }
};

template <std::size_t K, std::size_t k = 0, class D, class W>
HWY_INLINE hn::Vec<D> chain(D d, const hn::Vec<D>* c, const W* const* row, std::size_t i, hn::Vec<D> sum) {
  const hn::Vec<D> next = fused(d, c[k], load(d, row[k] + i), sum);
  if constexpr (k + 1 < K) {
    return chain<K, k + 1>(d, c, row, i, next);
  } else {
    return next;
  }
}
template <std::size_t K, std::size_t k = 0, class D, class W>
HWY_INLINE hn::Vec<D> chain_end(D d, const hn::Vec<D>* c, const W* const* row, std::size_t i, std::size_t n,
                                hn::Vec<D> sum) {
  const hn::Vec<D> next = fused(d, c[k], load_end(d, row[k] + i, n), sum);
  if constexpr (k + 1 < K) {
    return chain_end<K, k + 1>(d, c, row, i, n, next);
  } else {
    return next;
  }
}

// y[i] = fma(c[K-1], row[K-1][i], ... fma(c[0], row[0][i], y[i])); y has room up to a multiple of the vector.
template <std::size_t K, class W, class A, class Ahead>
HWY_INLINE void add_rows(const W* const* rows, Ahead& ahead, const A* factors, A* HWY_RESTRICT y, std::size_t n) {
  const hn::ScalableTag<A> d;
  const std::size_t lanes = hn::Lanes(d);
  constexpr std::size_t line = 64 / sizeof(W);
  hn::Vec<decltype(d)> c[K];
  broadcast<K>(d, factors, c);
  const W* row[K];
  for (std::size_t k = 0; k < K; ++k) row[k] = rows[k];
  std::size_t i = 0;
  for (; i + line <= n && line >= lanes; i += line) {
    ahead.template step<K>(i);
    std::size_t j = i;
    for (; j + 2 * lanes <= i + line; j += 2 * lanes) {
      const auto s0 = chain<K>(d, c, row, j, hn::LoadU(d, y + j));
      const auto s1 = chain<K>(d, c, row, j + lanes, hn::LoadU(d, y + j + lanes));
      hn::StoreU(s0, d, y + j);
      hn::StoreU(s1, d, y + j + lanes);
    }
    for (; j < i + line; j += lanes) hn::StoreU(chain<K>(d, c, row, j, hn::LoadU(d, y + j)), d, y + j);
  }
  for (; i + lanes <= n; i += lanes) hn::StoreU(chain<K>(d, c, row, i, hn::LoadU(d, y + i)), d, y + i);
  if (i < n) hn::StoreU(chain_end<K>(d, c, row, i, n - i, hn::LoadU(d, y + i)), d, y + i);
}

// Calls work<K>(place of the first pair, rows) for groups of 4, 2 and 1 pairs.
template <class W, class Ahead, class Work>
HWY_INLINE void in_groups(const std::uint32_t* index, std::size_t begin, std::size_t end, const W* weights,
                          std::size_t width, Ahead& ahead, const Work& work) {
  const W* row[4];
  std::size_t p = begin;
  const auto aim = [&](std::size_t k) {
    for (std::size_t j = 0; j < k; ++j) row[j] = weights + index[p + j] * width;
    if constexpr (std::is_same_v<Ahead, NextRows<W>>) {
      for (std::size_t j = 0; j < k; ++j) ahead.row[j] = weights + index[std::min(p + k + j, end - 1)] * width;
    }
  };
  for (; p + 4 <= end; p += 4) {
    aim(4);
    work.template run<4>(p, row, ahead);
  }
  if (p + 2 <= end) {
    aim(2);
    work.template run<2>(p, row, ahead);
    p += 2;
  }
  if (p < end) {
    aim(1);
    work.template run<1>(p, row, ahead);
  }
}

template <class A>
struct AddTo {
  const A* values;
  A* y;
  std::size_t n;
  template <std::size_t K, class W, class Ahead>
  HWY_INLINE void run(std::size_t p, const W* const* row, Ahead& ahead) const {
    add_rows<K>(row, ahead, values + p, y, n);
  }
};

// Units [first, last) in tiles, which all tokens use before the next one. ranges(from, to) settles every token's pairs
// of these units and says how many groups they make; use(token, ahead) uses them. With `used`, the active units in
// order, a tile is that many active ones; without, that many of all.
struct Tiles {
  const std::uint32_t *used, *used_end;
  std::size_t tile, first, last;
};
template <class W, class Ranges, class Use>
HWY_INLINE void through_tiles(const Tiles& t, const W* weights, std::size_t width, std::size_t columns,
                              std::size_t tokens, const Ranges& ranges, const Use& use) {
  if (t.used == nullptr) {
    NextRows<W> ahead;
    for (std::size_t unit = t.first; unit < t.last; unit += t.tile) {
      ranges(unit, std::min(unit + t.tile, t.last));
      for (std::size_t o = 0; o < tokens; ++o) use(o, ahead);
    }
    return;
  }
  constexpr std::size_t line = 64 / sizeof(W);
  const std::uint32_t* at = std::lower_bound(t.used, t.used_end, t.first);
  const std::uint32_t* end = std::lower_bound(at, t.used_end, t.last);
  while (at < end) {
    const auto left = static_cast<std::size_t>(end - at);
    const std::uint32_t* next = at + std::min(t.tile, left);
    const std::uint32_t* behind = next + std::min<std::size_t>(t.tile, static_cast<std::size_t>(end - next));
    const std::size_t groups = ranges(*at, next < end ? *next : t.last);
    const auto lines = static_cast<std::size_t>(behind - next) * ((columns + line - 1) / line);
    const std::size_t steps = std::max<std::size_t>(groups * (columns / line), 1);
    NextTile<W> ahead{weights, width, columns, next, behind, (lines + steps - 1) / steps};
    for (std::size_t o = 0; o < tokens; ++o) use(o, ahead);
    at = next;
  }
}

HWY_INLINE void put(const float* in, std::size_t n, std::uint16_t* out) { kernels::float_to_bfloat16(in, n, out); }
template <class A>
HWY_INLINE void put(const A* in, std::size_t n, A* out) {
  std::memcpy(out, in, n * sizeof(A));
}

template <class W, class A, class Out>
HWY_ATTR void sum_piece(const Sum<W, A, Out>& job) {
  const std::size_t lanes = hn::Lanes(hn::ScalableTag<A>());
  const std::size_t columns = job.to - job.from, outputs = job.last - job.first;
  const std::size_t padded = (columns + lanes - 1) / lanes * lanes;
  thread_local std::vector<A> sums;
  thread_local std::vector<std::size_t> begin, end;
  sums.resize(std::max(sums.size(), outputs * padded));
  end.assign(job.begin + job.first, job.begin + job.last);
  for (std::size_t o = 0; o < outputs; ++o) {
    A* y = sums.data() + o * padded;
    std::fill_n(y, padded, A{0});
    if (job.bias != nullptr) std::copy_n(job.bias + job.from, columns, y);
  }
  const W* weights = job.weights + job.from;
  const auto ranges = [&](std::size_t, std::size_t to) {
    std::size_t groups = 0;
    begin = end;
    for (std::size_t o = 0; o < outputs; ++o) {
      const std::size_t last = job.begin[job.first + o + 1];
      if (to >= job.rows) {
        end[o] = last;
      } else {
        while (end[o] < last && job.index[end[o]] < to) ++end[o];
      }
      groups += (end[o] - begin[o] + 3) / 4;
    }
    return groups;
  };
  const auto use = [&](std::size_t o, auto& ahead) HWY_ATTR {
    const AddTo<A> work{job.values, sums.data() + o * padded, columns};
    in_groups(job.index, begin[o], end[o], weights, job.width, ahead, work);
  };
  through_tiles({job.used, job.used_end, job.tile, 0, job.rows}, weights, job.width, columns, outputs, ranges, use);
  for (std::size_t o = 0; o < outputs; ++o) {
    put(sums.data() + o * padded, columns, job.y + (job.first + o) * job.width + job.from);
  }
}

// Each row's product with one vector of x, added to that row's sum.
template <std::size_t K, std::size_t k = 0, class D, class W>
HWY_INLINE void multiply(D d, const W* const* row, std::size_t i, hn::Vec<D> x, hn::Vec<D>* sum) {
  sum[k] = fused(d, load(d, row[k] + i), x, sum[k]);
  if constexpr (k + 1 < K) multiply<K, k + 1>(d, row, i, x, sum);
}
template <std::size_t K, std::size_t k = 0, class D, class W>
HWY_INLINE void multiply_end(D d, const W* const* row, std::size_t i, std::size_t n, hn::Vec<D> x, hn::Vec<D>* sum) {
  sum[k] = fused(d, load_end(d, row[k] + i, n), x, sum[k]);
  if constexpr (k + 1 < K) multiply_end<K, k + 1>(d, row, i, n, x, sum);
}
template <std::size_t K, std::size_t k = 0, class D>
HWY_INLINE void add_sums(D d, const hn::Vec<D>* s0, const hn::Vec<D>* s1, hn::TFromD<D>* out) {
  out[k] += hn::GetLane(hn::SumOfLanes(d, hn::Add(s0[k], s1[k])));
  if constexpr (k + 1 < K) add_sums<K, k + 1>(d, s0, s1, out);
}
template <std::size_t K, std::size_t k = 0, class D>
HWY_INLINE void clear(D d, hn::Vec<D>* sum) {
  sum[k] = hn::Zero(d);
  if constexpr (k + 1 < K) clear<K, k + 1>(d, sum);
}

// K dot products with one x, which has zeros up to a multiple of the vector, added to out.
template <std::size_t K, class W, class A, class Ahead>
HWY_INLINE void dot_rows(const W* const* rows, Ahead& ahead, const A* HWY_RESTRICT x, std::size_t n, A* out) {
  const hn::ScalableTag<A> d;
  const std::size_t lanes = hn::Lanes(d);
  constexpr std::size_t line = 64 / sizeof(W);
  hn::Vec<decltype(d)> s0[K], s1[K];
  clear<K>(d, s0);
  clear<K>(d, s1);
  const W* row[K];
  for (std::size_t k = 0; k < K; ++k) row[k] = rows[k];
  std::size_t i = 0;
  for (; i + 2 * line <= n && 2 * line >= 2 * lanes; i += 2 * line) {
    ahead.template step<K>(i);
    ahead.template step<K>(i + line);
    for (std::size_t j = i; j < i + 2 * line; j += 2 * lanes) {
      multiply<K>(d, row, j, hn::LoadU(d, x + j), s0);
      multiply<K>(d, row, j + lanes, hn::LoadU(d, x + j + lanes), s1);
    }
  }
  for (; i + lanes <= n; i += lanes) multiply<K>(d, row, i, hn::LoadU(d, x + i), s0);
  if (i < n) multiply_end<K>(d, row, i, n - i, hn::LoadU(d, x + i), s1);
  add_sums<K>(d, s0, s1, out);
}

template <class A>
struct DotWith {
  A* values;
  const A* x;
  std::size_t n;
  template <std::size_t K, class W, class Ahead>
  HWY_INLINE void run(std::size_t p, const W* const* row, Ahead& ahead) const {
    dot_rows<K>(row, ahead, x, n, values + p);
  }
};

template <class W, class A>
HWY_ATTR void dot_piece(const Dot<W, A>& job) {
  thread_local std::vector<std::size_t> begin, end;
  begin.resize(job.tokens);
  end.resize(job.tokens);
  const auto ranges = [&](std::size_t from, std::size_t to) {
    std::size_t groups = 0;
    for (std::size_t t = 0; t < job.tokens; ++t) {
      const std::uint32_t* all_end = job.index + job.begin[t + 1];
      const std::uint32_t* first = std::lower_bound(job.index + job.begin[t], all_end, from);
      begin[t] = static_cast<std::size_t>(first - job.index);
      end[t] = static_cast<std::size_t>(std::lower_bound(first, all_end, to) - job.index);
      for (std::size_t p = begin[t]; p < end[t]; ++p) {
        job.values[p] = job.bias == nullptr ? A{0} : job.bias[job.index[p]];
      }
      groups += (end[t] - begin[t] + 3) / 4;
    }
    return groups;
  };
  const auto use = [&](std::size_t t, auto& ahead) HWY_ATTR {
    const DotWith<A> work{job.values, job.x + t * job.x_stride, job.width};
    in_groups(job.index, begin[t], end[t], job.weights, job.width, ahead, work);
  };
  through_tiles({job.used, job.used_end, job.tile, job.first, job.last}, job.weights, job.width, job.width, job.tokens,
                ranges, use);
}

template <class A>
HWY_ATTR std::size_t scan_places(const A* z, std::size_t n, bool positive, std::uint32_t* out) {
  const hn::ScalableTag<A> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto zero = hn::Zero(d);
  std::size_t count = 0, i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = hn::LoadU(d, z + i);
    // Neither is true of NaN.
    const auto off = positive ? hn::Le(v, zero) : hn::Eq(v, zero);
    std::uint8_t bytes[8] = {};
    hn::StoreMaskBits(d, hn::Not(off), bytes);
    std::uint64_t bits;
    std::memcpy(&bits, bytes, 8);
    for (; bits != 0; bits &= bits - 1) {
      out[count++] = static_cast<std::uint32_t>(i + static_cast<std::size_t>(__builtin_ctzll(bits)));
    }
  }
  for (; i < n; ++i) {
    const bool off = positive ? z[i] <= 0 : z[i] == 0;
    if (!off) out[count++] = static_cast<std::uint32_t>(i);
  }
  return count;
}

}  // namespace

HWY_ATTR void sparse_sum_f(const Sum<float, float, float>& job) { sum_piece(job); }
HWY_ATTR void sparse_sum_d(const Sum<double, double, double>& job) { sum_piece(job); }
HWY_ATTR void sparse_sum_b(const Sum<std::uint16_t, float, float>& job) { sum_piece(job); }
HWY_ATTR void sparse_sum_to_b(const Sum<float, float, std::uint16_t>& job) { sum_piece(job); }
HWY_ATTR void sparse_dot_f(const Dot<float, float>& job) { dot_piece(job); }
HWY_ATTR void sparse_dot_d(const Dot<double, double>& job) { dot_piece(job); }
HWY_ATTR void sparse_dot_b(const Dot<std::uint16_t, float>& job) { dot_piece(job); }
HWY_ATTR std::size_t sparse_scan_f(const float* z, std::size_t n, bool positive, std::uint32_t* out) {
  return scan_places(z, n, positive, out);
}
HWY_ATTR std::size_t sparse_scan_d(const double* z, std::size_t n, bool positive, std::uint32_t* out) {
  return scan_places(z, n, positive, out);
}

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee {
HWY_EXPORT(sparse_sum_f);
HWY_EXPORT(sparse_sum_d);
HWY_EXPORT(sparse_sum_b);
HWY_EXPORT(sparse_sum_to_b);
HWY_EXPORT(sparse_dot_f);
HWY_EXPORT(sparse_dot_d);
HWY_EXPORT(sparse_dot_b);
HWY_EXPORT(sparse_scan_f);
HWY_EXPORT(sparse_scan_d);

namespace kernels::sparse {

void sum(const Sum<float, float, float>& job) { HWY_DYNAMIC_DISPATCH(sparse_sum_f)(job); }
void sum(const Sum<double, double, double>& job) { HWY_DYNAMIC_DISPATCH(sparse_sum_d)(job); }
void sum(const Sum<std::uint16_t, float, float>& job) { HWY_DYNAMIC_DISPATCH(sparse_sum_b)(job); }
void sum(const Sum<float, float, std::uint16_t>& job) { HWY_DYNAMIC_DISPATCH(sparse_sum_to_b)(job); }
void dot(const Dot<float, float>& job) { HWY_DYNAMIC_DISPATCH(sparse_dot_f)(job); }
void dot(const Dot<double, double>& job) { HWY_DYNAMIC_DISPATCH(sparse_dot_d)(job); }
void dot(const Dot<std::uint16_t, float>& job) { HWY_DYNAMIC_DISPATCH(sparse_dot_b)(job); }
std::size_t scan(const float* z, std::size_t n, bool positive, std::uint32_t* out) {
  return HWY_DYNAMIC_DISPATCH(sparse_scan_f)(z, n, positive, out);
}
std::size_t scan(const double* z, std::size_t n, bool positive, std::uint32_t* out) {
  return HWY_DYNAMIC_DISPATCH(sparse_scan_d)(z, n, positive, out);
}

}  // namespace kernels::sparse
}  // namespace ogee
#endif
