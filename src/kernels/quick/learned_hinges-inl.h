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

#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86

struct ApluForm {
  double a[3], b[3];
  struct State {
    FloatTruth below[3];
  };
  HWY_INLINE bool load(const double* p) {
    for (int s = 0; s < 3; ++s) {
      a[s] = p[2 * s];
      b[s] = p[2 * s + 1];
    }
    return true;
  }
  // Infinities times a slope of 0 are left to the exact arithmetic.
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) <= std::numeric_limits<float>::max(); }
  HWY_INLINE Float value(Float x) const {
    Float y = at_least(x, 0.0);
    y = y + a[0] * at_least(b[0] - x, 0.0);
    y = y + a[1] * at_least(b[1] - x, 0.0);
    return y + a[2] * at_least(b[2] - x, 0.0);
  }
  HWY_INLINE State slope(Float x, Float& slope) const {
    const State s{{b[0] > x, b[1] > x, b[2] > x}};
    slope = select(x > 0.0, Float::constant(1.0), Float::constant(0.0));
    slope = select(s.below[0], slope - a[0], slope);
    slope = select(s.below[1], slope - a[1], slope);
    slope = select(s.below[2], slope - a[2], slope);
    return s;
  }
  struct Sums {
    Float by_a[3], by_b[3];
    HWY_INLINE void clear() {
      for (int s = 0; s < 3; ++s) by_a[s] = by_b[s] = Float::constant(0.0);
    }
    HWY_INLINE void add(const ApluForm& form, Float x, const State& s, Float flow) {
#pragma GCC unroll 3
      for (int k = 0; k < 3; ++k) {
        const Float z = form.b[k] - x;
        by_a[k].v.raw = _mm512_mask3_fmadd_ps(flow.v.raw, z.v.raw, by_a[k].v.raw, s.below[k].m.raw);
        by_b[k] = select(s.below[k], by_b[k] + flow, by_b[k]);
      }
    }
    HWY_INLINE void flush(const Row<float>& row, const double* p) {
      for (int s = 0; s < 3; ++s) {
        *row.sum[2 * s] += sum_of(by_a[s]);
        *row.sum[2 * s + 1] += p[2 * s] * sum_of(by_b[s]);
      }
    }
  };
};
OGEE_QUICK_LEARNED(Aplu, ApluForm)

#endif  // AVX-512

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
