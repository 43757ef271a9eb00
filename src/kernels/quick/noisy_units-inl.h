// The noisy units of Gulcehre et al. 2016 in float32, for training. With h the base, u its linearisation at 0, v = h -
// u and s = tanh(p v/2) = 2 sigmoid(p v) - 1,
//
//   phi     = alpha h + (1-alpha) u - sgn(x) c (sigmoid(p v) - 1/2)^2 e = h + (alpha-1) v - w s^2,  w = sgn(x) c e/4
//   dphi/dx = h' + v' (alpha - 1 - p w g),  g = s (1 - s^2)
//   dphi/dp = -w g v
//
// s^2 and g are looked up. Errors of phi and dphi/dx count in units of the largest of the sum's terms; dphi/dp is one
// product, in which small v and the tails of g need more than a float's digits of v: they have a second part.
#if defined(OGEE_QUICK_NOISY_UNITS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_NOISY_UNITS_INL_H
#undef OGEE_QUICK_NOISY_UNITS_INL_H
#else
#define OGEE_QUICK_NOISY_UNITS_INL_H
#endif

#include <cmath>
#include <cstddef>
#include <type_traits>

#include "kernels/quick/forms-inl.h"
#include "kernels/quick/noisy_tables.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// A number as a float and what its rounding left out.
struct Split {
  Float high, low;
};

// h and v, and what v's rounding left out where that counts in a unit's value: not near 0, where v is a small part of
// it.
struct BaseValue {
  Float h, v, v_low;
};
template <class Base>
struct QuickBase;
template <bool of_sigmoid>
struct QuickHardBase {
  static constexpr double edge = of_sigmoid ? 2 : 1, du = of_sigmoid ? 0.25 : 1, bound = 1e30;
  HWY_INLINE void load() {}
  HWY_INLINE BaseValue at(Float x) const {
    const Float bounded = at_most(at_least(x, -edge), edge);
    return {of_sigmoid ? fused(0.25, bounded, 0.5) : bounded, du * (bounded - x), Float::constant(0.0)};
  }
};
template <>
struct QuickBase<HardTanhBase> : QuickHardBase<false> {};
template <>
struct QuickBase<HardSigmoidBase> : QuickHardBase<true> {};
template <>
struct QuickBase<TanhBase> {
  static constexpr double bound = 1e30;
  Piecewise<tables::TanhRatio> ratio;
  HWY_INLINE void load() { ratio.load(); }
  HWY_INLINE BaseValue at(Float x) const {
    const Float z = clamped<tables::TanhRatio>(x), h = with_sign_of(at_most(ratio.times(z, z), 1.0), x);
    return {h, h - x, Float::constant(0.0)};
  }
};
template <>
struct QuickBase<SigmoidBase> {
  static constexpr double bound = tables::SigmoidTail::trusted;
  Piecewise<tables::SigmoidTail> tail;
  HWY_INLINE void load() { tail.load(); }
  HWY_INLINE BaseValue at(Float x) const {
    const Float p = tail(clamped<tables::SigmoidTail>(x)), h = select(x < 0.0, p, 1.0 - p), centred = h - 0.5,
                v = fused(x, Float::constant(-0.25), centred);
    return {h, v, (centred - fused(x, Float::constant(0.25), v)) + (h - (centred + 0.5))};
  }
};

// The derivatives of h and v; and m = |v|, in two parts where its small values count. Both have the sign of x taken
// out: v is -sgn(x) m.
template <bool of_sigmoid>
struct QuickHardSlope {
  static constexpr double edge = of_sigmoid ? 2 : 1, du = of_sigmoid ? 0.25 : 1;
  struct Point {
    Float size, beyond, m;
  };
  HWY_INLINE void load() {}
  HWY_INLINE Point at(Float x) const {
    const Float beyond = at_least(abs(x) - edge, 0.0);
    return {abs(x), beyond, du * beyond};
  }
  HWY_INLINE Float remainder(const Point& p) const {
    return select(p.size > edge, du * ((p.size - p.beyond) - edge), Float::constant(0.0));
  }
  HWY_INLINE Split precise(const Point& p) const { return {p.m, remainder(p)}; }
  // h' + v' factor
  HWY_INLINE Float slope(const Point& p, Float factor) const {
    return select(p.size > edge, -du * factor, select(p.size < edge, du, Float::constant(0.0)));
  }
};

