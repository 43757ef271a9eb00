// The SIMD number: Lane<D>, whatever fits a vector, with arithmetic, comparisons and what the primitives (simd-inl.h)
// are made with. Three kinds of arithmetic share it: float, double and Wide, which is double with shorter polynomials.
#if defined(OGEE_LANE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_LANE_INL_H
#undef OGEE_LANE_INL_H
#else
#define OGEE_LANE_INL_H
#endif

#include <cmath>
#include <limits>
#include <type_traits>

#include "lanes/coefficients.h"
#include "lanes/targets.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The tag of Wide arithmetic.
struct Wide : hn::ScalableTag<double> {};
template <class D>
inline constexpr bool is_wide = std::is_same_v<D, Wide>;
template <class D>
struct Lane {
  using T = hn::TFromD<D>;
  using P = coefficients::Polynomials<std::conditional_t<is_wide<D>, coefficients::Wide, T>>;
  hn::Vec<D> v;
  static HWY_INLINE Lane constant(double c) { return {hn::Set(D(), static_cast<T>(c))}; }
  static HWY_INLINE Lane constant(Lane c) { return c; }
};

template <class D>
struct Truth {
  hn::Mask<D> m;
};

// a*b + c and c - a*b, rounded once.
template <class D>
HWY_INLINE Lane<D> fused(Lane<D> a, Lane<D> b, Lane<D> c) {
#if HWY_TARGET == HWY_SCALAR
  return {hn::Set(D(), std::fma(hn::GetLane(a.v), hn::GetLane(b.v), hn::GetLane(c.v)))};
#else
  return {hn::MulAdd(a.v, b.v, c.v)};
#endif
}
template <class D>
HWY_INLINE Lane<D> fused(Lane<D> a, Lane<D> b, double c) {
  return fused(a, b, Lane<D>::constant(c));
}
template <class D>
HWY_INLINE Lane<D> fused(double a, Lane<D> b, double c) {
  return fused(Lane<D>::constant(a), b, Lane<D>::constant(c));
}
template <class D>
HWY_INLINE Lane<D> fused_minus(Lane<D> a, double b, Lane<D> c) {
#if HWY_TARGET == HWY_SCALAR
  using T = hn::TFromD<D>;
  return {hn::Set(D(), std::fma(-hn::GetLane(a.v), static_cast<T>(b), hn::GetLane(c.v)))};
#else
  return {hn::NegMulAdd(a.v, Lane<D>::constant(b).v, c.v)};
#endif
}

template <class D>
HWY_INLINE Lane<D> fused_minus(Lane<D> a, Lane<D> b, Lane<D> c) {
  return fused(Lane<D>{hn::Neg(a.v)}, b, c);
}

template <class D>
HWY_INLINE Lane<D> operator-(Lane<D> a) {
  return {hn::Neg(a.v)};
}
#define OGEE_ARITHMETIC(op, name)                        \
  template <class D>                                     \
  HWY_INLINE Lane<D> operator op(Lane<D> a, Lane<D> b) { \
    return {hn::name(a.v, b.v)};                         \
  }                                                      \
  template <class D>                                     \
  HWY_INLINE Lane<D> operator op(Lane<D> a, double b) {  \
    return {hn::name(a.v, Lane<D>::constant(b).v)};      \
  }                                                      \
  template <class D>                                     \
  HWY_INLINE Lane<D> operator op(double a, Lane<D> b) {  \
    return {hn::name(Lane<D>::constant(a).v, b.v)};      \
  }
OGEE_ARITHMETIC(+, Add)
OGEE_ARITHMETIC(-, Sub)
OGEE_ARITHMETIC(*, Mul)
OGEE_ARITHMETIC(/, Div)
#undef OGEE_ARITHMETIC
#define OGEE_COMPARE(op, name)                            \
  template <class D>                                      \
  HWY_INLINE Truth<D> operator op(Lane<D> a, Lane<D> b) { \
    return {hn::name(a.v, b.v)};                          \
  }                                                       \
  template <class D>                                      \
  HWY_INLINE Truth<D> operator op(Lane<D> a, double b) {  \
    return {hn::name(a.v, Lane<D>::constant(b).v)};       \
  }                                                       \
  template <class D>                                      \
  HWY_INLINE Truth<D> operator op(double a, Lane<D> b) {  \
    return {hn::name(Lane<D>::constant(a).v, b.v)};       \
  }
