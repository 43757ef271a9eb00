#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sparse/overlap.cc"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <type_traits>
#include <vector>

#include "hwy/highway.h"
#include "kernels/sparse/overlap.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using kernels::sparse::Overlap;
using kernels::sparse::OverlapRows;
using kernels::sparse::OverlapUnits;

// Calls body(tag, i) for i in [first, last): whole vectors, then one at a time.
template <class T, class Body>
HWY_INLINE void across(std::size_t first, std::size_t last, Body body) {
  const hn::ScalableTag<T> d;
  std::size_t i = first;
  for (; i + hn::Lanes(d) <= last; i += hn::Lanes(d)) body(d, i);
  for (; i < last; ++i) body(hn::CappedTag<T, 1>(), i);
}

template <class D>
HWY_INLINE hn::Vec<D> sign_of(D d, hn::Vec<D> v) {
  const auto zero = hn::Zero(d), one = hn::Set(d, 1);
  return hn::Sub(hn::IfThenElseZero(hn::Gt(v, zero), one), hn::IfThenElseZero(hn::Lt(v, zero), one));
}

// What a row and a unit have in common.
template <class D>
struct Pair {
  hn::Vec<D> rectified, overlap;  // max(x.w + b, 0) and J
  hn::Vec<D> firing;              // 1 where x.w + b > 0, else 0
  hn::Vec<D> top, bottom;         // J's numerator and denominator
  hn::Vec<D> inverse;             // 1/denominator; 0 where that is 0
};

template <class T>
class Rows {
 public:
  Rows(const OverlapRows<T>& x, const OverlapUnits<T>& w, std::size_t first, std::size_t last)
      : x_(x), w_(w), first_(first), last_(last), dot_(last - first), common_(last - first) {}

  template <class Body>
  HWY_INLINE void for_values(std::size_t row, Body body) const {
    const std::size_t begin = x_.begin ? static_cast<std::size_t>(x_.begin[row]) : row * x_.features;
    const std::size_t end = x_.begin ? static_cast<std::size_t>(x_.begin[row + 1]) : begin + x_.features;
    for (std::size_t k = begin; k < end; ++k) {
      body(k, x_.begin ? static_cast<std::size_t>(x_.column[k]) : k - begin, x_.values ? x_.values[k] : T{1});
    }
  }

  // Sums over the row's values: x.w and m for each unit, and X, |x|^2 or |x|_1.
  HWY_ATTR void gather(std::size_t row) {
    std::fill(dot_.begin(), dot_.end(), T{0});
    std::fill(common_.begin(), common_.end(), T{0});
    size_ = 0;
    const bool ruzicka = w_.overlap == Overlap::ruzicka;
    for_values(row, [&](std::size_t, std::size_t feature, T value) HWY_ATTR {
      size_ += ruzicka ? value : w_.overlap == Overlap::tanimoto ? value * value : value < 0 ? -value : value;
      const T* weight = w_.weight + feature * w_.units;
      across<T>(first_, last_, [&](auto d, std::size_t u) HWY_ATTR {
        const auto v = hn::Set(d, value), w = hn::LoadU(d, weight + u);
        T* dot = dot_.data() + (u - first_);
        hn::StoreU(hn::MulAdd(v, w, hn::LoadU(d, dot)), d, dot);
        if (!ruzicka) return;
        T* common = common_.data() + (u - first_);
        hn::StoreU(hn::Add(hn::LoadU(d, common), hn::Min(v, hn::Max(w, hn::Zero(d)))), d, common);
      });
    });
  }

