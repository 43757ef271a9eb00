// The quick forms of src/functions/exponential.inc without a table: estimates of reciprocals and roots, with a step of
// Newton's.
#if defined(OGEE_QUICK_EXPONENTIAL_ALGEBRAIC_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_EXPONENTIAL_ALGEBRAIC_INL_H
#undef OGEE_QUICK_EXPONENTIAL_ALGEBRAIC_INL_H
#else
#define OGEE_QUICK_EXPONENTIAL_ALGEBRAIC_INL_H
#endif

#include "kernels/quick/exponential_parts-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// 1/(1 + |x|): an estimate r and what 1 - r (1 + |x|) is, computed from |x| rather than from a rounded sum.
struct ReciprocalOfSum {
  Float r, rest;
  static HWY_INLINE ReciprocalOfSum of(Float a) {
    const Float r = near_inverse(1.0 + a);
    return {r, fused_minus(r, a, 1.0 - r)};
  }
};
struct SoftsignForm {
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const { return at_most_too(before, abs(x), 1e30); }
  HWY_INLINE Float operator()(Float x) const {
    const ReciprocalOfSum i = ReciprocalOfSum::of(abs(x));
    const Float q = x * i.r;
    return fused(q, i.rest, q);
  }
};
struct SoftsignSlopeForm {
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const { return at_most_too(before, abs(x), 1e18); }
  HWY_INLINE Float operator()(Float x) const {
    const ReciprocalOfSum i = ReciprocalOfSum::of(abs(x));
    const Float y = fused(i.r, i.rest, i.r);
    return y * y;
  }
};
struct ArctanSlopeForm {  // 1/(1 + x^2)
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const { return at_most_too(before, fused(x, x, 1.0), 1e36); }
  HWY_INLINE Float operator()(Float x) const {
    const Float s = fused(x, x, 1.0), r = near_inverse(s);
    return fused(r, fused_minus(s, r, 1.0), r);
  }
};

struct SqnlSlopeForm {
  HWY_INLINE void load() {}
  HWY_INLINE Float operator()(Float x) const { return at_least(fused(-0.5, abs(x), 1.0), 0.0); }
};

// With i = 1/sqrt(s) nearly and g = 1 - s i^2, 1/sqrt(s) is i (1 + g/2 + 3/8 g^2 + ...), its cube i^3 (1 + 3/2 g +
// 15/8 g^2 + ...).
// x/sqrt(1 + alpha x^2); right of 0 x itself, where that is asked for.
template <bool linear>
struct InverseRootForm {
  Float parameter;
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const {
    return at_most_too(before, fused(parameter * x, x, 1.0), 1e30);
  }
  HWY_INLINE Float operator()(Float x) const {
    const Float s = fused(parameter * x, x, 1.0), i = near_inverse_root(s);
    const Float root = fused(x, i, (x * i) * fused_minus(s * i, 0.5 * i, 0.5));
    if constexpr (linear) return select(x >= 0.0, x, root);
    return root;
  }
};
template <bool linear>
struct InverseRootSlopeForm {
  Float parameter;
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const {
    return at_most_too(before, fused(parameter * x, x, 1.0), 1e24);
  }
  HWY_INLINE Float operator()(Float x) const {
    const Float s = fused(parameter * x, x, 1.0);
    const hn::RebindToSigned<SingleTag> di;
    const auto digits = hn::BitCast(di, near_inverse_root(s).v);  // 12 of them, whose square is exact
    const Float i = {hn::BitCast(SingleTag(), hn::And(digits, hn::Set(di, -0x1000)))};
    const Float square = i * i, cube = square * i, g = fused_minus(s, square, 1.0);
    const Float slope = fused(cube * g, fused(1.875, g, 1.5), cube);
    if constexpr (linear) return select(x >= 0.0, 1.0, slope);
    return slope;
  }
};

// y = x/2 + sqrt(x^2/4 + b/4), the root of y (y - x) = b/4: whose remainder corrects the estimate, left of 0, too,
// where the estimate's terms cancel; there its error grows with x^2.
struct SquareplusForm {
  Float parameter;
  static HWY_INLINE Float sum(Float x, Float b) {
    const Float h = 0.5 * x;
    return fused(h, h, 0.25 * b);
  }
  static HWY_INLINE Float value(Float x, Float b, Float s, Float i) {
    const Float v = fused(s, i, 0.5 * x), e = fused_minus(v, v - x, 0.25 * b) * i;
    return fused(e, fused(0.375, e * i, 0.5), v);
  }
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const {
    return at_most_too(before, sum(x, parameter), 256.0 * parameter);
  }
  HWY_INLINE Float operator()(Float x) const {
    const Float s = sum(x, parameter);
    return value(x, parameter, s, near_inverse_root(s));
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