template <std::size_t N>
struct Coefficients {
  float c[N];
};
template <std::size_t N>
constexpr Coefficients<N - 2> without_two(const float (&c)[N]) {
  Coefficients<N - 2> rest{};
  for (std::size_t i = 2; i < N; ++i) rest.c[i - 2] = c[i];
  return rest;
}

// tanh at z = scale x: h' = du (1 - tanh(z)^2), v' = -du tanh(z)^2, v = scale (tanh(z) - z). All from the smaller of
// sigmoid(2 z) and sigmoid(-2 z), with which 1 - |tanh(z)| has all its digits.
template <bool of_sigmoid>
struct QuickSoftSlope {
  static constexpr double scale = of_sigmoid ? 0.5 : 1, du = of_sigmoid ? 0.25 : 1;
  Piecewise<tables::SigmoidTail> tail;
  struct Point {
    Float size, rest, t, m;  // |z|, 1 - |tanh(z)|, |tanh(z)|
  };
  HWY_INLINE void load() { tail.load(); }
  HWY_INLINE Point at(Float x) const {
    const Float a = abs(x), size = scale * a;
    const Float rest = 2.0 * tail(at_most((2.0 * scale) * a, tables::SigmoidTail::high)), t = 1.0 - rest;
    return {size, rest, t, scale * (size - t)};
  }
  // What the rounding of m left out.
  HWY_INLINE Float remainder(const Point& p) const {
    return scale * (((p.size - (p.size - p.t)) - p.t) - ((1.0 - p.t) - p.rest));
  }
  // Near 0 by the series, z^3 q(z^2), with the roundings given back.
  HWY_INLINE Split precise(const Point& p) const {
    static constexpr auto& c = Float::P::tanh_shrink;
    static constexpr auto higher = without_two(c);
    const Float z = p.size, square = z * z, square_low = fused(z, z, -square);
    const Float first = Float::constant(c[0]), rest = fused(square, polynomial(square, higher.c), c[1]);
    const Float q = fused(square, rest, first);
    const Float q_low = fused(square, rest, first - q);
    const Float y = square * q, y_low = fused(square, q, -y) + fused(square, q_low, square_low * q);
    const Float cube = z * y, cube_low = fused(z, y, -cube) + z * y_low;
    const FloatTruth near = z < 1.0;
    return {select(near, scale * cube, p.m), select(near, scale * cube_low, remainder(p))};
  }
  HWY_INLINE Float slope(const Point& p, Float factor) const {
    const Float s = p.rest * (2.0 - p.rest);
    return du * fused(s, factor, s - factor);
  }
};

template <class Base>
struct QuickBaseSlope;
template <>
struct QuickBaseSlope<HardTanhBase> : QuickHardSlope<false> {};
template <>
struct QuickBaseSlope<HardSigmoidBase> : QuickHardSlope<true> {};
template <>
struct QuickBaseSlope<TanhBase> : QuickSoftSlope<false> {};
template <>
struct QuickBaseSlope<SigmoidBase> : QuickSoftSlope<true> {};

// What all units make of the noise.
struct NoiseWeight {
  double quarter_c;
  bool half_normal;
  // c e/4, |e| for half-normal noise
  HWY_INLINE Float of(Float e) const { return quarter_c * deviate(e); }
  HWY_INLINE Float deviate(Float e) const { return half_normal ? abs(e) : e; }
  // w; at x = 0, where a sign is missing, its factor is 0.
  HWY_INLINE Float operator()(Float x, Float e) const { return flipped(of(e), x); }
  // With its sign changed where x is negative.
  static HWY_INLINE Float flipped(Float value, Float x) {
    return {hn::Xor(value.v, hn::And(x.v, hn::SignBit(SingleTag())))};
  }
};

