// Piecewise linear and quadratic functions, whose parameters' gradients are sums over one side of a hinge: masks take
// the place of derivatives that are 0 or 1, and what is the same for a whole row multiplies its sum.
#if defined(OGEE_QUICK_LEARNED_HINGES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_LEARNED_HINGES_INL_H
#undef OGEE_QUICK_LEARNED_HINGES_INL_H
#else
#define OGEE_QUICK_LEARNED_HINGES_INL_H
#endif

#include <cstddef>
#include <limits>

#include "kernels/quick/learned_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

struct ApluForm {
  Float a0, a1, a2, b0, b1, b2;
  struct State {
    FloatTruth below0, below1, below2;
  };
  HWY_INLINE bool load(const double* p) {
    a0 = Float::constant(p[0]);
    b0 = Float::constant(p[1]);
    a1 = Float::constant(p[2]);
    b1 = Float::constant(p[3]);
    a2 = Float::constant(p[4]);
    b2 = Float::constant(p[5]);
    return true;
  }
  // Infinities times a slope of 0 are left to the exact arithmetic.
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) <= std::numeric_limits<float>::max(); }
  HWY_INLINE Float value(Float x) const {
    const Float y = at_least(x, 0.0) + a0 * at_least(b0 - x, 0.0);
    return (y + a1 * at_least(b1 - x, 0.0)) + a2 * at_least(b2 - x, 0.0);
  }
  HWY_INLINE State slope(Float x, Float& slope) const {
    const State s{b0 > x, b1 > x, b2 > x};
    slope = select(x > 0.0, Float::constant(1.0), Float::constant(0.0));
    slope = select(s.below0, slope - a0, slope);
    slope = select(s.below1, slope - a1, slope);
    slope = select(s.below2, slope - a2, slope);
    return s;
  }
  struct Sums {
    Float by_a0, by_a1, by_a2, by_b0, by_b1, by_b2;
    HWY_INLINE void clear() { by_a0 = by_a1 = by_a2 = by_b0 = by_b1 = by_b2 = Float::constant(0.0); }
    HWY_INLINE void add(const ApluForm& form, Float x, const State& s, Float flow) {
      by_a0 = fused_where(s.below0, flow, form.b0 - x, by_a0);
      by_a1 = fused_where(s.below1, flow, form.b1 - x, by_a1);
      by_a2 = fused_where(s.below2, flow, form.b2 - x, by_a2);
      by_b0 = select(s.below0, by_b0 + flow, by_b0);
      by_b1 = select(s.below1, by_b1 + flow, by_b1);
      by_b2 = select(s.below2, by_b2 + flow, by_b2);
    }
    HWY_INLINE void flush(const Row<float>& row, const double* p) {
      *row.sum[0] += sum_of(by_a0);
      *row.sum[1] += p[0] * sum_of(by_b0);
      *row.sum[2] += sum_of(by_a1);
      *row.sum[3] += p[2] * sum_of(by_b1);
      *row.sum[4] += sum_of(by_a2);
      *row.sum[5] += p[4] * sum_of(by_b2);
    }
  };
};
OGEE_QUICK_LEARNED(Aplu, ApluForm)

struct PreluForm {
  static constexpr bool serves_all = true;
  Float below;
  HWY_INLINE bool load(const double* p) {
    below = Float::constant(p[0]);
    return true;
  }
  HWY_INLINE FloatTruth slope(Float x, Float& slope) const {
    const FloatTruth right = x > 0.0;
    slope = select(is_nan(x), x, select(right, 1.0, below));
    return right;
  }
  struct Sums {
    Float by_slope;
    HWY_INLINE void clear() { by_slope = Float::constant(0.0); }
    HWY_INLINE void add(const PreluForm&, Float x, FloatTruth right, Float flow) {
      by_slope = fused_where(FloatTruth{hn::Not(right.m)}, flow, x, by_slope);
    }
    HWY_INLINE void flush(const Row<float>& row, const double*) { *row.sum[0] += sum_of(by_slope); }
  };
};
OGEE_QUICK_LEARNED_SLOPES(Prelu, PreluForm)

struct StarReluForm {
  static constexpr bool serves_all = true;
  Float twice_scale;
  HWY_INLINE bool load(const double* p) {
    twice_scale = Float::constant(2 * p[0]);
    return true;
  }
  HWY_INLINE Float slope(Float x, Float& slope) const {
    const Float r = at_least(x, 0.0);
    slope = twice_scale * r;
    return r;
  }
  struct Sums {
    Float by_scale, by_bias;
    HWY_INLINE void clear() { by_scale = by_bias = Float::constant(0.0); }
    HWY_INLINE void add(const StarReluForm&, Float x, Float r, Float flow) {
      by_scale = fused(flow * r, r, by_scale);
      by_bias = by_bias + select(is_nan(x), x, flow);
    }
    HWY_INLINE void flush(const Row<float>& row, const double*) {
      *row.sum[0] += sum_of(by_scale);
      *row.sum[1] += sum_of(by_bias);
    }
  };
};
OGEE_QUICK_LEARNED_SLOPES(StarRelu, StarReluForm)

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
