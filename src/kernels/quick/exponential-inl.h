// The quick forms of src/functions/exponential.inc.
#if defined(OGEE_QUICK_EXPONENTIAL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_EXPONENTIAL_INL_H
#undef OGEE_QUICK_EXPONENTIAL_INL_H
#else
#define OGEE_QUICK_EXPONENTIAL_INL_H
#endif

#include "kernels/quick/forms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86

// exp(min(x, 0)) - 1
struct NegativeExpm1 {
  Piecewise<tables::Expm1Ratio> ratio;
  HWY_INLINE void load() { ratio.load(); }
  HWY_INLINE Float operator()(Float x) const {
    const Float z = at_least(at_most(x, 0.0), tables::Expm1Ratio::low);
    return with_sign_of(select(z < -17.4, -1.0, ratio.times(z, z)), z);  // -0 stays so
  }
};

struct NegativeExp {
  Piecewise<tables::Exponential> power;
  HWY_INLINE void load() { power.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return x >= tables::Exponential::low; }
  HWY_INLINE Float operator()(Float x) const { return power(at_most(x, 0.0)); }
};

OGEE_QUICK(QuickValue, Sigmoid, QuickGate<SigmoidForm>)
OGEE_QUICK(QuickValue, NormalCdf, QuickGate<NormalForm>)
OGEE_QUICK(QuickSlopes, Sigmoid, QuickSlope<EvenForm<tables::SigmoidSlope>>)
OGEE_QUICK(QuickSlopes, Tanh, QuickSlope<EvenForm<tables::TanhSlope>>)
OGEE_QUICK(QuickSlopes, Erf, QuickSlope<EvenForm<tables::ErfSlope>>)
OGEE_QUICK(QuickSlopes, NormalCdf, QuickSlope<EvenForm<tables::NormalDensity>>)

template <>
struct QuickValue<Tanh> : Quick {
  TanhForm form;
  HWY_INLINE bool load(const double*) {
    form.load();
    return true;
  }
  static constexpr bool total = true;
  HWY_INLINE Float operator()(const Float* x) const { return form(x[0]); }
};

template <>
struct QuickValue<Erf> : Quick {
  Piecewise<tables::ErfRatio> ratio;
  HWY_INLINE bool load(const double*) {
    ratio.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return everywhere(x); }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float z = clamped<tables::ErfRatio>(x[0]);
    return with_sign_of(select(z >= 3.92, 1.0, ratio.times(z, z)), x[0]);
  }
};

// positive*x right of 0, negative*(exp(x) - 1) left of it
struct QuickElu : Quick {
  NegativeExpm1 left;
  double positive, negative;
  HWY_INLINE bool load(double p, double n) {
    left.load();
    positive = p;
    negative = n;
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return everywhere(x); }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float e = left(x[0]);
    // The factor in two parts, as a float's rounding of it counts.
    const double high = static_cast<float>(negative);
    return select(x[0] > 0.0, positive * x[0], fused(e, Float::constant(high), e * (negative - high)));
  }
};

template <>
struct QuickValue<Elu> : QuickElu {
  HWY_INLINE bool load(const double* p) { return QuickElu::load(1, p[0]); }
};

template <>
struct QuickValue<Selu> : QuickElu {
  HWY_INLINE bool load(const double*) { return QuickElu::load(1.0507009873554804934193, 1.7580993408473768599402); }
};

template <>
struct QuickValue<Celu> : QuickElu {
  HWY_INLINE bool load(const double* p) { return QuickElu::load(1, 1) && p[0] == 1; }
};

struct QuickEluSlope : Quick {
  NegativeExp left;
  double positive, negative;
  HWY_INLINE bool load(double p, double n) {
    left.load();
    positive = p;
    negative = n;
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return left.inside(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    d[0] = select(x[0] > 0.0, positive, negative * left(x[0]));
  }
};

template <>
struct QuickSlopes<Elu> : QuickEluSlope {
  HWY_INLINE bool load(const double* p) { return QuickEluSlope::load(1, p[0]); }
};

template <>
struct QuickSlopes<Selu> : QuickEluSlope {
  HWY_INLINE bool load(const double*) {
    return QuickEluSlope::load(1.0507009873554804934193, 1.7580993408473768599402);
  }
};

template <>
struct QuickSlopes<Celu> : QuickEluSlope {
  HWY_INLINE bool load(const double* p) { return QuickEluSlope::load(1, 1) && p[0] == 1; }
};

template <>
struct QuickValue<Softplus> : Quick {
  Piecewise<tables::SoftplusTail> tail;
  HWY_INLINE bool load(const double* p) {
    tail.load();
    return p[0] == 1;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return x[0] >= -tables::SoftplusTail::high; }
  HWY_INLINE Float operator()(const Float* x) const {
    return at_least(x[0], 0.0) + tail(clamped<tables::SoftplusTail>(x[0]));
  }
};

template <>
struct QuickSlopes<Softplus> : Quick {
  SigmoidForm gate;
  HWY_INLINE bool load(const double* p) {
    gate.load();
    return p[0] == 1;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return gate.inside(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const { d[0] = gate(x[0]); }
};

template <>
struct QuickValue<LogSigmoid> : Quick {
  Piecewise<tables::SoftplusTail> tail;
  HWY_INLINE bool load(const double*) {
    tail.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return x[0] <= tables::SoftplusTail::high; }
  HWY_INLINE Float operator()(const Float* x) const {
    return at_most(x[0], 0.0) - tail(clamped<tables::SoftplusTail>(x[0]));
  }
};

template <>
struct QuickSlopes<LogSigmoid> : Quick {
  SigmoidForm gate;
  HWY_INLINE bool load(const double*) {
    gate.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return gate.inside(-x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const { d[0] = gate(-x[0]); }
};

template <>
struct QuickValue<BipolarSigmoid> : Quick {
  TanhForm form;
  HWY_INLINE bool load(const double*) {
    form.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return everywhere(x); }
  HWY_INLINE Float operator()(const Float* x) const { return form(0.5 * x[0]); }
};

template <>
struct QuickSlopes<BipolarSigmoid> : Quick {
  EvenForm<tables::TanhSlope> slope;
  HWY_INLINE bool load(const double*) {
    slope.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return slope.inside(0.5 * x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const { d[0] = 0.5 * slope(0.5 * x[0]); }
};

#endif  // AVX-512

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