  template <class D>
  HWY_INLINE Pair<D> pair(D d, std::size_t u) const {
    const auto zero = hn::Zero(d), one = hn::Set(d, 1);
    const auto dot = hn::LoadU(d, dot_.data() + (u - first_));
    const auto linear = w_.bias ? hn::Add(dot, hn::LoadU(d, w_.bias + u)) : dot;
    Pair<D> p;
    p.rectified = hn::Max(linear, zero);
    p.firing = hn::IfThenElseZero(hn::Gt(linear, zero), one);
    p.top = w_.overlap == Overlap::ruzicka ? hn::LoadU(d, common_.data() + (u - first_)) : dot;
    p.bottom = hn::Sub(hn::Add(hn::Set(d, size_), hn::LoadU(d, w_.size + u)), p.top);
    p.inverse = hn::IfThenZeroElse(hn::Eq(p.bottom, zero), hn::Div(one, p.bottom));
    p.overlap = hn::Mul(p.top, p.inverse);
    return p;
  }

 private:
  const OverlapRows<T>& x_;
  const OverlapUnits<T>& w_;
  const std::size_t first_, last_;
  std::vector<T> dot_, common_;
  T size_ = 0;
};

}  // namespace

template <class T>
HWY_ATTR void sizes(Overlap overlap, const T* weight, std::size_t features, std::size_t units, std::size_t first,
                    std::size_t last, T* size) {
  std::fill(size + first, size + last, T{0});
  for (std::size_t i = 0; i < features; ++i) {
    across<T>(first, last, [&](auto d, std::size_t u) HWY_ATTR {
      const auto w = hn::LoadU(d, weight + i * units + u);
      const auto part = overlap == Overlap::ruzicka    ? hn::Max(w, hn::Zero(d))
                        : overlap == Overlap::tanimoto ? hn::Mul(w, w)
                                                       : hn::Abs(w);
      hn::StoreU(hn::Add(hn::LoadU(d, size + u), part), d, size + u);
    });
  }
}

template <class T>
HWY_ATTR void forward(const OverlapRows<T>& x, const OverlapUnits<T>& w, std::size_t first, std::size_t last, T* z) {
  Rows<T> rows(x, w, 0, w.units);
  for (std::size_t r = first; r < last; ++r) {
    rows.gather(r);
    across<T>(0, w.units, [&](auto d, std::size_t u) HWY_ATTR {
      const auto p = rows.pair(d, u);
      hn::StoreU(hn::Mul(p.rectified, p.overlap), d, z + r * w.units + u);
    });
  }
}

// With q = dz*rectified and c = dz*J*firing, a row adds to the gradient of w_i
//   Ruzicka      c x_i + q (1/M + m/M^2) [0 < w_i < x_i]   and to all with w_i > 0   -q m/M^2
//   Tanimoto     (c + q (D + N)/D^2) x_i                   and to all                w_i times -2 q N/D^2
//   L1 Tanimoto  (c + q (D + N)/D^2) x_i                   and to all                sign(w_i) times -q N/D^2
template <class T>
HWY_ATTR void backward_weights(const OverlapRows<T>& x, const OverlapUnits<T>& w, std::size_t rows, const T* dz,
                               std::size_t first, std::size_t last, T* dweight, T* dbias) {
  const std::size_t count = last - first;
  const bool ruzicka = w.overlap == Overlap::ruzicka;
  std::vector<T> all(count), linear(count), inside(count);
  Rows<T> gathered(x, w, first, last);
  for (std::size_t r = 0; r < rows; ++r) {
    gathered.gather(r);
    across<T>(first, last, [&](auto d, std::size_t u) HWY_ATTR {
      const auto p = gathered.pair(d, u);
      const auto g = hn::LoadU(d, dz + r * w.units + u);
      const auto q = hn::Mul(g, p.rectified);
      const auto c = hn::Mul(hn::Mul(g, p.overlap), p.firing);
      const auto down = hn::Mul(q, hn::Mul(p.overlap, p.inverse));  // q m/M^2
      const auto up = hn::Mul(q, p.inverse);                        // q/M
      T* sum = all.data() + (u - first);
      const auto less = w.overlap == Overlap::tanimoto ? hn::Add(down, down) : down;
      hn::StoreU(hn::Sub(hn::LoadU(d, sum), less), d, sum);
      hn::StoreU(ruzicka ? c : hn::Add(c, hn::Add(up, down)), d, linear.data() + (u - first));
      hn::StoreU(hn::Add(up, down), d, inside.data() + (u - first));
      if (dbias) hn::StoreU(hn::Add(hn::LoadU(d, dbias + u), c), d, dbias + u);
    });
    if (!dweight) continue;
    gathered.for_values(r, [&](std::size_t, std::size_t feature, T value) HWY_ATTR {
      const T* weight = w.weight + feature * w.units;
      T* gradient = dweight + feature * w.units;
      across<T>(first, last, [&](auto d, std::size_t u) HWY_ATTR {
        const auto v = hn::Set(d, value), own = hn::LoadU(d, weight + u);
        auto add = hn::Mul(v, hn::LoadU(d, linear.data() + (u - first)));
        if (ruzicka) {
          const auto between = hn::And(hn::Gt(own, hn::Zero(d)), hn::Lt(own, v));
          add = hn::Add(add, hn::IfThenElseZero(between, hn::LoadU(d, inside.data() + (u - first))));
        }
        hn::StoreU(hn::Add(hn::LoadU(d, gradient + u), add), d, gradient + u);
      });
    });
  }
  if (!dweight) return;
  for (std::size_t i = 0; i < x.features; ++i) {
    across<T>(first, last, [&](auto d, std::size_t u) HWY_ATTR {
      const auto own = hn::LoadU(d, w.weight + i * w.units + u), sum = hn::LoadU(d, all.data() + (u - first));
      const auto add = ruzicka                          ? hn::IfThenElseZero(hn::Gt(own, hn::Zero(d)), sum)
                       : w.overlap == Overlap::tanimoto ? hn::Mul(own, sum)
                                                        : hn::Mul(sign_of(d, own), sum);
      T* gradient = dweight + i * w.units + u;
      hn::StoreU(hn::Add(hn::LoadU(d, gradient), add), d, gradient);
    });
  }
}

