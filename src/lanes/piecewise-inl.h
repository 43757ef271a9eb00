// Functions as 32 polynomials (registers-inl.h). src/kernels/quick/ makes whole functions of them; here they serve as
// the primitives of float32 arithmetic. Lanes outside a table's range, and NaN, take the formula instead.
#if defined(OGEE_PIECEWISE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_PIECEWISE_INL_H
#undef OGEE_PIECEWISE_INL_H
#else
#define OGEE_PIECEWISE_INL_H
#endif

#include "lanes/registers-inl.h"
#include "lanes/simd-inl.h"
#include "lanes/tables.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

template <class Table>
class Piecewise {
 public:
  HWY_INLINE void load() { table_.load(); }
  // The function at z, low <= z <= high.
  HWY_INLINE Float operator()(Float z) const {
    const auto found = table_.find(interval(z));
    return found.template horner<0>(z - found.centre());
  }
  // m times the function at z. The sum's large part, m c_0, and the rest meet in one rounding, where m times a rounded
  // sum would have two.
  HWY_INLINE Float times(Float m, Float z) const {
    const auto found = table_.find(interval(z));
    const Float t = z - found.centre();
    return fused(m, found.template c<0>(), (m * t) * found.template horner<1>(t));
  }

 private:
  static HWY_INLINE Float interval(Float z) { return fused(z, Float::constant(Table::steps), integer_shift); }
  Polynomials<Table> table_;
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

#if OGEE_AVX512_TARGET  // elsewhere the formulas are faster
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
#endif

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
