// A gate's two sides from one lookup, for the functions whose slopes are made of them: with the tail p = g(-|x|) exact
// to a unit, g(|x|) = 1 - p, and of a sigmoid the slope is p (1 - p), tanh(x/2) is 1 - 2 p.
#if defined(OGEE_QUICK_LEARNED_GATES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_LEARNED_GATES_INL_H
#undef OGEE_QUICK_LEARNED_GATES_INL_H
#else
#define OGEE_QUICK_LEARNED_GATES_INL_H
#endif

#include <cmath>
#include <cstddef>
#include <limits>

#include "kernels/quick/learned_tables-inl.h"
#include "kernels/quick/logistic-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// What a gate's range is expanded by: (1 + 2 alpha) g - alpha lies between -alpha and 1 + alpha.
struct Expansion {
  Float factor, minus_alpha;
  HWY_INLINE void expand(double alpha) {
    factor = Float::constant(1 + 2 * alpha);
    minus_alpha = Float::constant(-alpha);
  }
};

// m, or -m where x is negative
HWY_INLINE Float times_sign(Float m, Float x) { return {hn::Xor(m.v, hn::And(x.v, hn::SignBit(SingleTag())))}; }

template <class Table>
struct TwoSided {
  LookUp<Table> table;
  // g(-z) in two parts, the leading coefficient and the rest, and their sum; and 1/2 - g(-z), which is exact to a few
  // units near 0, too, where the first interval's polynomial is 1/2 + z h(z).
  struct Sides {
    Float leading, rest, tail, t, h;  // rest = t h
    HWY_INLINE Float high() const { return 1.0 - tail; }
    HWY_INLINE Float half() const { return (0.5 - leading) - rest; }
    HWY_INLINE Float slope() const { return fused_minus(tail, tail, tail); }  // a sigmoid's
    HWY_INLINE Float at(Float x) const { return select(x < 0.0, tail, high()); }
    // m (1 - 2 g(-z)), also where z is subnormal and m large
    HWY_INLINE Float centred(Float m) const {
      return fused(m, fused_minus(leading, 2.0, Float::constant(1.0)), -((m * (2.0 * t)) * h));
    }
  };

  HWY_INLINE void load() { table.load(); }
  static HWY_INLINE Float magnitude(Float x) { return at_most(abs(x), Table::high); }
  // Right of -trusted: tails are exact, and the clamp does no harm.
  static HWY_INLINE FloatTruth above(Float x) { return x >= -Table::trusted; }
  static HWY_INLINE FloatTruth within(Float x) { return abs(x) <= Table::trusted; }

  HWY_INLINE Sides sides(Float z) const { return sides(table.place(z)); }
  // At z + low.
  HWY_INLINE Sides sides(Float z, Float low) const { return sides(place(z, low)); }
  // m g(-z), as Piecewise::times.
  HWY_INLINE Float times(Float m, Float z) const { return times(m, table.place(z)); }
  HWY_INLINE Float times(Float m, Float z, Float low) const { return times(m, place(z, low)); }
  // (m + rest) g(-z), where rest is what rounding left out of a product m.
  HWY_INLINE Float times_exactly(Float m, Float rest, Float z) const { return times_exactly(m, rest, table.place(z)); }
  HWY_INLINE Float times_exactly(Float m, Float rest, Float z, Float low) const {
    return times_exactly(m, rest, place(z, low));
  }

 private:
  using Place = typename LookUp<Table>::Place;
  // A steep table's second term is nearly as large as its first: it, too, meets the first one unrounded.
  HWY_INLINE Float times_exactly(Float m, Float rest, const Place& at) const {
    const Float c = table.template coefficient<0>(at), mt = m * at.t;
    if constexpr (Table::steps > 3.0f) {
      const Float c1 = table.template coefficient<1>(at), h = table.template tail<2>(at);
      const Float left_out = fused(fused(m, at.t, -mt), c1, rest * c);
      return fused(m, c, fused(mt, c1, fused(mt * at.t, h, left_out)));
    } else {
      return fused(m, c, fused(mt, table.template tail<1>(at), rest * c));
    }
  }
  HWY_INLINE Place place(Float z, Float low) const {
    Place at = table.place(z);
    at.t = at.t + low;
    return at;
  }
  HWY_INLINE Sides sides(const Place& at) const {
    const Float c = table.template coefficient<0>(at), h = table.template tail<1>(at), rest = at.t * h;
    return {c, rest, c + rest, at.t, h};
  }
  HWY_INLINE Float times(Float m, const Place& at) const {
    return fused(m, table.template coefficient<0>(at), (m * at.t) * table.template tail<1>(at));
  }
};

