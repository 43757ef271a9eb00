// The quick forms of src/functions/rectified.inc: those whose definitions divide. A division takes as long as 20 other
// instructions; here there is one a row, or none.
#if defined(OGEE_QUICK_RECTIFIED_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_RECTIFIED_INL_H
#undef OGEE_QUICK_RECTIFIED_INL_H
#else
#define OGEE_QUICK_RECTIFIED_INL_H
#endif

#include "kernels/quick/forms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

struct QuickTotal : Quick {
  static constexpr bool total = true;
};

template <>
struct QuickValue<HardSigmoid> : QuickTotal {
  Float slope, corner;
  HWY_INLINE bool load(const double* p) {
    slope = Float::constant(p[0]);
    corner = 0.5 / slope;
    return p[0] > 1e-30 && p[0] < 1e30;
  }
  HWY_INLINE Float operator()(const Float* x) const { return at_most(at_least(slope * (x[0] + corner), 0.0), 1.0); }
};

template <>
struct QuickSlopes<HardSigmoid> : QuickTotal {
  Float slope, corner;
  HWY_INLINE bool load(const double* p) {
    slope = Float::constant(p[0]);
    corner = 0.5 / slope;
    return p[0] > 1e-30 && p[0] < 1e30;
  }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    d[0] = select(abs(x[0]) >= corner, 0.0, fused(x[0], Float::constant(0.0), slope));  // NaN where x is
  }
};

// m/6 right of -3, 0 left of it; the sixth in two parts, as a float's rounding of it counts.
HWY_INLINE Float sixth_right_of(Float x, Float m) {
  const Float large = Float::constant(1.0 / 6), small = Float::constant(1.0 / 6 - double{1.0F / 6});
  const FloatTruth right = {hn::Not((x <= -3.0).m)};  // where x is NaN, too
  return fused_or_zero(right, m, large, m * small);
}

template <>
struct QuickValue<HardSwish> : QuickTotal {
  HWY_INLINE bool load(const double*) { return true; }
  HWY_INLINE Float operator()(const Float* x) const {
    return select(x[0] >= 3.0, x[0], sixth_right_of(x[0], x[0] * (x[0] + 3.0)));
  }
};

template <>
struct QuickSlopes<HardSwish> : QuickTotal {
  HWY_INLINE bool load(const double*) { return true; }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    d[0] = select(x[0] >= 3.0, 1.0, sixth_right_of(x[0], fused(2.0, x[0], 3.0)));
  }
};

template <>
struct QuickValue<Smelu> : QuickTotal {
  Float beta, inverse;
  HWY_INLINE bool load(const double* p) {
    beta = Float::constant(p[0]);
    inverse = 0.25 / beta;
    return p[0] > 1e-15 && p[0] < 1e15;
  }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float sum = at_least(x[0] + beta, 0.0);
    return select(x[0] >= beta, x[0], sum * sum * inverse);
  }
};

template <>
struct QuickSlopes<Smelu> : QuickTotal {
  Float beta, inverse;
  HWY_INLINE bool load(const double* p) {
    beta = Float::constant(p[0]);
    inverse = 0.5 / beta;
    return p[0] > 1e-15 && p[0] < 1e15;
  }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    d[0] = at_most(at_least((x[0] + beta) * inverse, 0.0), 1.0);
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