OGEE_COMPARE(<, Lt)
OGEE_COMPARE(<=, Le)
OGEE_COMPARE(>, Gt)
OGEE_COMPARE(>=, Ge)
#undef OGEE_COMPARE
template <class D>
HWY_INLINE Truth<D> equal(Lane<D> a, double b) {
  return {hn::Eq(a.v, Lane<D>::constant(b).v)};
}
template <class D>
HWY_INLINE Truth<D> is_nan(Lane<D> a) {
  return {hn::IsNaN(a.v)};
}

template <class D>
HWY_INLINE Lane<D> select(Truth<D> mask, Lane<D> a, Lane<D> b) {
  return {hn::IfThenElse(mask.m, a.v, b.v)};
}
template <class D>
HWY_INLINE Lane<D> select(Truth<D> mask, Lane<D> a, double b) {
  return select(mask, a, Lane<D>::constant(b));
}
template <class D>
HWY_INLINE Lane<D> select(Truth<D> mask, double a, Lane<D> b) {
  return select(mask, Lane<D>::constant(a), b);
}
// The same choice for all lanes.
template <class D>
HWY_INLINE Lane<D> select(bool mask, Lane<D> a, Lane<D> b) {
  return mask ? a : b;
}
template <class D>
HWY_INLINE Lane<D> detach(Lane<D> a) {
  return a;
}
// What definitions do to parameters that are the same for a whole row (scalar_constants in rows-inl.h).
HWY_INLINE double detach(double a) { return a; }
HWY_INLINE double sqrt(double a) { return std::sqrt(a); }
HWY_INLINE double exp(double a) { return std::exp(a); }
HWY_INLINE double sigmoid(double a) {
  const double e = std::exp(-std::fabs(a));
  return (a < 0 ? e : 1) / (1 + e);
}
HWY_INLINE double softplus(double a) { return (a < 0 ? 0 : a) + std::log1p(std::exp(-std::fabs(a))); }
template <class D>
HWY_INLINE Lane<D> straight_through(Lane<D> value, Lane<D>) {
  return value;
}
template <class D>
HWY_INLINE Lane<D> damp(Lane<D> x, Lane<D> g) {
  return {hn::IfThenZeroElse(hn::Eq(g.v, hn::Zero(D())), hn::Mul(x.v, g.v))};
}
template <class D>
HWY_INLINE Lane<D> damp(Lane<D> x, double g) {
  return damp(x, Lane<D>::constant(g));
}
template <class D>
HWY_INLINE Lane<D> damp(double x, Lane<D> g) {
  return damp(Lane<D>::constant(x), g);
}
// x*g + y, rounded once.
template <class D>
HWY_INLINE Lane<D> damp_plus(Lane<D> x, double g, Lane<D> y) {
  return g == 0 ? y : fused(x, Lane<D>::constant(g), y);
}
// Whether float32 primitives are table lookups, more exact than the formulas (piecewise-inl.h).
inline constexpr bool primitives_by_table = OGEE_AVX512_TARGET;
template <class D>
HWY_INLINE Lane<D> abs(Lane<D> a) {
  return {hn::Abs(a.v)};
}
template <class D>
HWY_INLINE Lane<D> with_sign_of(Lane<D> magnitude, Lane<D> sign) {
  return {hn::CopySign(magnitude.v, sign.v)};
}
template <class D>
HWY_INLINE Lane<D> sign(Lane<D> a) {
  return select(a > 0.0, 1.0, select(a < 0.0, -1.0, a));
}
template <class D>
HWY_INLINE Lane<D> sqrt(Lane<D> a) {
  return {hn::Sqrt(a.v)};
}

// sqrt(x^2 + b). Where the square would overflow, both are scaled, the latter to almost nothing.
template <class D>
HWY_INLINE Lane<D> hypotenuse(Lane<D> x, Lane<D> b) {
  constexpr bool single = sizeof(hn::TFromD<D>) == 4;
  const Truth<D> large = abs(x) > (single ? 1e18 : 1e150);
  const Lane<D> s = select(large, single ? 0x1p-65 : 0x1p-550, Lane<D>::constant(1.0));
  const Lane<D> z = x * s;
  return sqrt(fused(z, z, (b * s) * s)) * select(large, single ? 0x1p65 : 0x1p550, Lane<D>::constant(1.0));
}

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
