// The quick forms of src/functions/exponential.inc for vectors that are too short for 32 polynomials: by 8 of them, by
// an exponential, or both.
#if defined(OGEE_QUICK_EXPONENTIAL_EIGHT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_EXPONENTIAL_EIGHT_INL_H
#undef OGEE_QUICK_EXPONENTIAL_EIGHT_INL_H
#else
#define OGEE_QUICK_EXPONENTIAL_EIGHT_INL_H
#endif

#include "kernels/quick/eight-inl.h"
#include "kernels/quick/logistic-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// tanh(x/divisor)
template <int divisor>
struct TanhEightForm {
  using Table = tables::TanhEight;
  HWY_INLINE void load() {}
  HWY_INLINE Float operator()(Float x) const {
    const Float a = abs(x), z = at_most(divisor == 1 ? a : a * (1.0 / divisor), Table::high);
    return with_sign_of(Eight<Table>::of(z), x);
  }
};
struct ErfEightForm {
  using Table = tables::ErfEight;
  HWY_INLINE void load() {}
  HWY_INLINE Float operator()(Float x) const {
    const Float z = at_most(abs(x), Table::high);
    return Eight<Table>::find(z).times(with_sign_of(z, x));
  }
};
struct ArctanEightForm {
  using Table = tables::ArctanEight;
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const { return at_most_too(before, abs(x), Table::high); }
  HWY_INLINE Float operator()(Float x) const { return with_sign_of(Eight<Table>::of(abs(x)), x); }
};
// x (x^2 g), with what the rounding of x^2 left out.
struct TanhshrinkEightForm {
  using Table = tables::TanhshrinkEight;
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const { return at_most_too(before, abs(x), Table::high); }
  HWY_INLINE Float operator()(Float x) const {
    const auto found = Eight<Table>::find(abs(x));
    const Float w = x * x, rest = fused(x, x, -w), c = found.c<0>();
    return x * fused(w, c, fused(w * found.t, found.horner<1>(), rest * c));
  }
};
using TanhSlopeEight = LogisticSlopeForm<2, 4>;
using BipolarSlopeEight = LogisticSlopeForm<1, 2>;

// Phi(-z) = exp(-z^2/2) times what a table has.
struct NormalEightForm {
  using Table = tables::NormalEight;
  HWY_INLINE void load() {}
  static HWY_INLINE Float tail(Float z) { return Power::of_minus_square<2>(z).times(Eight<Table>::of(z)); }
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const { return at_least_too(before, x, -Table::high); }
  HWY_INLINE Float operator()(Float x) const {
    const Float p = tail(at_most(abs(x), Table::high));
    return by_sign(x, p, 1.0 - p);
  }
  HWY_INLINE FloatTruth inside(Float x) const { return x >= -Table::high; }
  HWY_INLINE Float times(Float m, Float x) const {
    const Float z = at_most(abs(x), Table::high);
    const Float p = Power::of_minus_square<2>(z).times(Eight<Table>::find(z).times(m));
    return by_sign(x, p, m - p);
  }
};

// exp(-x^2/divisor), and scaled: the slopes of erf and of the normal distribution, and, times x, its own
template <int divisor>
struct SquarePowerForm {
  static constexpr double high = divisor == 1 ? 9.3 : 13.1;
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const { return at_most_too(before, abs(x), high); }
  HWY_INLINE Float operator()(Float x) const { return Power::of_minus_square<divisor>(at_most(abs(x), high)).value(); }
};
using GaussianEightForm = SquarePowerForm<1>;
struct ErfSlopeEight : SquarePowerForm<1> {
  HWY_INLINE Float operator()(Float x) const { return SquarePowerForm::operator()(x) * 1.12837916709551257390; }
};
struct NormalDensityEight : SquarePowerForm<2> {
  HWY_INLINE Float operator()(Float x) const { return SquarePowerForm::operator()(x) * 0.39894228040143267794; }
};
struct GaussianSlopeEight : SquarePowerForm<1> {
  HWY_INLINE Float operator()(Float x) const { return SquarePowerForm::operator()(x) * (x * -2.0); }
};

// max(x, 0) + log(1 + exp(-|x|)); or its mirror image
template <bool mirrored>
struct SoftplusEightForm {
  static constexpr double high = 87;
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const {
    return mirrored ? at_most_too(before, x, high) : at_least_too(before, x, -high);
  }
  HWY_INLINE Float operator()(Float x) const {
    const Power p = Power::of_minus(at_most(abs(x), high));
    const Float ratio = Eight<tables::LogEight>::of(p.value());
    return mirrored ? p.times_plus(-ratio, at_most(x, 0.0)) : p.times_plus(ratio, at_least(x, 0.0));
  }
};

// positive*x right of 0, negative*(exp(x) - 1) left of it
template <bool right_scaled, bool left_scaled>
struct QuickEluEight : Quick {
  static constexpr bool total = true;
  double positive, large, small;
  HWY_INLINE bool load(double p, double n) {
    positive = p;
    large = static_cast<float>(n);
    small = n - large;
    return true;
  }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float right = at_least(x[0], 0.0);
    Float left = Power::of(at_least(at_most(x[0], 0.0), -17.5)).minus_one();
    if constexpr (left_scaled) left = fused(left, Float::constant(large), left * small);
    // One of both is 0: -0, so that the other one's sign counts.
    left = {hn::Or(left.v, hn::SignBit(SingleTag()))};
    return right_scaled ? fused(right, Float::constant(positive), left) : right + left;
  }
};
struct QuickEluSlopeEight : Quick {
  double positive, negative;
  HWY_INLINE bool load(double p, double n) {
    positive = p;
    negative = n;
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return x[0] >= -87.0; }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Float left = Power::of(at_most(x[0], 0.0)).value() * negative;
    d[0] = select(x[0] > 0.0, positive, left);
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
