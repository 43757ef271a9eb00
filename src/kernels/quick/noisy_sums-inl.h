// A base of the noisy units at a sum of x and noise, in float32, for training: h(x + n). Errors of the value count in
// units of the largest of h, h' x and h' n; the slope is measured as it is, so that the sum has a second part there.
#if defined(OGEE_QUICK_NOISY_SUMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_NOISY_SUMS_INL_H
#undef OGEE_QUICK_NOISY_SUMS_INL_H
#else
#define OGEE_QUICK_NOISY_SUMS_INL_H
#endif

#include <cmath>
#include <type_traits>

#include "kernels/quick/forms-inl.h"
#include "kernels/quick/noisy_units-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// h(x + c e), or only where |x| is above a threshold.
template <bool saturated>
struct ShiftParameters {
  double c, threshold;
  HWY_INLINE bool set(const double* parameter) {
    c = parameter[0];
    threshold = saturated ? parameter[1] : 0;
    return std::fabs(c) <= 1e6;
  }
  HWY_INLINE Float noise(Float x, Float e) const { return saturated ? select(abs(x) > threshold, e, 0.0) : e; }
  // The sum of x and c e, c's own second part included.
  HWY_INLINE Split sum(Float x, Float e) const {
    const double c_high = static_cast<float>(c);
    const Float xi = noise(x, e), n = c_high * xi;
    const Float n_low = fused(Float::constant(c_high), xi, -n) + (c - c_high) * xi;
    const Float high = x + n, part = high - x;
    return {high, ((x - (high - part)) + (n - part)) + n_low};
  }
  HWY_INLINE Float rounded_sum(Float x, Float e) const {
    const double c_high = static_cast<float>(c);
    const Float xi = noise(x, e);
    return fused(Float::constant(c_high), xi, x) + (c - c_high) * xi;
  }
};
template <class Base, bool saturated>
struct QuickShifted;
template <bool saturated>
struct QuickShifted<TanhBase, saturated> : Quick, ShiftParameters<saturated> {
  TanhForm form;
  HWY_INLINE bool load(const double* parameter) {
    form.load();
    return this->set(parameter);
  }
  HWY_INLINE Float value(Float x, Float e, FloatTruth& inside) const {
    inside = always();
    return form(this->rounded_sum(x, e));
  }
};
template <bool saturated>
struct QuickShifted<SigmoidBase, saturated> : Quick, ShiftParameters<saturated> {
  SigmoidForm form;
  HWY_INLINE bool load(const double* parameter) {
    form.load();
    return this->set(parameter);
  }
  HWY_INLINE Float value(Float x, Float e, FloatTruth& inside) const {
    const Float z = this->rounded_sum(x, e);
    inside = form.inside(z);
    return form(z);
  }
};
template <class Base, bool saturated>
struct QuickShiftedSlope : Quick, ShiftParameters<saturated> {
  static constexpr bool of_tanh = std::is_same_v<Base, TanhBase>;
  EvenForm<std::conditional_t<of_tanh, tables::TanhSlope, tables::SigmoidSlope>> form;
  HWY_INLINE bool load(const double* parameter) {
    form.load();
    return this->set(parameter);
  }
  HWY_INLINE Float slope(Float x, Float e, FloatTruth& inside) const {
    const Split z = this->sum(x, e);
    inside = form.inside(z.high);
    // The logarithm's derivative is -2 tanh(z), or -tanh(z/2) for sigmoid: near its limit where z's second part counts.
    const Float steep =
        of_tanh ? -2.0 * at_most(at_least(z.high, -1.0), 1.0) : -0.5 * at_most(at_least(z.high, -2.0), 2.0);
    const Float y = form(z.high);
    return fused(y, steep * z.low, y);
  }
};

// The slope of a piecewise linear base: which side of its edge the sum lies on is told by both its parts.
template <bool of_sigmoid, bool saturated>
struct QuickShiftedHardSlope : Quick, ShiftParameters<saturated> {
  static constexpr double edge = of_sigmoid ? 2 : 1, du = of_sigmoid ? 0.25 : 1;
  HWY_INLINE bool load(const double* parameter) { return this->set(parameter); }
  HWY_INLINE Float slope(Float x, Float e, FloatTruth& inside) const {
    const Split z = this->sum(x, e);
    inside = abs(z.high) < 1e30;
    const Float beyond = (abs(z.high) - edge) + NoiseWeight::flipped(z.low, z.high);
    return select(beyond < 0.0, du, Float::constant(0.0));
  }
};

// h(x + delta), delta = c softplus(q) e, q = p|v|/(|e| + 1e-10), as c (p|v| + |e| log(1 + exp(-q))) with the sign of e.
template <class Base>
struct QuickPulled : Quick {
  QuickBase<Base> base, outer;
  Piecewise<tables::SoftplusTail> tail;
  double p, c;
  HWY_INLINE bool load(const double* parameter) {
    base.load();
    outer.load();
    tail.load();
    p = parameter[0];
    c = parameter[1];
    return p > 0 && p <= 100 && std::fabs(c) <= 100;
  }
  HWY_INLINE Float value(Float x, Float e, FloatTruth& inside) const {
    const Float size = abs(e), pull = p * abs(base.at(x).v), q = pull / (size + 1e-10);
    // Below 1e-6, and at 0, which has no sign, the definition's limits.
    const FloatTruth tiny = size < 1e-6;
    const Float wide = select(tiny, select(size > 0.0, pull, 0.0), q * size);
    const Float narrow = tail.times(select(tiny, 0.0, c * size), at_most(q, tables::SoftplusTail::high));
    const Float part = fused(NoiseWeight::flipped(wide, e), Float::constant(c), x);
    const Float rest = NoiseWeight::flipped(narrow, e), z = part + rest;
    inside = {hn::And((abs(x) < QuickBase<Base>::bound).m, (abs(z) < QuickBase<Base>::bound).m)};
    const Float h = outer.at(z).h;
    if constexpr (Base::piecewise) return h;
    // What the sum's rounding left out counts where z has a larger exponent than its value.
    const Float back = z - part, low = (part - (z - back)) + (rest - back);
    const Float slope = std::is_same_v<Base, TanhBase> ? fused_minus(h, h, Float::constant(1.0)) : fused_minus(h, h, h);
    const Float y = fused(slope, low, h);
    if constexpr (!std::is_same_v<Base, TanhBase>) return y;
    // Near 0 by the series of z - tanh(z), with a rounding less.
    const Float square = z * z, shrink = (z * square) * polynomial(square, Float::P::tanh_shrink);
    return select(abs(z) < 1.0, z + fused(slope, low, -shrink), y);
  }
};

// max(0, x + sqrt(sigmoid(x)) e)
struct QuickNoisyRelu : Quick {
  SigmoidForm gate;
  HWY_INLINE bool load(const double*) {
    gate.load();
    return true;
  }
  HWY_INLINE Float value(Float x, Float e, FloatTruth& inside) const {
    inside = always();  // beyond the gate's table, the sum is negative or its noise is as good as none
    const Float y = fused(sqrt(gate(x)), e, x);
    return select(y <= 0.0, 0.0, y);
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