// h + (alpha - 1) v - noise, with alpha - 1 in two parts, as its rounding counts where |x| is large.
template <class Base>
struct UnitSum {
  double above, low;
  HWY_INLINE void set(double alpha) {
    above = static_cast<float>(alpha - 1);
    low = (alpha - 1) - above;
  }
  HWY_INLINE Float operator()(const BaseValue& b, Float noise) const {
    Float rest = fused(b.v, Float::constant(low), -noise);
    if constexpr (std::is_same_v<Base, SigmoidBase>) rest = fused(b.v_low, Float::constant(above), rest);
    return b.h + fused(b.v, Float::constant(above), rest);
  }
};

// Parameters that these forms serve: no clipping, which is rare; none so large that a term may overflow.
HWY_INLINE bool plain_unit(double alpha, double c, double clip) {
  return clip <= 0 && std::fabs(alpha) <= 100 && std::fabs(c) <= 100;
}

template <class Base, class Unit>
struct NoisyUnitParameters {
  double p, half_p;
  UnitSum<Base> sum;
  NoiseWeight weight;
  HWY_INLINE bool set(const double* parameter) {
    constexpr bool half_normal = std::is_same_v<Unit, Nah<Base>>;
    p = parameter[0];
    half_p = 0.5 * p;
    sum.set(parameter[1]);
    weight = {(half_normal && parameter[1] > 1 ? -0.25 : 0.25) * parameter[2], half_normal};
    return plain_unit(parameter[1], parameter[2], parameter[3]) && std::fabs(p) <= 100;
  }
};

// w tanh(z)^2 for z >= 0
struct QuickTanhSquare {
  Piecewise<tables::TanhSquareRatio> ratio;
  HWY_INLINE void load() { ratio.load(); }
  HWY_INLINE Float times(Float w, Float z) const {
    const Float a = at_most(z, tables::TanhSquareRatio::high);
    return (w * a) * (a * ratio(a));
  }
  // The same at z + rest, with two roundings: the derivative of log tanh(z)^2 is `steep`/z, which falls from 2/z to
  // nothing.
  HWY_INLINE Float times(Float w, Float z, Float rest) const {
    const Float a = at_most(z, tables::TanhSquareRatio::high), wide = w * a, left_out = fused(w, a, -wide);
    const Float part = ratio.times(a, a), steep = at_least(fused(-0.95, a, 2.05), 0.0);
    return fused(wide, part, fused(left_out, part, (wide * ratio(a)) * (steep * rest)));
  }
};

template <class Base, class Unit>
struct QuickNoisyUnit : Quick, NoisyUnitParameters<Base, Unit> {
  QuickBase<Base> base;
  QuickTanhSquare square;
  HWY_INLINE bool load(const double* parameter) {
    base.load();
    square.load();
    return this->set(parameter);
  }
  HWY_INLINE Float value(Float x, Float e, FloatTruth& inside) const {
    const BaseValue b = base.at(x);
    inside = abs(x) < QuickBase<Base>::bound;
    return this->sum(b, square.times(this->weight(x, e), abs(this->half_p * b.v)));
  }
};

// tanh(z) (1 - tanh(z)^2); beyond the table it is next to nothing.
struct QuickGrade {
  using Table = tables::TanhGradeRatio;
  Piecewise<Table> ratio;
  HWY_INLINE void load() { ratio.load(); }
  HWY_INLINE Float operator()(Float z) const { return ratio.times(z, clamped<Table>(z)); }
  static HWY_INLINE FloatTruth inside(Float z) { return abs(z) <= Table::high; }
};