// A value's gradient sums over units
//   Ruzicka      c w_i + (x_i < w_i+ ? q/M : -q m/M^2)
//   Tanimoto     (c + q (D + N)/D^2) w_i - 2 q N/D^2 x_i
//   L1 Tanimoto  (c + q (D + N)/D^2) w_i - q N/D^2 sign(x_i)
template <class T>
HWY_ATTR void backward_values(const OverlapRows<T>& x, const OverlapUnits<T>& w, std::size_t first, std::size_t last,
                              const T* dz, T* dvalues) {
  const bool ruzicka = w.overlap == Overlap::ruzicka;
  std::vector<T> linear(w.units), up(w.units), down(w.units);
  Rows<T> rows(x, w, 0, w.units);
  for (std::size_t r = first; r < last; ++r) {
    rows.gather(r);
    across<T>(0, w.units, [&](auto d, std::size_t u) HWY_ATTR {
      const auto p = rows.pair(d, u);
      const auto g = hn::LoadU(d, dz + r * w.units + u);
      const auto q = hn::Mul(g, p.rectified);
      const auto c = hn::Mul(hn::Mul(g, p.overlap), p.firing);
      const auto falls = hn::Mul(q, hn::Mul(p.overlap, p.inverse)), rises = hn::Mul(q, p.inverse);
      hn::StoreU(ruzicka ? c : hn::Add(c, hn::Add(rises, falls)), d, linear.data() + u);
      hn::StoreU(rises, d, up.data() + u);
      hn::StoreU(w.overlap == Overlap::tanimoto ? hn::Add(falls, falls) : falls, d, down.data() + u);
    });
    rows.for_values(r, [&](std::size_t at, std::size_t feature, T value) HWY_ATTR {
      const T* weight = w.weight + feature * w.units;
      const T factor = w.overlap == Overlap::tanimoto ? value : static_cast<T>((value > 0) - (value < 0));
      T sum = 0;
      across<T>(0, w.units, [&](auto d, std::size_t u) HWY_ATTR {
        const auto own = hn::LoadU(d, weight + u);
        auto part = hn::Mul(own, hn::LoadU(d, linear.data() + u));
        const auto rises = hn::LoadU(d, up.data() + u), falls = hn::LoadU(d, down.data() + u);
        if (ruzicka) {
          const auto below = hn::Lt(hn::Set(d, value), hn::Max(own, hn::Zero(d)));
          part = hn::Add(part, hn::IfThenElse(below, rises, hn::Neg(falls)));
        } else {
          part = hn::Sub(part, hn::Mul(falls, hn::Set(d, factor)));
        }
        sum += hn::GetLane(hn::SumOfLanes(d, part));
      });
      dvalues[at] = sum;
    });
  }
}

