// Functions as 32 polynomials looked up in registers: on AVX-512 a permute of two registers finds a coefficient for
// each of 16 lanes. src/kernels/quick/ makes whole functions of them; here they serve as the primitives of float32
// arithmetic. Lanes outside a table's range, and NaN, take the formula instead.
#if defined(OGEE_PIECEWISE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_PIECEWISE_INL_H
#undef OGEE_PIECEWISE_INL_H
#else
#define OGEE_PIECEWISE_INL_H
#endif

#include <cstddef>
#include <utility>

#include "lanes/simd-inl.h"
#include "lanes/tables.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

using SingleTag = hn::ScalableTag<float>;
using Float = Lane<SingleTag>;
using FloatTruth = Truth<SingleTag>;

#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86

template <class Table>
class Piecewise {
 public:
  HWY_INLINE void load() { load(std::make_index_sequence<Table::size>()); }
  // The function at z, low <= z <= high.
  HWY_INLINE Float operator()(Float z) const {
    const Float shifted = fused(z, Float::constant(Table::steps), 12582912.0);
    const __m512i interval = _mm512_castps_si512(shifted.v.raw);
    const Float t = z - look_up(centre_, interval);
    return horner<0>(t, interval);
  }
  // m times the function at z. The sum's large part, m c_0, and the rest meet in one rounding, where m times a rounded
  // sum would have two.
  HWY_INLINE Float times(Float m, Float z) const {
    const Float shifted = fused(z, Float::constant(Table::steps), 12582912.0);
    const __m512i interval = _mm512_castps_si512(shifted.v.raw);
    const Float t = z - look_up(centre_, interval);
    return fused(m, look_up(c_[0], interval), (m * t) * horner<1>(t, interval));
  }

 private:
  struct Pair {
    __m512 low, high;
  };
  template <std::size_t... I>
  HWY_INLINE void load(std::index_sequence<I...>) {
    load(centre_, Table::centre);
    (load(c_[I], Table::c[I]), ...);
  }
  static HWY_INLINE void load(Pair& pair, const float* p) {
    pair.low = _mm512_loadu_ps(p);
    pair.high = _mm512_loadu_ps(p + 16);
  }
  static HWY_INLINE Float look_up(const Pair& pair, __m512i interval) {
    return {hn::Vec<SingleTag>{_mm512_permutex2var_ps(pair.low, interval, pair.high)}};
  }
  template <std::size_t I>
  HWY_INLINE Float horner(Float t, __m512i interval) const {
    const Float c = look_up(c_[I], interval);
    if constexpr (I + 1 == Table::size) {
      return c;
    } else {
      return fused(horner<I + 1>(t, interval), t, c);
    }
  }
  Pair centre_;
  Pair c_[Table::size];
};

template <class Table>
HWY_INLINE Float clamped(Float x) {
  return at_most(abs(x), Table::high);
}
// A gate g(x) with g(x) + g(-x) = 1, from its negative side.
template <class Table>
struct SymmetricGate {
  Piecewise<Table> tail;
  HWY_INLINE void load() { tail.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return x >= -Table::trusted; }
  HWY_INLINE Float operator()(Float x) const {
    const Float p = tail(clamped<Table>(x));
    return select(x < 0.0, p, 1.0 - p);
  }
  // m*g(x) for finite m
  HWY_INLINE Float times(Float m, Float x) const {
    const Float p = tail.times(m, clamped<Table>(x));
    return select(x < 0.0, p, m - p);
  }
};
struct TanhForm {
  Piecewise<tables::TanhRatio> ratio;
  HWY_INLINE void load() { ratio.load(); }
  HWY_INLINE Float operator()(Float x) const {
    const Float z = clamped<tables::TanhRatio>(x);
    return with_sign_of(select(z >= 9.02, 1.0, ratio.times(z, z)), x);
  }
};
// An even function that falls off; outside the table's range only its tail.
template <class Table>
struct EvenForm {
  Piecewise<Table> side;
  HWY_INLINE void load() { side.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) <= Table::high; }
  HWY_INLINE Float operator()(Float x) const { return side(abs(x)); }
};

// The primitives: by table where all lanes are inside it.
HWY_INLINE Float tanh(Float x) {
  TanhForm form;
  form.load();
  return form(x);
}
#define OGEE_BY_TABLE(function, Form)                                                               \
  inline HWY_NOINLINE HWY_ATTR Float function##_outside(Float x) { return function<SingleTag>(x); } \
  HWY_INLINE Float function(Float x) {                                                              \
    Form form;                                                                                      \
    form.load();                                                                                    \
    const FloatTruth inside = form.inside(x);                                                       \
    const Float y = form(x);                                                                        \
    if (HWY_LIKELY(hn::AllTrue(SingleTag(), inside.m))) return y;                                   \
    return select(inside, y, function##_outside(x));                                                \
  }
OGEE_BY_TABLE(sech2, EvenForm<tables::TanhSlope>)
OGEE_BY_TABLE(sigmoid, SymmetricGate<tables::SigmoidTail>)
OGEE_BY_TABLE(sigmoid_slope, EvenForm<tables::SigmoidSlope>)
#undef OGEE_BY_TABLE
#endif  // AVX-512

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