template <class Base, class Unit>
struct QuickNoisyUnitSlopes : Quick, NoisyUnitParameters<Base, Unit> {
  QuickBaseSlope<Base> base;
  QuickGrade grade;
  HWY_INLINE bool load(const double* parameter) {
    base.load();
    grade.load();
    return this->set(parameter);
  }
  HWY_INLINE Float factor(Float e, Float g) const {
    return fused(this->p * this->weight.of(e), g, Float::constant(this->sum.above));
  }
  HWY_INLINE Float slope(Float x, Float e, FloatTruth& inside) const {
    const auto point = base.at(x);
    const Float z = this->half_p * point.m;
    inside = QuickGrade::inside(z);
    return base.slope(point, factor(e, grade(z)));
  }
  // d[1] is the derivative by p over learned_scale(): a constant's rounding need not count in each.
  HWY_INLINE double learned_scale() const { return -this->weight.quarter_c; }
  HWY_INLINE void slopes(Float x, Float e, Float* d, FloatTruth& inside) const {
    const auto point = base.at(x);
    const Split m = base.precise(point);
    const Float half = Float::constant(this->half_p);
    const Float z = half * m.high, z_low = fused(half, m.high, -z) + half * m.low;
    const Float g = grade(z);
    inside = QuickGrade::inside(z);
    d[0] = base.slope(point, factor(e, g));
    // g changes by as much as z where that is small, by -2 |g| times as much far out.
    const Float change = z_low * select(abs(z) < 0.5, 1.0, -2.0 * abs(g));
    const Float size = fused(g, m.high, fused(change, m.high, g * m.low));
    d[1] = this->weight.flipped(this->weight.deviate(e) * size, x);
  }
};

// s = tanh(v^2/2)
template <class Base>
struct FixedUnitParameters {
  UnitSum<Base> sum;
  NoiseWeight weight;
  HWY_INLINE bool set(const double* parameter) {
    sum.set(parameter[0]);
    weight = {0.25 * parameter[1], false};
    return plain_unit(parameter[0], parameter[1], parameter[2]);
  }
};
template <class Base>
struct QuickFixedUnit : Quick, FixedUnitParameters<Base> {
  QuickBase<Base> base;
  QuickTanhSquare square;
  HWY_INLINE bool load(const double* parameter) {
    base.load();
    square.load();
    return this->set(parameter);
  }
  HWY_INLINE Float value(Float x, Float e, FloatTruth& inside) const {
    const BaseValue b = base.at(x);
    inside = abs(x) < QuickBase<Base>::bound;
    // (The noise of smaller m is nothing beside the rest, but would make subnormal products, which are slow.)
    const Float size = abs(b.v), m = at_most(at_least(size, 1e-3), 5.0), half = 0.5 * m, z = half * m;
    const Float rest = fused(m, NoiseWeight::flipped(b.v_low, b.v), fused(half, m, -z));
    return this->sum(b, square.times(select(size < 1e-3, 0.0, this->weight(x, e)), z, rest));
  }
};
template <class Base>
struct QuickFixedUnitSlopes : Quick, FixedUnitParameters<Base> {
  QuickBaseSlope<Base> base;
  QuickGrade grade;
  HWY_INLINE bool load(const double* parameter) {
    base.load();
    grade.load();
    return this->set(parameter);
  }
  HWY_INLINE Float slope(Float x, Float e, FloatTruth& inside) const {
    const auto point = base.at(x);
    const Float m = at_least(point.m, 1e-3), half = 0.5 * m, square = half * m;
    const Float z = at_most(square, QuickGrade::Table::high);
    inside = m < 50.0;
    // (Smaller m, of next to no noise, would make subnormal products, which are slow.)
    // What the roundings of m and m^2/2 left out; the logarithm of g rises for small z, then falls by up to twice as
    // much.
    const Float m_low = base.remainder(point), low = fused(half, m, -square) + m * m_low;
    const Float steep = at_most(at_least(fused(-2.4, z, 1.584), -2.0), 0.7);
    const Float g = grade(z), size = fused(g, m, g * fused(steep * low, m, m_low));
    return base.slope(point, fused((2.0 * this->weight.quarter_c) * e, size, Float::constant(this->sum.above)));
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