#if OGEE_AVX512_TARGET

struct SigmoidSides : TwoSided<tables::SigmoidSides> {
  static constexpr double high = tables::SigmoidSides::high;
  // m g(x), finite m
  HWY_INLINE Float gated(Float m, Float x) const {
    const Float y = times(m, magnitude(x));
    return select(x < 0.0, y, m - y);
  }
};

// sigmoid(x) + x sigmoid'(x), z = |x| within the table: s(x) (1 + x s(-x)). Left of 0 the second factor is (1 - z) +
// z s(-z), whose difference is exact where it is small, and s(-z) not yet rounded. base is 1 - z or, right of 0, 1.
HWY_INLINE Float base_and_leading(const SigmoidSides::Sides& s, Float z, FloatTruth left, Float base) {
  return fused_where(left, z, s.leading, base);
}
HWY_INLINE Float silu_slope(const SigmoidSides::Sides& s, Float z, Float x) {
  const FloatTruth left = x < 0.0;
  const Float most = base_and_leading(s, z, left, 1.0 + at_most(x, 0.0));
  return s.at(x) * fused(z, select(left, s.rest, s.tail), most);
}
HWY_INLINE Float silu_slope_exactly(const SigmoidSides::Sides& s, Float z, Float x) { return silu_slope(s, z, x); }

#else

// The same of one exponential: where a lookup takes longer than a division, each of these takes one.
struct SigmoidSides {
  static constexpr double high = SelfGatedSlope::high;
  struct Sides {
    Power p;  // exp(-z)
    HWY_INLINE Float slope() const {
      const Float e = p.value();
      return e / fused(e, e + 2.0, Float::constant(1.0));
    }
    HWY_INLINE Float at(Float x) const { return by_sign(x, p.value(), Float::constant(1.0)) / p.plus_one(); }
    // 1/2 - g(-z) = (1 - e)/(2 (1 + e)), and m times twice that
    HWY_INLINE Float half() const { return (p.minus_one() * -0.5) / p.plus_one(); }
    HWY_INLINE Float centred(Float m) const { return (p.minus_one() * -m) / p.plus_one(); }
  };
  HWY_INLINE void load() {}
  static HWY_INLINE Float magnitude(Float x) { return at_most(abs(x), high); }
  static HWY_INLINE FloatTruth above(Float x) { return x >= -high; }
  static HWY_INLINE FloatTruth within(Float x) { return abs(x) <= high; }
  HWY_INLINE Sides sides(Float z) const { return {Power::of_minus(z)}; }
  HWY_INLINE Sides sides(Float z, Float low) const { return {Power::of_minus(z, low)}; }
  HWY_INLINE Float gated(Float m, Float x) const { return m / Logistic::divisor(x); }
};
HWY_INLINE Float silu_slope(const SigmoidSides::Sides& s, Float z, Float x) {
  return SelfGatedSlope::left(s.p, z).at_exactly(x);
}
// With two roundings less, for what is multiplied afterwards.
HWY_INLINE Float silu_slope_exactly(const SigmoidSides::Sides& s, Float z, Float x) {
  return SelfGatedSlope::left(s.p, z).times_exactly(Float::constant(1.0), x);
}

#endif

