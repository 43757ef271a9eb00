// The quick forms of src/functions/learned.inc.
#if defined(OGEE_QUICK_LEARNED_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_LEARNED_INL_H
#undef OGEE_QUICK_LEARNED_INL_H
#else
#define OGEE_QUICK_LEARNED_INL_H
#endif

#include "kernels/quick/forms-inl.h"
#include "kernels/quick/learned_arctan-inl.h"
#include "kernels/quick/learned_curves-inl.h"
#include "kernels/quick/learned_gates-inl.h"
#include "kernels/quick/learned_hinges-inl.h"
#include "kernels/quick/learned_normal-inl.h"
#include "kernels/quick/learned_snake-inl.h"
#include "kernels/quick/learned_xielu-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

template <>
struct QuickValue<SwishBeta> : Quick {
  ScaledSigmoid gate;
  HWY_INLINE bool load(const double* p) {
    gate.load(p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(gate.above(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const { return gate.times(x[0], x[0]); }
};

template <>
struct QuickSlopes<SwishBeta> : QuickAll {  // by beta: x^2 s(z) s(-z)
  ScaledSigmoid gate;
  HWY_INLINE bool load(const double* p) {
    gate.load(p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return gate.within(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto z = gate.point(x[0]);
    const auto s = gate.sides(z);
    d[0] = gate.slope(s, z);
    d[1] = x[0] * (x[0] * s.slope());
  }
};

// z = (p1 - p2) x, w = beta z: by x (p1 - p2) g(w) + p2 with g the slope of w s(w), by p1 x g(w), by p2 x g(-w), by
// beta z^2 s'(w)
template <>
struct QuickValue<AconC> : Quick {
  ScaledSigmoid gate;
  Float rise, p2;
  HWY_INLINE bool load(const double* p) {
    rise = Float::constant(p[0] - p[1]);
    p2 = Float::constant(p[1]);
    gate.load(p[2] * (p[0] - p[1]));
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(gate.above(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const { return fused(p2, x[0], gate.times(rise * x[0], x[0])); }
};

template <>
struct QuickSlopes<AconC> : QuickAll {
  ScaledSigmoid gate;
  Float rise, p2;
  HWY_INLINE bool load(const double* p) {
    rise = Float::constant(p[0] - p[1]);
    p2 = Float::constant(p[1]);
    gate.load(p[2] * (p[0] - p[1]));
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return gate.within(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto w = gate.point(x[0]);
    const auto s = gate.sides(w);
    const auto slopes = gate.slopes(s, w);
    const FloatTruth left = w.z < 0.0;
    const Float g = select(left, slopes.left, slopes.right), z = rise * x[0];
    d[0] = fused(rise, g, p2);
    d[1] = x[0] * g;
    d[2] = x[0] * select(left, slopes.right, slopes.left);
    d[3] = z * (z * s.slope());
  }
};

// tanh(z) = 1 - 2 s(-2 z), its slope 4 s(2 z) s(-2 z)
template <>
struct QuickValue<DynamicTanh> : Quick {
  ScaledTanh form;
  Float gain, bias;
  HWY_INLINE bool load(const double* p) {
    gain = Float::constant(p[0]);
    bias = Float::constant(p[2]);
    form.load(p[1]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return form.inside(x[0]); }
  HWY_INLINE Float operator()(const Float* x) const { return form.times(gain, x[0]) + bias; }
};

template <>
struct QuickSlopes<DynamicTanh> : QuickAll {
  ScaledSigmoid gate;
  Float gain4, alpha;
  HWY_INLINE bool load(const double* p) {
    gain4 = Float::constant(4 * p[0]);
    alpha = Float::constant(p[1]);
    gate.load(2 * p[1]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return gate.within(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto z = gate.point(x[0]);
    const auto s = gate.sides(z);
    const Float k = gain4 * s.slope();
    d[0] = alpha * k;
    d[1] = with_sign_of(2.0 * s.half(), z.z);
    d[2] = x[0] * k;
    d[3] = Float::constant(1.0);
  }
};

// x (g (1 + 2 alpha) - alpha); by alpha x (2 g - 1), and 2 g - 1 = 2 sigmoid(x) - 1 = tanh(x/2), = erf(x/sqrt 2)
template <class Gate>
struct QuickExpanded : Quick {
  Gate gate;
  Float factor, alpha, minus_alpha;
  HWY_INLINE bool load(const double* p) {
    gate.load();
    factor = Float::constant(1 + 2 * p[0]);
    alpha = Float::constant(p[0]);
    minus_alpha = -alpha;
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(gate.inside(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const { return factor * gate.times(x[0], x[0]) - alpha * x[0]; }
};

OGEE_QUICK_BY(QuickValue, Xsilu, QuickExpanded<SigmoidForm>, QuickExpanded<LogisticForm>)
OGEE_QUICK_BY(QuickValue, Xgelu, QuickExpanded<NormalForm>, QuickExpanded<NormalEightForm>)

template <>
struct QuickSlopes<Xgelu> : QuickAll, Expansion {
  NormalParts normal;
  HWY_INLINE bool load(const double* p) {
    normal.load();
    expand(p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return normal.above(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto parts = normal.parts(x[0]);
    d[0] = fused(factor, parts.slope(x[0]), minus_alpha);
    const Float z = abs(x[0]);
    d[1] = select(z < 1.0, (z * z) * parts.near(), z * parts.far());
  }
};

template <>
struct QuickSlopes<Xsilu> : QuickAll, Expansion {
  SigmoidSides gate;
  HWY_INLINE bool load(const double* p) {
    gate.load();
    expand(p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return gate.above(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Float z = gate.magnitude(x[0]);
    const auto s = gate.sides(z);
    d[0] = fused(factor, silu_slope(s, z, x[0]), minus_alpha);
    d[1] = abs(x[0]) * (2.0 * s.half());
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
