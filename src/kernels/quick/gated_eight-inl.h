// The quick forms of src/functions/gated.inc for vectors that are too short for 32 polynomials. What a value and its
// slopes have in common, an exponential and most of a polynomial, is computed once.
#if defined(OGEE_QUICK_GATED_EIGHT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_GATED_EIGHT_INL_H
#undef OGEE_QUICK_GATED_EIGHT_INL_H
#else
#define OGEE_QUICK_GATED_EIGHT_INL_H
#endif

#include "kernels/quick/exponential_eight-inl.h"
#include "kernels/quick/smooth_eight-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// Where a factor can be multiplied with what a slope is made of.
HWY_INLINE FloatTruth bounded(FloatTruth before, Float m) { return at_most_too(before, abs(m), 1e36); }

// m/(1 + exp(-x)), given exp(-|x|).
HWY_INLINE Float logistic_times(Float m, Float x, const Power& p) { return by_sign(x, p.times(m), m) / p.plus(1.0); }

// a s(a) b: by a slope(a) b, by b a s(a)
struct QuickSwigluSlopesEight : QuickFixed {
  HWY_INLINE FloatTruth inside(const Float* x) const { return bounded(x[0] >= -SelfGatedSlope::high, x[1]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Float z = at_most(abs(x[0]), SelfGatedSlope::high);
    const Power p = Power::of_minus(z);
    d[0] = SelfGatedSlope::left(p, z).times(x[1], x[0]);
    d[1] = logistic_times(x[0], x[0], p);
  }
};
// s(a) b
struct QuickGluSlopesEight : QuickFixed {
  HWY_INLINE FloatTruth inside(const Float* x) const { return abs(x[0]) <= 87.0; }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Power p = Power::of_minus(at_most(abs(x[0]), 87.0));
    const Float e = p.value(), one = Float::constant(1.0);
    d[0] = e / fused(e, e + 2.0, one) * x[1];
    d[1] = by_sign(x[0], e, one) / p.plus(1.0);
  }
};

// s(a) tanh(b)
struct QuickGtuEight : QuickFixed {
  using Table = tables::TanhFineEight;
  HWY_INLINE FloatTruth inside(const Float* x) const { return Logistic::above(x[0]); }
  HWY_INLINE Float operator()(const Float* x) const {
    const auto found = Eight<Table>::find(at_most(abs(x[1]), Table::high));
    const Float c = found.c<0>(), h = found.horner<1>(), y = fused(found.t, h, c), rest = fused(found.t, h, c - y);
    return with_sign_of(exact_quotient(y, rest, Logistic::power(x[0])), x[1]);
  }
};
struct QuickGtuSlopesEight : QuickFixed {
  HWY_INLINE FloatTruth inside(const Float* x) const { return at_most_too(abs(x[0]) <= 87.0, abs(x[1]), 43.0); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Float one = Float::constant(1.0);
    const Power p = Power::of_minus(at_most(abs(x[0]), 87.0));
    const Power square = Power::of_minus(at_most(abs(x[1]), 43.0) * 2.0);
    const Float e = p.value(), f = square.value(), tanh_above = with_sign_of(square.minus_one(), x[1]);
    d[0] = quotient_by_product(p.times(tanh_above), square, fused(e, e + 2.0, one));
    // e f with one rounding of what is large
    const Float s = p.s * square.s, left = fused(s, fused(p.q, square.q, p.q + square.q), s);
    d[1] = quotient_by_product(by_sign(x[0], left, f) * 4.0, p, fused(f, f + 2.0, one));
  }
};

// a Phi(a) b, and what rounding the product leaves out.
struct QuickGegluEight : QuickFixed {
  using Table = tables::NormalEight;
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite_product(x[0] >= -Table::high, y); }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float z = at_most(abs(x[0]), Table::high), m = x[0] * x[1], left_out = fused(x[0], x[1], -m);
    const auto found = Eight<Table>::find(z);
    const Float c = found.c<0>(), y = fused(m, c, fused(m * found.t, found.horner<1>(), left_out * c));
    const Float p = Power::of_minus_square<2>(z).times(y);
    return by_sign(x[0], p, m - (p - left_out));
  }
};
// Phi(-z) - z phi(z) is exp(-z^2/2) times (c - z/sqrt(2 pi)) + t h, where c + t h is what the table has for Phi(-z).
struct QuickGegluSlopesEight : QuickFixed {
  using Table = tables::NormalEight;
  static constexpr double scale = 0.39894228040143267794, large = static_cast<float>(scale), small = scale - large;
  HWY_INLINE FloatTruth inside(const Float* x) const { return x[0] >= -Table::high; }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Float z = at_most(abs(x[0]), Table::high);
    const auto found = Eight<Table>::find(z);
    const Float c = found.c<0>(), h = found.horner<1>();
    const Float rest = fused(found.t, h, z * -small);
    const Power p = Power::of_minus_square<2>(z);
    const Float left = p.times(fused_minus(z, large, c) + rest);
    d[0] = by_sign(x[0], left, 1.0 - left) * x[1];
    d[1] = fused(-z, p.times(fused(found.t, h, c)), at_least(x[0], 0.0));
  }
};

// The same with sigmoid(2 sqrt(2/pi) (a + 0.044715 a^3)), and with sigmoid(1.702 a)
struct QuickTanhGegluEight : QuickFixed {
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const {
    return finite_product(x[0] >= -TanhGeluPower::high, y);
  }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float z = at_most(x[0], TanhGeluPower::high), m = x[0] * x[1];
    return exact_quotient(m, fused(x[0], x[1], -m), TanhGeluPower::of_minus(z, z * z));
  }
};
// With u = 2 sqrt(2/pi) (z + 0.044715 z^3) and e = exp(-u), the slope of z sigmoid(u) at -z is e (1 + e - z u')/(1 +
// e)^2.
struct QuickTanhGegluSlopesEight : QuickFixed {
  using P = TanhGeluPower;
  HWY_INLINE FloatTruth inside(const Float* x) const { return bounded(x[0] >= -P::high, x[1]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Float z = at_most(abs(x[0]), P::high), square = z * z;
    const Power p = P::of_minus(z, square);
    const auto w = P::argument<3>(z, square);  // z u'
    d[0] = SelfGatedSlope::left(p, w.u, w.rest).times_exactly(x[1], x[0]);
    d[1] = logistic_times(x[0], x[0], p);
  }
};
struct QuickLogisticGegluEight : QuickFixed {
  using P = QuickGeluPower;
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite_product(x[0] >= -P::high, y); }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float m = x[0] * x[1];
    return exact_quotient(m, fused(x[0], x[1], -m), P::power(at_most(x[0], P::high)));
  }
};
struct QuickLogisticGegluSlopesEight : QuickFixed {
  using P = QuickGeluPower;
  HWY_INLINE FloatTruth inside(const Float* x) const { return bounded(x[0] >= -P::high, x[1]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Float z = at_most(abs(x[0]), P::high);
    d[0] = P::left(z).times_exactly(x[1], x[0]);
    d[1] = logistic_times(x[0], x[0], P::power(z));
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
