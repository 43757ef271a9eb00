// Products with the arctangent's gates.
#if defined(OGEE_QUICK_GATED_ARCTAN_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_GATED_ARCTAN_INL_H
#undef OGEE_QUICK_GATED_ARCTAN_INL_H
#else
#define OGEE_QUICK_GATED_ARCTAN_INL_H
#endif

#include "kernels/quick/learned_arctan-inl.h"
#include "kernels/quick/learned_gates-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

template <>
struct QuickValue<Xatglu> : Quick, Expansion {
  ArctanTail tail;
  HWY_INLINE bool load(const double* p) {
    tail.load();
    expand(p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(abs(x[0]) <= 1e37, y); }
  HWY_INLINE Float operator()(const Float* x) const {
    const auto p = ArctanPoint::of(x[0]);
    const Float m = factor * x[1];
    const Float quotient = m / p.size, k = select(p.far, quotient, m);
#if OGEE_AVX512_TARGET
    const Float y = tail.times(k, tail.place(p));
#else
    const Float rest = select(p.far, fused_minus(quotient, p.size, m) * p.inverse, 0.0);
    const Float y = tail.times_exactly(k, rest, tail.place(p));
#endif
    return fused(minus_alpha, x[1], select(x[0] < 0.0, y, m - y));
  }
};

template <>
struct QuickSlopes<Xatglu> : QuickAll, Expansion {
  ArctanTail tail;
  HWY_INLINE bool load(const double* p) {
    tail.load();
    expand(p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return finite(abs(x[0]) <= 1e9, x[1]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto p = ArctanPoint::of(x[0]);
    const auto at = tail.place(p);
    const Float y = tail.times(select(p.far, p.inverse, 1.0), at);
    // 1/(pi (1 + x^2))
    d[0] = ((factor * 0.31830988618379067154) * reciprocal(fused(x[0], x[0], 1.0))) * x[1];
    d[1] = fused(factor, select(x[0] < 0.0, y, 1.0 - y), minus_alpha);
    const Float m = times_sign(x[1], x[0]);
    d[2] = select(p.far, m * fused_minus(y, 2.0, Float::constant(1.0)), tail.near(m, at));
  }
};

// a (g (1 + 2 alpha) - alpha) b
template <>
struct QuickValue<XatgluSecond> : Quick {
  ArctanTail tail;
  Float factor, minus_alpha;
  HWY_INLINE bool load(const double* p) {
    tail.load();
    factor = Float::constant(1 + 2 * p[0]);
    minus_alpha = Float::constant(-p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const {
    return OGEE_AVX512_TARGET ? finite(is_finite(x[0]), y) : finite_product(is_finite(x[0]), y);
  }
  HWY_INLINE Float operator()(const Float* x) const {
    const auto p = ArctanPoint::of(x[0]);
    const FloatTruth left = x[0] < 0.0;
    // a b g(-|a|): beyond 1 the table's function times w a b = b or -b.
    const Float m = x[0] * x[1], rest = fused(x[0], x[1], -m);
    const Float y =
        tail.times_exactly(select(p.far, times_sign(x[1], x[0]), m), select(p.far, 0.0, rest), tail.place(p));
    return fused(factor, select(left, y, m - (y - rest)), minus_alpha * m);
  }
};

template <>
struct QuickSlopes<XatgluSecond> : QuickAll {
  ArctanSlope slope;
  ArctanTail tail;
  Float factor, minus_alpha;
  HWY_INLINE bool load(const double* p) {
    slope.load();
    tail.load();
    factor = Float::constant(1 + 2 * p[0]);
    minus_alpha = Float::constant(-p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return finite(abs(x[0]) <= 1e9, x[1]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto p = ArctanPoint::of(x[0]);
    const auto at = tail.place(p);
    const FloatTruth left = x[0] < 0.0;
    const Float s = slope(p), y = tail.times(select(p.far, 1.0, p.size), at);
    d[0] = fused(factor, select(left, s, 1.0 - s), minus_alpha) * x[1];
    d[1] = fused(factor, select(left, -y, x[0] - y), minus_alpha * x[0]);
    const Float centred =
        select(p.far, fused_minus(tail.times(p.inverse, at), 2.0, Float::constant(1.0)), tail.near(at));
    d[2] = ((0.5 * p.size) * x[1]) * (2.0 * centred);  // in an order that neither overflows nor loses small products
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
