// The quick forms of src/functions/smooth.inc.
#if defined(OGEE_QUICK_SMOOTH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_SMOOTH_INL_H
#undef OGEE_QUICK_SMOOTH_INL_H
#else
#define OGEE_QUICK_SMOOTH_INL_H
#endif

#include "kernels/quick/forms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86

struct MishForm {
  Piecewise<tables::MishGate> gate;
  HWY_INLINE void load() { gate.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return x >= tables::MishGate::low; }
  HWY_INLINE Float times(Float m, Float x) const { return gate.times(m, at_most(x, tables::MishGate::high)); }
};

struct MishSlopeForm {
  Piecewise<tables::MishSlope> slope;
  HWY_INLINE void load() { slope.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return x >= tables::MishSlope::low; }
  HWY_INLINE Float operator()(Float x) const { return slope(at_most(x, tables::MishSlope::high)); }
};

OGEE_QUICK(QuickValue, Silu, QuickSelfGated<SigmoidForm>)
OGEE_QUICK(QuickValue, Gelu, QuickSelfGated<NormalForm>)
OGEE_QUICK(QuickValue, GeluTanh, QuickSelfGated<TanhGateForm>)
OGEE_QUICK(QuickValue, Mish, QuickSelfGated<MishForm>)
OGEE_QUICK(QuickSlopes, Silu, QuickSlope<SiluSlopeForm>)
OGEE_QUICK(QuickSlopes, Gelu, QuickSlope<GeluSlopeForm>)
OGEE_QUICK(QuickSlopes, GeluTanh, QuickSlope<TanhGateSlopeForm>)
OGEE_QUICK(QuickSlopes, Mish, QuickSlope<MishSlopeForm>)

// x*tanh(x), as |x| tanh|x|
template <>
struct QuickValue<Lisht> : Quick {
  Piecewise<tables::TanhRatio> ratio;
  HWY_INLINE bool load(const double*) {
    ratio.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return everywhere(x); }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float a = abs(x[0]), z = clamped<tables::TanhRatio>(x[0]);
    return select(z >= 9.02, a, ratio.times(a * z, z));
  }
};

// tanh(x) + x (1 - tanh(x)^2)
template <>
struct QuickSlopes<Lisht> : Quick {
  TanhForm form;
  EvenForm<tables::TanhSlope> slope;
  HWY_INLINE bool load(const double*) {
    form.load();
    slope.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return slope.inside(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const { d[0] = fused(x[0], slope(x[0]), form(x[0])); }
};

OGEE_QUICK(QuickValue, Swish, WithBetaOne<QuickSelfGated<SigmoidForm>>)
OGEE_QUICK(QuickSlopes, Swish, WithBetaOne<QuickSlope<SiluSlopeForm>>)

#endif  // AVX-512

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
