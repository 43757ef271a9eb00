// The quick forms of src/functions/gated.inc.
#if defined(OGEE_QUICK_GATED_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_GATED_INL_H
#undef OGEE_QUICK_GATED_INL_H
#else
#define OGEE_QUICK_GATED_INL_H
#endif

#include "kernels/quick/forms-inl.h"
#include "kernels/quick/gated_arctan-inl.h"
#include "kernels/quick/gated_eight-inl.h"
#include "kernels/quick/gated_scaled-inl.h"
#include "kernels/quick/learned_gates-inl.h"
#include "kernels/quick/learned_normal-inl.h"
#include "kernels/quick/logistic-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

template <class Gate>
struct QuickProduct : QuickGate<Gate> {  // gate(a)*b
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(this->gate.inside(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const { return this->gate.times(x[1], x[0]); }
};

// a*gate(a)*b, the gate a table's. a*b first: where it is subnormal, so is the result; where it overflows, the result
// is not finite, and is taken from the exact arithmetic. In the tail, whose own error leaves little room for that
// product's, what rounding left out of it is given back.
template <class Table>
struct QuickSelfGatedProduct : Quick {
  TwoSided<Table> gate;
  HWY_INLINE bool load(const double*) {
    gate.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite_product(gate.above(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float m = x[0] * x[1];
    const FloatTruth left = x[0] < 0.0;
    const Float rest = select(left, fused(x[0], x[1], -m), 0.0);
    const Float y = gate.times_exactly(m, rest, gate.magnitude(x[0]));
    return select(left, y, m - y);
  }
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

using QuickTanhGegluSlopes = QuickGatedSlopes<TanhGateForm, TanhGateSlopeForm>;

OGEE_QUICK_BY(QuickValue, Glu, QuickProduct<SigmoidForm>, QuickProduct<LogisticForm>)
OGEE_QUICK_BY(QuickValue, Swiglu, QuickSelfGatedProduct<tables::SigmoidSides>, LogisticSelfGatedProduct)
OGEE_QUICK_BY(QuickValue, Geglu, QuickSelfGatedProduct<tables::NormalTail>, QuickGegluEight)
OGEE_QUICK_BY(QuickValue, GegluTanh, QuickSelfGatedProduct<tables::TanhGateTail>, QuickTanhGegluEight)
OGEE_QUICK_BY(QuickSlopes, GegluTanh, QuickTanhGegluSlopes, QuickTanhGegluSlopesEight)

struct QuickGtu : Quick {
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
OGEE_QUICK_BY(QuickValue, Gtu, QuickGtu, QuickGtuEight)

struct QuickSwigluSlopes : Quick {
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
OGEE_QUICK_BY(QuickSlopes, Swiglu, QuickSwigluSlopes, QuickSwigluSlopesEight)

struct QuickGluSlopes : Quick {
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
OGEE_QUICK_BY(QuickSlopes, Glu, QuickGluSlopes, QuickGluSlopesEight)

// tanh(b) is made of sigmoid(-2|b|), too: one table serves both.
struct QuickGtuSlopes : Quick {
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
    d[0] = s.slope() * with_sign_of(2.0 * t.half(), x[1]);
    d[1] = s.at(x[0]) * (4.0 * t.slope());
  }
};
OGEE_QUICK_BY(QuickSlopes, Gtu, QuickGtuSlopes, QuickGtuSlopesEight)

// (g (1 + 2 alpha) - alpha) b
template <class Gate>
struct QuickExpandedGate : Quick, Expansion {
  Gate gate;
  HWY_INLINE bool load(const double* p) {
    gate.load();
    expand(p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(gate.inside(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const {
    return fused(minus_alpha, x[1], gate.times(factor * x[1], x[0]));
  }
};

OGEE_QUICK_BY(QuickValue, Xswiglu, QuickExpandedGate<SigmoidForm>, QuickExpandedGate<LogisticForm>)
OGEE_QUICK_BY(QuickValue, Xgeglu, QuickExpandedGate<NormalForm>, QuickExpandedGate<NormalEightForm>)

struct QuickGegluSlopes : Quick {
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
OGEE_QUICK_BY(QuickSlopes, Geglu, QuickGegluSlopes, QuickGegluSlopesEight)

template <>
struct QuickSlopes<Xgeglu> : QuickAll, Expansion {
  NormalParts normal;
  HWY_INLINE bool load(const double* p) {
    normal.load();
    expand(p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return normal.within(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto parts = normal.parts(x[0]);
    d[0] = (factor * parts.density) * x[1];
    d[1] = fused(factor, parts.gate(x[0]), minus_alpha);
    // The product with b comes first, as a may be subnormal and b large.
    const Float z = abs(x[0]), m = times_sign(x[1], x[0]);
    d[2] = select(z < 1.0, (z * m) * parts.near(), m * parts.far());
  }
};

template <>
struct QuickSlopes<Xswiglu> : QuickAll, Expansion {
  SigmoidSides gate;
  HWY_INLINE bool load(const double* p) {
    gate.load();
    expand(p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return finite(gate.within(x[0]), x[1]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto s = gate.sides(gate.magnitude(x[0]));
    d[0] = s.slope() * (factor * x[1]);
    d[1] = fused(factor, s.at(x[0]), minus_alpha);
    d[2] = s.centred(times_sign(x[1], x[0]));
  }
};

// a (gate(a) (1 + 2 alpha) - alpha) b
template <class Base>
struct QuickExpandedSecond : Base, Expansion {
  HWY_INLINE bool load(const double* p) {
    expand(p[0]);
    return Base::load(p);
  }
  HWY_INLINE Float operator()(const Float* x) const {
    return fused(factor, Base::operator()(x), minus_alpha * (x[0] * x[1]));
  }
};

OGEE_QUICK_BY(QuickValue, XswigluSecond, QuickExpandedSecond<QuickSelfGatedProduct<tables::SigmoidSides>>,
              QuickExpandedSecond<LogisticSelfGatedProduct>)
OGEE_QUICK_BY(QuickValue, XgegluSecond, QuickExpandedSecond<QuickSelfGatedProduct<tables::NormalTail>>,
              QuickExpandedSecond<QuickGegluEight>)

template <>
struct QuickSlopes<XswigluSecond> : QuickAll, Expansion {
  SigmoidSides gate;
  HWY_INLINE bool load(const double* p) {
    gate.load();
    expand(p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return finite(finite(gate.above(x[0]), x[0]), x[1]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Float z = gate.magnitude(x[0]);
    const auto s = gate.sides(z);
    d[0] = fused(factor, silu_slope_exactly(s, z, x[0]), minus_alpha) * x[1];
    d[1] = fused(factor, s.at(x[0]), minus_alpha) * x[0];
    d[2] =
        ((0.5 * abs(x[0])) * x[1]) * (4.0 * s.half());  // in an order that neither overflows nor loses small products
  }
};

template <>
struct QuickSlopes<XgegluSecond> : QuickAll, Expansion {
  NormalParts normal;
  HWY_INLINE bool load(const double* p) {
    normal.load();
    expand(p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return finite(finite(normal.above(x[0]), x[0]), x[1]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto parts = normal.parts(x[0]);
    d[0] = fused(factor, parts.slope(x[0]), minus_alpha) * x[1];
    d[1] = fused(factor, parts.gate(x[0]), minus_alpha) * x[0];
    const Float z = abs(x[0]);
    d[2] = ((0.5 * z) * x[1]) * (2.0 * select(z < 1.0, z * parts.near(), parts.far()));
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