// Tables of functions are made of names, not of templates.
#define OGEE_OVERLAP(T, name)                                                                                          \
  HWY_ATTR void sizes_##name(Overlap overlap, const T* weight, std::size_t features, std::size_t units,                \
                             std::size_t first, std::size_t last, T* size) {                                           \
    sizes(overlap, weight, features, units, first, last, size);                                                        \
  }                                                                                                                    \
  HWY_ATTR void forward_##name(const OverlapRows<T>& x, const OverlapUnits<T>& w, std::size_t first, std::size_t last, \
                               T* z) {                                                                                 \
    forward(x, w, first, last, z);                                                                                     \
  }                                                                                                                    \
  HWY_ATTR void weights_##name(const OverlapRows<T>& x, const OverlapUnits<T>& w, std::size_t rows, const T* dz,       \
                               std::size_t first, std::size_t last, T* dweight, T* dbias) {                            \
    backward_weights(x, w, rows, dz, first, last, dweight, dbias);                                                     \
  }                                                                                                                    \
  HWY_ATTR void values_##name(const OverlapRows<T>& x, const OverlapUnits<T>& w, std::size_t first, std::size_t last,  \
                              const T* dz, T* dvalues) {                                                               \
    backward_values(x, w, first, last, dz, dvalues);                                                                   \
  }
OGEE_OVERLAP(float, float)
OGEE_OVERLAP(double, double)
#undef OGEE_OVERLAP

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee {
HWY_EXPORT(sizes_float);
HWY_EXPORT(sizes_double);
HWY_EXPORT(forward_float);
HWY_EXPORT(forward_double);
HWY_EXPORT(weights_float);
HWY_EXPORT(weights_double);
HWY_EXPORT(values_float);
HWY_EXPORT(values_double);

namespace kernels::sparse {

#define OGEE_DISPATCH(T, name)                                                                                         \
  template <>                                                                                                          \
  void overlap_sizes(Overlap overlap, const T* weight, std::size_t features, std::size_t units, std::size_t first,     \
                     std::size_t last, T* size) {                                                                      \
    HWY_DYNAMIC_DISPATCH(sizes_##name)(overlap, weight, features, units, first, last, size);                           \
  }                                                                                                                    \
  template <>                                                                                                          \
  void overlap_forward(const OverlapRows<T>& x, const OverlapUnits<T>& w, std::size_t first, std::size_t last, T* z) { \
    HWY_DYNAMIC_DISPATCH(forward_##name)(x, w, first, last, z);                                                        \
  }                                                                                                                    \
  template <>                                                                                                          \
  void overlap_backward_weights(const OverlapRows<T>& x, const OverlapUnits<T>& w, std::size_t rows, const T* dz,      \
                                std::size_t first, std::size_t last, T* dweight, T* dbias) {                           \
    HWY_DYNAMIC_DISPATCH(weights_##name)(x, w, rows, dz, first, last, dweight, dbias);                                 \
  }                                                                                                                    \
  template <>                                                                                                          \
  void overlap_backward_values(const OverlapRows<T>& x, const OverlapUnits<T>& w, std::size_t first, std::size_t last, \
                               const T* dz, T* dvalues) {                                                              \
    HWY_DYNAMIC_DISPATCH(values_##name)(x, w, first, last, dz, dvalues);                                               \
  }
OGEE_DISPATCH(float, float)
OGEE_DISPATCH(double, double)
#undef OGEE_DISPATCH

}  // namespace kernels::sparse
}  // namespace ogee
#endif
