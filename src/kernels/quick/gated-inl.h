// The quick forms of src/functions/gated.inc.
#if defined(OGEE_QUICK_GATED_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_GATED_INL_H
#undef OGEE_QUICK_GATED_INL_H
#else
#define OGEE_QUICK_GATED_INL_H
#endif

#include "kernels/quick/forms-inl.h"
#include "kernels/quick/learned_gates-inl.h"
#include "kernels/quick/learned_normal-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86

template <class Gate>
struct QuickProduct : QuickGate<Gate> {  // gate(a)*b
  HWY_INLINE Float operator()(const Float* x) const { return this->gate(x[0]) * x[1]; }
};

template <class Gate>
struct QuickSelfGatedProduct : QuickGate<Gate> {  // a*gate(a)*b
  // a*b first: where it is subnormal, so is the result; where it overflows, the result is not finite, and is taken from
  // the exact arithmetic.
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(this->gate.inside(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const { return this->gate.times(x[0] * x[1], x[0]); }
};

// a*gate(a)*b: by a slope(a)*b, by b a*gate(a)
template <class Gate, class Slope>
struct QuickGatedSlopes : Quick {
  Gate gate;
  Slope slope;
  HWY_INLINE bool load(const double*) {
    gate.load();
    slope.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return finite(slope.inside(x[0]), x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    d[0] = slope(x[0]) * x[1];
    d[1] = gate.times(x[0], x[0]);
  }
};

OGEE_QUICK(QuickValue, Glu, QuickProduct<SigmoidForm>)
OGEE_QUICK(QuickValue, Swiglu, QuickSelfGatedProduct<SigmoidForm>)
OGEE_QUICK(QuickValue, GegluTanh, QuickSelfGatedProduct<TanhGateForm>)
OGEE_QUICK(QuickSlopes, GegluTanh, QuickGatedSlopes<TanhGateForm, TanhGateSlopeForm>)

template <>
struct QuickValue<Gtu> : Quick {
  SigmoidForm gate;
  TanhForm form;
  HWY_INLINE bool load(const double*) {
    gate.load();
    form.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return gate.inside(x[0]); }
  HWY_INLINE Float operator()(const Float* x) const { return gate.times(form(x[1]), x[0]); }
};

template <>
struct QuickSlopes<Swiglu> : Quick {
  SigmoidSides gate;
  HWY_INLINE bool load(const double*) {
    gate.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return gate.above(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Float z = gate.magnitude(x[0]);
    const auto s = gate.sides(z);
    d[0] = silu_slope(s, z, x[0]) * x[1];
    d[1] = x[0] * s.at(x[0]);
  }
};

template <>
struct QuickSlopes<Glu> : Quick {
  SigmoidSides gate;
  HWY_INLINE bool load(const double*) {
    gate.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return gate.within(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto s = gate.sides(gate.magnitude(x[0]));
    d[0] = s.slope() * x[1];
    d[1] = s.at(x[0]);
  }
};

// tanh(b) is made of sigmoid(-2|b|), too: one table serves both.
template <>
struct QuickSlopes<Gtu> : Quick {
  SigmoidSides gate;
  HWY_INLINE bool load(const double*) {
    gate.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const {
    return {hn::And(gate.within(x[0]).m, gate.within(2.0 * x[1]).m)};
  }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto s = gate.sides(gate.magnitude(x[0])), t = gate.sides(gate.magnitude(2.0 * x[1]));
    d[0] = s.slope() * with_sign_of(2.0 * t.half, x[1]);
    d[1] = s.at(x[0]) * (4.0 * t.slope());
  }
};

// (g (1 + 2 alpha) - alpha) b
template <class Gate>
struct QuickExpandedGate : Quick {
  Gate gate;
  double factor, alpha;
  HWY_INLINE bool load(const double* p) {
    gate.load();
    factor = 1 + 2 * p[0];
    alpha = p[0];
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(gate.inside(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const {
    return fused(Float::constant(-alpha), x[1], gate.times(factor * x[1], x[0]));
  }
};

OGEE_QUICK(QuickValue, Xswiglu, QuickExpandedGate<SigmoidForm>)
OGEE_QUICK(QuickValue, Xgeglu, QuickExpandedGate<NormalForm>)

template <>
struct QuickValue<Geglu> : Quick {
  TwoSided<tables::NormalTail> gate;
  HWY_INLINE bool load(const double*) {
    gate.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(gate.above(x[0]), y); }
  // Far out the tail's own error leaves no room for the first product's.
  HWY_INLINE Float operator()(const Float* x) const {
    const Float m = x[0] * x[1];
    const Float y = gate.times_exactly(m, fused(x[0], x[1], -m), gate.magnitude(x[0]));
    return select(x[0] < 0.0, y, m - y);
  }
};

template <>
struct QuickSlopes<Geglu> : Quick {
  NormalParts normal;
  HWY_INLINE bool load(const double*) {
    normal.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return normal.above(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto parts = normal.parts(x[0]);
    d[0] = parts.slope(x[0]) * x[1];
    d[1] = parts.gate(x[0]) * x[0];
  }
};

template <>
struct QuickSlopes<Xgeglu> : QuickAll {
  NormalParts normal;
  double factor, alpha;
  HWY_INLINE bool load(const double* p) {
    normal.load();
    factor = 1 + 2 * p[0];
    alpha = p[0];
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return normal.within(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto parts = normal.parts(x[0]);
    d[0] = (factor * parts.density) * x[1];
    d[1] = fused(factor, parts.gate(x[0]), -alpha);
    const Float z = abs(x[0]);
    d[2] = with_sign_of(select(z < 1.0, z * parts.near(), parts.far()), x[0]) * x[1];
  }
};

template <>
struct QuickSlopes<Xswiglu> : QuickAll {
  SigmoidSides gate;
  double factor, alpha;
  HWY_INLINE bool load(const double* p) {
    gate.load();
    factor = 1 + 2 * p[0];
    alpha = p[0];
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return gate.within(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto s = gate.sides(gate.magnitude(x[0]));
    d[0] = s.slope() * (factor * x[1]);
    d[1] = fused(factor, s.at(x[0]), -alpha);
    d[2] = with_sign_of(2.0 * s.half, x[0]) * x[1];
  }
};

#endif  // AVX-512

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