// The sides of sigmoid(factor*x), factor any number: what rounding leaves out of the product and of the factor itself
// reaches the polynomial's argument.
struct ScaledSigmoid {
  SigmoidSides gate;
  Float signed_factor, factor, rest, limit;
  struct Point {
    Float z, magnitude, low;  // factor*x; |z| + low, clamped to the table
  };
  HWY_INLINE void load(double by) {
    gate.load();
    const auto size = static_cast<float>(std::fabs(by));
    signed_factor = Float::constant(by);
    factor = Float::constant(size);
    rest = Float::constant(std::fabs(by) - size);
    const double most = std::numeric_limits<float>::max();
    limit = Float::constant(SigmoidSides::high < most * size ? SigmoidSides::high / size : most);
  }
  HWY_INLINE Point point(Float x) const {
    const Float a = at_most(abs(x), limit), magnitude = factor * a;
    return {signed_factor * x, magnitude, fused(a, rest, fused(a, factor, -magnitude))};
  }
  HWY_INLINE SigmoidSides::Sides sides(const Point& p) const { return gate.sides(p.magnitude, p.low); }
  HWY_INLINE FloatTruth above(Float x) const { return gate.above(signed_factor * x); }
  HWY_INLINE FloatTruth within(Float x) const { return gate.within(factor * x); }
  // a*b sigmoid(factor*x)
  HWY_INLINE Float times(Float a, Float b, Float x) const {
    const Float m = a * b;
    return times_exactly(m, fused(a, b, -m), point(x));
  }
  struct Slopes {
    Float left, right;
  };
#if OGEE_AVX512_TARGET
  // m sigmoid(factor*x), finite m
  HWY_INLINE Float times(Float m, Float x) const {
    const Point p = point(x);
    const Float y = gate.times(m, p.magnitude, p.low);
    return select(p.z < 0.0, y, m - y);
  }
  // (m + left_out) sigmoid(z), where m was rounded
  HWY_INLINE Float times_exactly(Float m, Float left_out, const Point& p) const {
    const Float y = gate.times_exactly(m, left_out, p.magnitude, p.low);
    return select(p.z < 0.0, y, m - (y - left_out));
  }
  // The slope of z sigmoid(z) at -|z| and at |z|, whose sum is 1: as silu_slope. What rounding left out of z counts
  // where 1 - |z| is small.
  HWY_INLINE static Slopes slopes(const SigmoidSides::Sides& s, const Point& p) {
    const Float z = p.magnitude;
    return {s.tail * fused(z, s.rest, fused(z, s.leading, (1.0 - z) - p.low)),
            s.high() * fused(z, s.tail, Float::constant(1.0))};
  }
  HWY_INLINE static Float slope(const SigmoidSides::Sides& s, const Point& p) {
    const FloatTruth left = p.z < 0.0;
    const Float one = Float::constant(1.0), z = p.magnitude;
    const Float most = base_and_leading(s, z, left, select(left, (one - z) - p.low, one));
    return s.at(p.z) * fused(z, select(left, s.rest, s.tail), most);
  }
  // The same for a factor whose products round: what is left out of them meets the other small numbers first.
  HWY_INLINE static Float slope_exactly(const SigmoidSides::Sides& s, const Point& p) {
    const FloatTruth left = p.z < 0.0;
    const Float one = Float::constant(1.0), z = p.magnitude;
    const Float most = base_and_leading(s, z, left, select(left, one - z, one));
    const Float rest = z * select(left, s.rest, s.tail);
    return s.at(p.z) * (most + select(left, fused_minus(p.low, one - s.leading, rest), rest));
  }
#else
  // exp(-factor*x)
  static HWY_INLINE Power power(const Point& p) {
    return Power::of_minus(times_sign(p.magnitude, p.z), times_sign(p.low, p.z));
  }
  HWY_INLINE Float times(Float m, Float x) const { return m / power(point(x)).plus_one(); }
  HWY_INLINE Float times_exactly(Float m, Float left_out, const Point& p) const {
    return exact_quotient(m, left_out, power(p));
  }
  HWY_INLINE static Slopes slopes(const SigmoidSides::Sides& s, const Point& p) {
    const Float left = SelfGatedSlope::left(s.p, p.magnitude, p.low).at_exactly(Float::constant(-1.0));
    return {left, 1.0 - left};
  }
  HWY_INLINE static Float slope(const SigmoidSides::Sides& s, const Point& p) {
    return SelfGatedSlope::left(s.p, p.magnitude, p.low).at_exactly(p.z);
  }
  HWY_INLINE static Float slope_exactly(const SigmoidSides::Sides& s, const Point& p) {
    return SelfGatedSlope::left(s.p, p.magnitude, p.low).times_exactly(Float::constant(1.0), p.z);
  }
#endif
};

// m tanh(factor*x)
struct ScaledTanh {
#if OGEE_AVX512_TARGET
  ScaledSigmoid gate;
  HWY_INLINE void load(double by) { gate.load(2 * by); }
  HWY_INLINE FloatTruth inside(Float x) const { return gate.within(x); }
  HWY_INLINE Float times(Float m, Float x) const {
    const auto p = gate.point(x);
    return gate.sides(p).centred(times_sign(m, p.z));
  }
#else
  using Table = tables::TanhEight;
  Float factor, rest;
  HWY_INLINE void load(double by) {
    factor = Float::constant(by);
    rest = Float::constant(by - static_cast<float>(by));
  }
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) < std::numeric_limits<double>::infinity(); }
  HWY_INLINE Float times(Float m, Float x) const {
    const Float z = factor * x, a = abs(z), low = times_sign(fused(rest, x, fused(factor, x, -z)), z);
    auto found = Eight<Table>::find(at_most(a, Table::high));
    found.t = select(a < Table::high, found.t + low, found.t);
    return times_sign(m, z) * found.template horner<0>();
  }
#endif
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
