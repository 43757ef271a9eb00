// The quick forms of src/functions/gated.inc.
#if defined(OGEE_QUICK_GATED_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_GATED_INL_H
#undef OGEE_QUICK_GATED_INL_H
#else
#define OGEE_QUICK_GATED_INL_H
#endif

#include "kernels/quick/forms-inl.h"

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
OGEE_QUICK(QuickValue, Geglu, QuickSelfGatedProduct<NormalForm>)
OGEE_QUICK(QuickValue, GegluTanh, QuickSelfGatedProduct<TanhGateForm>)
OGEE_QUICK(QuickSlopes, Swiglu, QuickGatedSlopes<SigmoidForm, SiluSlopeForm>)
OGEE_QUICK(QuickSlopes, Geglu, QuickGatedSlopes<NormalForm, GeluSlopeForm>)
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
struct QuickSlopes<Glu> : Quick {
  SigmoidForm gate;
  EvenForm<tables::SigmoidSlope> slope;
  HWY_INLINE bool load(const double*) {
    gate.load();
    slope.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return slope.inside(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    d[0] = slope(x[0]) * x[1];
    d[1] = gate(x[0]);
  }
};

template <>
struct QuickSlopes<Gtu> : Quick {
  SigmoidForm gate;
  EvenForm<tables::SigmoidSlope> gate_slope;
  TanhForm form;
  EvenForm<tables::TanhSlope> form_slope;
  HWY_INLINE bool load(const double*) {
    gate.load();
    gate_slope.load();
    form.load();
    form_slope.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const {
    return {hn::And(gate_slope.inside(x[0]).m, form_slope.inside(x[1]).m)};
  }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    d[0] = gate_slope(x[0]) * form(x[1]);
    d[1] = gate.times(form_slope(x[1]), x[0]);
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
  HWY_INLINE FloatTruth inside(const Float* x) const { return gate.inside(x[0]); }
  HWY_INLINE Float operator()(const Float* x) const { return (factor * gate(x[0]) - alpha) * x[1]; }
};

OGEE_QUICK(QuickValue, Xswiglu, QuickExpandedGate<SigmoidForm>)
OGEE_QUICK(QuickValue, Xgeglu, QuickExpandedGate<NormalForm>)

template <>
struct QuickSlopes<Xswiglu> : QuickAll {
  SigmoidForm gate;
  EvenForm<tables::SigmoidSlope> slope;
  TanhForm centred;
  double factor, alpha;
  HWY_INLINE bool load(const double* p) {
    gate.load();
    slope.load();
    centred.load();
    factor = 1 + 2 * p[0];
    alpha = p[0];
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return slope.inside(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    d[0] = factor * slope(x[0]) * x[1];
    d[1] = factor * gate(x[0]) - alpha;
    d[2] = centred(0.5 * x[0]) * x[1];
  }
};

#endif  // AVX-512

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
