// The functions everybody uses, as 32 polynomials looked up in registers: on AVX-512 a permute of two registers finds a
// coefficient for each of 16 lanes, which costs less than an exponential and a division (measured: 0.08 to 0.1 ns an
// element where the formula takes 0.17 to 0.4). Lanes outside a table's range, and NaN, take the formula instead.
//
// QuickValue<F> and QuickSlopes<F> exist for some F. Loaded with the parameters' values, they say whether they serve
// these, which lanes they serve (`inside`), and give the value, or the partial derivatives by the inputs. (No
// constructors: an implicit one would not be compiled for the target.) Their errors, like all others, are measured by
// `ogee accuracy`.
#if defined(OGEE_QUICK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_INL_H
#undef OGEE_QUICK_INL_H
#else
#define OGEE_QUICK_INL_H
#endif

#include <cstddef>
#include <utility>

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86

// Where y is neither infinite nor NaN.
HWY_INLINE FloatTruth finite(FloatTruth mask, Float y) {
  return {hn::And(mask.m, (abs(y) < std::numeric_limits<double>::infinity()).m)};
}
HWY_INLINE FloatTruth always() { return {hn::FirstN(SingleTag(), hn::MaxLanes(SingleTag()))}; }

struct MishForm {
  Piecewise<tables::MishGate> gate;
  HWY_INLINE void load() { gate.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return x >= tables::MishGate::low; }
  HWY_INLINE Float times(Float m, Float x) const { return gate.times(m, at_most(x, tables::MishGate::high)); }
};
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

struct Quick {
  static constexpr bool exists = true;
  static constexpr bool parameters = false;
  static HWY_INLINE FloatTruth everywhere(const Float*) { return always(); }
};

// x*gate(x), gate(x), and their likes.
template <class Gate>
struct QuickGate : Quick {
  Gate gate;
  HWY_INLINE bool load(const double*) {
    gate.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return gate.inside(x[0]); }
  HWY_INLINE Float operator()(const Float* x) const { return gate(x[0]); }
};
template <class Gate>
struct QuickSelfGated : QuickGate<Gate> {
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(this->gate.inside(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const { return this->gate.times(x[0], x[0]); }
};
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
template <class Form>
struct QuickSlope : Quick {
  Form slope;
  HWY_INLINE bool load(const double*) {
    slope.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return slope.inside(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const { d[0] = slope(x[0]); }
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
#define OGEE_QUICK(kind, function, ...) \
  template <>                           \
  struct kind<function> : __VA_ARGS__ {};

using SigmoidForm = SymmetricGate<tables::SigmoidTail>;
using NormalForm = SymmetricGate<tables::NormalTail>;
using TanhGateForm = SymmetricGate<tables::TanhGateTail>;
using SiluSlopeForm = SymmetricGate<tables::SiluSlopeTail>;
using GeluSlopeForm = SymmetricGate<tables::GeluSlopeTail>;
using TanhGateSlopeForm = SymmetricGate<tables::TanhGateSlopeTail>;
struct MishSlopeForm {
  Piecewise<tables::MishSlope> slope;
  HWY_INLINE void load() { slope.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return x >= tables::MishSlope::low; }
  HWY_INLINE Float operator()(Float x) const { return slope(at_most(x, tables::MishSlope::high)); }
};

OGEE_QUICK(QuickValue, Sigmoid, QuickGate<SigmoidForm>)
OGEE_QUICK(QuickValue, NormalCdf, QuickGate<NormalForm>)
OGEE_QUICK(QuickValue, Silu, QuickSelfGated<SigmoidForm>)
OGEE_QUICK(QuickValue, Gelu, QuickSelfGated<NormalForm>)
OGEE_QUICK(QuickValue, GeluTanh, QuickSelfGated<TanhGateForm>)
OGEE_QUICK(QuickValue, Mish, QuickSelfGated<MishForm>)
OGEE_QUICK(QuickValue, Glu, QuickProduct<SigmoidForm>)
OGEE_QUICK(QuickValue, Swiglu, QuickSelfGatedProduct<SigmoidForm>)
OGEE_QUICK(QuickValue, Geglu, QuickSelfGatedProduct<NormalForm>)
OGEE_QUICK(QuickValue, GegluTanh, QuickSelfGatedProduct<TanhGateForm>)
OGEE_QUICK(QuickSlopes, Sigmoid, QuickSlope<EvenForm<tables::SigmoidSlope>>)
OGEE_QUICK(QuickSlopes, Tanh, QuickSlope<EvenForm<tables::TanhSlope>>)
OGEE_QUICK(QuickSlopes, Erf, QuickSlope<EvenForm<tables::ErfSlope>>)
OGEE_QUICK(QuickSlopes, NormalCdf, QuickSlope<EvenForm<tables::NormalDensity>>)
OGEE_QUICK(QuickSlopes, Silu, QuickSlope<SiluSlopeForm>)
OGEE_QUICK(QuickSlopes, Gelu, QuickSlope<GeluSlopeForm>)
OGEE_QUICK(QuickSlopes, GeluTanh, QuickSlope<TanhGateSlopeForm>)
OGEE_QUICK(QuickSlopes, Mish, QuickSlope<MishSlopeForm>)
OGEE_QUICK(QuickSlopes, Swiglu, QuickGatedSlopes<SigmoidForm, SiluSlopeForm>)
OGEE_QUICK(QuickSlopes, Geglu, QuickGatedSlopes<NormalForm, GeluSlopeForm>)
OGEE_QUICK(QuickSlopes, GegluTanh, QuickGatedSlopes<TanhGateForm, TanhGateSlopeForm>)
template <>
struct QuickValue<Tanh> : Quick {
  TanhForm form;
  HWY_INLINE bool load(const double*) {
    form.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return everywhere(x); }
  HWY_INLINE Float operator()(const Float* x) const { return form(x[0]); }
};
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

// x*sigmoid(beta*x), for the beta that nearly everybody has: 1
template <class Base>
struct WithBetaOne : Base {
  HWY_INLINE bool load(const double* p) { return Base::load(p) && p[0] == 1; }
};
OGEE_QUICK(QuickValue, Swish, WithBetaOne<QuickSelfGated<SigmoidForm>>)
OGEE_QUICK(QuickSlopes, Swish, WithBetaOne<QuickSlope<SiluSlopeForm>>)
OGEE_QUICK(QuickValue, SwishBeta, WithBetaOne<QuickSelfGated<SigmoidForm>>)

// Derivatives by parameters too: d holds the inputs', then the parameters'.
struct QuickAll : Quick {
  static constexpr bool parameters = true;
};
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

#undef OGEE_QUICK
#endif  // AVX-512

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
