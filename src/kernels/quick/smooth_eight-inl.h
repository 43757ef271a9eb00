// The quick forms of src/functions/smooth.inc for vectors that are too short for 32 polynomials: an exponential times
// one of 8, or a quotient.
#if defined(OGEE_QUICK_SMOOTH_EIGHT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_SMOOTH_EIGHT_INL_H
#undef OGEE_QUICK_SMOOTH_EIGHT_INL_H
#else
#define OGEE_QUICK_SMOOTH_EIGHT_INL_H
#endif

#include "kernels/quick/eight-inl.h"
#include "kernels/quick/logistic-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// max(x, 0) and a dip. Up to sqrt(3/32) the exponential is 1, as three roundings would be too many for what is small.
struct QuickGeluEight : QuickFixed {
  using Table = tables::GeluEight;
  HWY_INLINE FloatTruth inside(const Float* x) const { return x[0] >= -Table::high; }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float z = at_most(abs(x[0]), Table::high), half = z * 0.5, w = z * half;
    const Power p = Power::of_minus(at_least(w - 3.0 / 64, 0.0), fused(z, half, -w));
    return p.times_plus(Eight<Table>::of(z), at_least(x[0], 0.0));
  }
};
struct GeluSlopeEightForm {
  using Table = tables::GeluSlopeEight;
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(Float x) const { return x >= -Table::high; }
  HWY_INLINE Float operator()(Float x) const {
    const Float z = at_most(abs(x), Table::high);
    const Float p = Power::of_minus_square<2>(z).times(Eight<Table>::of(z));
    return by_sign(x, p, 1.0 - p);
  }
};

// 2 sqrt(2/pi) (z + 0.044715 z^3) and what rounding left out of it.
struct TanhGeluPower {
  // The linear coefficient's first part is short, so that differences from it are exact.
  static constexpr double linear = 1.5957691216057307117597842397375, large = 1.595703125, small = linear - large;
  static constexpr double cubic = linear * 0.044715;
  static constexpr double high = 9.9;
  struct Argument {
    Float u, rest;
  };
  // z (linear + times cubic w), w = z^2 rounded: the argument itself, and with times = 3 z times its slope.
  template <int times>
  static HWY_INLINE Argument argument(Float z, Float w) {
    constexpr double factor = times * cubic, factor_large = static_cast<float>(factor);
    const Float c = Float::constant(factor_large), left_out = fused(z, z, -w);
    const Float p = fused(w, c, large);
    const Float rest =
        fused(w, c, large - p) + fused(left_out, c, fused(w, Float::constant(factor - factor_large), small));
    const Float u = z * p;
    return {u, fused(z, rest, fused(z, p, -u))};
  }
  static HWY_INLINE Power of_minus(Float z, Float w) {
    const Argument a = argument<1>(z, w);
    return Power::of_minus(a.u, a.rest);
  }
};
struct QuickTanhGeluEight : QuickFixed {
  HWY_INLINE FloatTruth inside(const Float* x) const { return x[0] >= -TanhGeluPower::high; }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float z = at_most(x[0], TanhGeluPower::high);
    return x[0] / TanhGeluPower::of_minus(z, z * z).plus_one();
  }
};
// x/(1 + exp(-1.702 x)) and its slope
struct QuickGeluPower {
  static constexpr double factor = 1.702, large = 1.702f, small = factor - large;
  static constexpr double high = 48;
  static HWY_INLINE Float rest(Float x, Float z) {
    return fused(x, Float::constant(small), fused(x, Float::constant(large), -z));
  }
  static HWY_INLINE Power power(Float x) {
    const Float z = x * large;
    return Power::of_minus(z, rest(x, z));
  }
  static HWY_INLINE SelfGatedSlope::Left left(Float x) {
    const Float z = x * large, left_out = rest(x, z);
    return SelfGatedSlope::left(Power::of_minus(z, left_out), z, left_out);
  }
};
struct QuickLogisticGeluEight : QuickFixed {
  using P = QuickGeluPower;
  HWY_INLINE FloatTruth inside(const Float* x) const { return x[0] >= -P::high; }
  HWY_INLINE Float operator()(const Float* x) const { return x[0] / P::power(at_most(x[0], P::high)).plus_one(); }
};
struct LogisticGeluSlopeEightForm {
  using P = QuickGeluPower;
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(Float x) const { return x >= -P::high; }
  HWY_INLINE Float operator()(Float x) const { return P::left(at_most(abs(x), P::high)).at_exactly(x); }
};

// 1.375 x/(1 + exp(-x))
struct QuickESwishEight : Quick {
  HWY_INLINE bool load(const double* p) { return p[0] == 1.375; }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(Logistic::above(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float m = x[0] * 1.375;
    return exact_quotient(m, fused(x[0], Float::constant(1.375), -m), Logistic::power(x[0]));
  }
};

// Its slope, for any factor that leaves the product a normal number.
struct QuickESwishSlopeEight : Quick {
  Float beta;
  HWY_INLINE bool load(const double* p) {
    beta = Float::constant(p[0]);
    return p[0] > 1e-3 && p[0] < 1e3;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return x[0] >= -SelfGatedSlope::high; }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Float z = at_most(abs(x[0]), SelfGatedSlope::high);
    d[0] = SelfGatedSlope::left(Power::of_minus(z), z).times_exactly(beta, x[0]);
  }
};

// x*tanh(x) = |x| z (tanh(z)/z)
struct QuickLishtEight : QuickFixed {
  using Table = tables::LishtEight;
  HWY_INLINE FloatTruth inside(const Float* x) const { return abs(x[0]) <= 1e37; }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float a = abs(x[0]), z = at_most(a, Table::high);
    return Eight<Table>::find(z).times(a * z);
  }
};

// x (1 - e r(e)) right of 0, x e r(e) left of it, with e = exp(-|x|)
struct QuickMishEight : QuickFixed {
  static constexpr double high = 87;
  HWY_INLINE FloatTruth inside(const Float* x) const { return x[0] >= -high; }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float z = at_most(x[0], high);  // beyond, what is multiplied with it has vanished
    const Power p = Power::of_minus(abs(z));
    return p.times_plus(Eight<tables::MishEight>::find(p.value(), z).times(z), at_least(x[0], 0.0));
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
