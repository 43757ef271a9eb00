// The arctangent's gates, whose tails fall off as 1/x: two functions share a table, one of |x| up to 1 and one of
// w = 1/|x| beyond, so that it serves every x.
#if defined(OGEE_QUICK_LEARNED_ARCTAN_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_LEARNED_ARCTAN_INL_H
#undef OGEE_QUICK_LEARNED_ARCTAN_INL_H
#else
#define OGEE_QUICK_LEARNED_ARCTAN_INL_H
#endif

#include <cstddef>
#include <limits>

#include "kernels/quick/learned_gates-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// 1/x to 28 bits; 0 for x beyond the normal numbers' reciprocals.
HWY_INLINE Float reciprocal(Float x) {
  const Float near = near_inverse(x);
  return fused(near, fused_minus(x, near, Float::constant(1.0)), near);
}

struct ArctanPoint {
  Float size, inverse, z;  // |x|, 1/|x|, what the tables take
  FloatTruth far;
  static HWY_INLINE ArctanPoint of(Float x) {
    const Float a = abs(x), w = reciprocal(a);
    const FloatTruth far = a > 1.0;
    return {a, w, select(far, -0.065 - w, a), far};
  }
};
HWY_INLINE FloatTruth is_finite(Float x) { return abs(x) <= std::numeric_limits<float>::max(); }

// g(-|x|), g = 1/2 + atan(x)/pi: the table's function, beyond 1 times w.
struct ArctanTail {
  LookUp<tables::ArctanTail> table;
  using Place = LookUp<tables::ArctanTail>::Place;
  HWY_INLINE void load() { table.load(); }
  HWY_INLINE Place place(const ArctanPoint& p) const { return table.place(p.z); }
  // m times the table's function
  HWY_INLINE Float times(Float m, const Place& at) const {
    return fused(m, table.coefficient<0>(at), (m * at.t) * table.tail<1>(at));
  }
  // (m + rest) times it, where rest is what rounding left out of a product m
  HWY_INLINE Float times_exactly(Float m, Float rest, const Place& at) const {
    const Float c = table.coefficient<0>(at);
    return fused(m, c, fused(m * at.t, table.tail<1>(at), rest * c));
  }
  // g(|x|) - g(-|x|) = 2 atan(|x|)/pi, |x| <= 1; exact to a few units near 0, where the leading coefficient is 1/2.
  HWY_INLINE Float near(const Place& at) const {
    return 2.0 * fused_minus(at.t, table.tail<1>(at), 0.5 - table.coefficient<0>(at));
  }
  // m times that, also where x is subnormal and m large
  HWY_INLINE Float near(Float m, const Place& at) const {
    const Float c = fused_minus(table.coefficient<0>(at), 2.0, Float::constant(1.0));
    return fused(m, c, -((m * (2.0 * at.t)) * table.tail<1>(at)));
  }
};

// The slope of x g(x) at -|x|; beyond 1 it is the table's function times w^3.
struct ArctanSlope {
  LookUp<tables::ArctanSlope> table;
  HWY_INLINE void load() { table.load(); }
  struct Slopes {
    Float left, half;  // at -|x|, and 1/2 less that
  };
  HWY_INLINE Slopes operator()(const ArctanPoint& p) const {
    const auto at = table.place(p.z);
    // w^3, less the three times that the error of w has in it.
    const Float cube = p.inverse * (p.inverse * p.inverse);
    const Float error = 3.0 * fused_minus(p.size, p.inverse, Float::constant(1.0));
    const Float m = select(p.far, fused(cube, error, cube), 1.0);
    const Float c = table.coefficient<0>(at), mt = m * at.t, h = table.tail<1>(at);
    return {fused(m, c, mt * h), fused_minus(mt, h, fused_minus(m, c, Float::constant(0.5)))};
  }
};

template <>
struct QuickValue<Xatlu> : Quick {
  ArctanTail tail;
  Float factor, alpha, minus_alpha;
  HWY_INLINE bool load(const double* p) {
    tail.load();
    factor = Float::constant(1 + 2 * p[0]);
    alpha = Float::constant(p[0]);
    minus_alpha = -alpha;
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return is_finite(x[0]); }
  HWY_INLINE Float operator()(const Float* x) const {
    const auto p = ArctanPoint::of(x[0]);
    const Float y = tail.times(select(p.far, 1.0, p.size), tail.place(p));
    return fused(factor, select(x[0] < 0.0, -y, x[0] - y), minus_alpha * x[0]);
  }
};

template <>
struct QuickSlopes<Xatlu> : QuickAll {
  ArctanSlope slope;
  ArctanTail tail;
  Float factor, alpha, minus_alpha;
  HWY_INLINE bool load(const double* p) {
    slope.load();
    tail.load();
    factor = Float::constant(1 + 2 * p[0]);
    alpha = Float::constant(p[0]);
    minus_alpha = -alpha;
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return is_finite(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const auto p = ArctanPoint::of(x[0]);
    const auto s = slope(p);
    d[0] = fused(factor, select(x[0] < 0.0, s.left, 1.0 - s.left), minus_alpha);
    // x (2 g(x) - 1) = |x| (1 - 2 g(-|x|))
    const auto at = tail.place(p);
    d[1] = p.size * select(p.far, fused_minus(tail.times(p.inverse, at), 2.0, Float::constant(1.0)), tail.near(at));
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
