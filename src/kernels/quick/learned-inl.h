// The quick forms of src/functions/learned.inc.
#if defined(OGEE_QUICK_LEARNED_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_LEARNED_INL_H
#undef OGEE_QUICK_LEARNED_INL_H
#else
#define OGEE_QUICK_LEARNED_INL_H
#endif

#include "kernels/quick/forms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86

OGEE_QUICK(QuickValue, SwishBeta, WithBetaOne<QuickSelfGated<SigmoidForm>>)

template <>
struct QuickSlopes<SwishBeta> : QuickAll {  // by beta: x^2 s(x) s(-x)
  SiluSlopeForm slope;
  EvenForm<tables::SigmoidSlope> gate_slope;
  HWY_INLINE bool load(const double* p) {
    slope.load();
    gate_slope.load();
    return p[0] == 1;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return gate_slope.inside(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    d[0] = slope(x[0]);
    d[1] = x[0] * (x[0] * gate_slope(x[0]));
  }
};

template <>
struct QuickSlopes<DynamicTanh> : QuickAll {
  TanhForm form;
  EvenForm<tables::TanhSlope> slope;
  double gain, alpha;
  HWY_INLINE bool load(const double* p) {
    form.load();
    slope.load();
    gain = p[0];
    alpha = p[1];
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return slope.inside(alpha * x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Float z = alpha * x[0], k = gain * slope(z);
    d[0] = alpha * k;
    d[1] = form(z);
    d[2] = x[0] * k;
    d[3] = Float::constant(1.0);
  }
};

template <>
struct QuickSlopes<Prelu> : QuickAll {
  double p;
  HWY_INLINE bool load(const double* parameter) {
    p = parameter[0];
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return everywhere(x); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const FloatTruth right = x[0] > 0.0;
    d[0] = select(is_nan(x[0]), x[0], select(right, 1.0, Float::constant(p)));
    d[1] = select(right, 0.0, x[0]);
  }
};

template <>
struct QuickSlopes<StarRelu> : QuickAll {
  double scale;
  HWY_INLINE bool load(const double* parameter) {
    scale = parameter[0];
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return everywhere(x); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Float r = at_least(x[0], 0.0);
    d[0] = (2.0 * scale) * r;
    d[1] = r * r;
    d[2] = select(is_nan(x[0]), x[0], Float::constant(1.0));
  }
};

// x (g (1 + 2 alpha) - alpha); by alpha x (2 g - 1), and 2 g - 1 = 2 sigmoid(x) - 1 = tanh(x/2), = erf(x/sqrt 2)
template <class Gate>
struct QuickExpanded : Quick {
  Gate gate;
  double factor, alpha;
  HWY_INLINE bool load(const double* p) {
    gate.load();
    factor = 1 + 2 * p[0];
    alpha = p[0];
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(gate.inside(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const { return factor * gate.times(x[0], x[0]) - alpha * x[0]; }
};

OGEE_QUICK(QuickValue, Xsilu, QuickExpanded<SigmoidForm>)
OGEE_QUICK(QuickValue, Xgelu, QuickExpanded<NormalForm>)

template <>
struct QuickSlopes<Xsilu> : QuickAll {
  SiluSlopeForm slope;
  TanhForm centred;
  double factor, alpha;
  HWY_INLINE bool load(const double* p) {
    slope.load();
    centred.load();
    factor = 1 + 2 * p[0];
    alpha = p[0];
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return slope.inside(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    d[0] = factor * slope(x[0]) - alpha;
    d[1] = x[0] * centred(0.5 * x[0]);
  }
};

#endif  // AVX-512

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
