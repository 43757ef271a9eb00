// Products with x*sigmoid(k*x), k another number than 1.
#if defined(OGEE_QUICK_GATED_SCALED_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_GATED_SCALED_INL_H
#undef OGEE_QUICK_GATED_SCALED_INL_H
#else
#define OGEE_QUICK_GATED_SCALED_INL_H
#endif

#include "kernels/quick/forms-inl.h"
#include "kernels/quick/gated_eight-inl.h"
#include "kernels/quick/learned_gates-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// u sigmoid(k u)*b
struct QuickLogisticGeglu : Quick {
  ScaledSigmoid gate;
  HWY_INLINE bool load(const double*) {
    gate.load(1.702);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(gate.above(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const { return gate.times(x[0], x[1], x[0]); }
};
OGEE_QUICK_BY(QuickValue, GegluQuick, QuickLogisticGeglu, QuickLogisticGegluEight)

struct QuickLogisticGegluSlopes : Quick {
  ScaledSigmoid gate;
  HWY_INLINE bool load(const double*) {
    gate.load(1.702);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return finite(gate.above(x[0]), x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto z = gate.point(x[0]);
    const auto s = gate.sides(z);
    d[0] = gate.slope_exactly(s, z) * x[1];
    d[1] = s.at(z.z) * x[0];
  }
};
OGEE_QUICK_BY(QuickSlopes, GegluQuick, QuickLogisticGegluSlopes, QuickLogisticGegluSlopesEight)

template <>
struct QuickValue<ScaledSwiglu> : Quick {
  ScaledSigmoid gate;
  HWY_INLINE bool load(const double* p) {
    gate.load(p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(gate.above(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const { return gate.times(gate.signed_factor * x[0], x[1], x[0]); }
};

template <>
struct QuickSlopes<ScaledSwiglu> : QuickAll {  // by scale a g(scale a) b, g the slope of silu
  ScaledSigmoid gate;
  HWY_INLINE bool load(const double* p) {
    gate.load(p[0]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return finite(finite(gate.above(x[0]), x[0]), x[1]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto z = gate.point(x[0]);
    const auto s = gate.sides(z);
    const Float g = gate.slope_exactly(s, z), slope = g * x[1];
    d[0] = gate.signed_factor * slope;
    d[1] = s.at(z.z) * z.z;
    d[2] = select(abs(x[0]) < 1.0, x[0] * slope, (x[0] * g) * x[1]);  // neither factor's small numbers round first
  }
};

// g sigmoid(alpha g) (u + 1), g = min(a, limit), u = min(max(b, -limit), limit)
template <>
struct QuickValue<SwigluOai> : Quick {
  ScaledSigmoid gate;
  Float limit, minus_limit;
  HWY_INLINE bool load(const double* p) {
    limit = Float::constant(p[0]);
    minus_limit = -limit;
    gate.load(p[1]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(gate.above(least(x[0])), y); }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float g = least(x[0]), u = least(at_least(x[1], minus_limit)), v = u + 1.0, m = g * v;
    // What rounding u + 1 and the product leaves out.
    return gate.times_exactly(m, fused(g, u - (v - 1.0), fused(g, v, -m)), gate.point(g));
  }

 private:
  HWY_INLINE Float least(Float x) const { return at_most(x, limit); }
};

template <>
struct QuickSlopes<SwigluOai> : Quick {
  ScaledSigmoid gate;
  Float limit, minus_limit;
  HWY_INLINE bool load(const double* p) {
    limit = Float::constant(p[0]);
    minus_limit = -limit;
    gate.load(p[1]);
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return finite(gate.above(least(x[0])), least(x[0])); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Float g = least(x[0]), u = least(at_least(x[1], minus_limit));
    const auto z = gate.point(g);
    const auto s = gate.sides(z);
    const Float slope = gate.slope_exactly(s, z);
    d[0] = select(limit > x[0], fused(slope, u, slope), 0.0);
    d[1] = select(limit > abs(x[1]), s.at(z.z) * g, 0.0);
  }

 private:
  HWY_INLINE Float least(Float x) const { return at_most(x, limit); }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
