// The arctangent's gates, whose tails fall off as 1/x: two functions share a table, one of |x| up to 1 and one of
// w = 1/|x| beyond, so that it serves every x. Where a lookup takes longer than arithmetic, a polynomial of t, |x| or
// w, and for slopes one of each.
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
#if OGEE_AVX512_TARGET
  const Float near = near_inverse(x);
  return fused(near, fused_minus(x, near, Float::constant(1.0)), near);
#else
  return 1.0 / x;
#endif
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

#if OGEE_AVX512_TARGET

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
  HWY_INLINE Float operator()(const ArctanPoint& p) const {
    const auto at = table.place(p.z);
    // w^3, less the three times that the error of w has in it.
    const Float cube = p.inverse * (p.inverse * p.inverse);
    const Float error = 3.0 * fused_minus(p.size, p.inverse, Float::constant(1.0));
    const Float m = select(p.far, fused(cube, error, cube), 1.0);
    return fused(m, table.coefficient<0>(at), (m * at.t) * table.tail<1>(at));
  }
};

#else

// c + v h at t^2 = centre + v, for a table that is one polynomial: the leading coefficient, and the rest of it.
template <class Table>
struct AroundCentre {
  Float v, h;
  static HWY_INLINE AroundCentre of_square(Float t) {
    const Float v = fused(t, t, Float::constant(-Table::centre));
    return {v, polynomial(v, Table::rest)};
  }
  static HWY_INLINE Float leading() { return Float::constant(Table::leading); }
  HWY_INLINE Float value() const { return fused(v, h, leading()); }
};

// g(-|x|) = 1/2 - t r with r = atan(t)/(pi t), beyond 1 just t r.
struct ArctanTail {
  struct Place {
    FloatTruth far;
    Float t;
    AroundCentre<tables::ArctanRatio> r;
  };
  HWY_INLINE void load() {}
  static HWY_INLINE Place place(const ArctanPoint& p) {
    const Float t = select(p.far, p.inverse, p.size);
    return {p.far, t, AroundCentre<tables::ArctanRatio>::of_square(t)};
  }
  // m times g(-|x|), beyond 1 times r, which is g(-|x|) over w; (m + rest) times that
  static HWY_INLINE Float times(Float m, const Place& at) {
    const Float k = factor(m, at);
    return fused(k * at.r.v, at.r.h, most(m, k, at));
  }
  static HWY_INLINE Float times_exactly(Float m, Float rest, const Place& at) {
    const Float k = factor(m, at), c = at.r.leading();
    const Float left_out = rest * select(at.far, c, fused_minus(at.t, c, Float::constant(0.5)));
    return most(m, k, at) + fused(k * at.r.v, at.r.h, left_out);
  }
  // g(|x|) - g(-|x|), |x| <= 1, and m times that
  static HWY_INLINE Float near(const Place& at) { return (2.0 * at.t) * at.r.value(); }
  static HWY_INLINE Float near(Float m, const Place& at) { return (m * (2.0 * at.t)) * at.r.value(); }

 private:
  static HWY_INLINE Float factor(Float m, const Place& at) { return select(at.far, m, -(m * at.t)); }
  // With the leading coefficient alone: what cancels is subtracted first.
  static HWY_INLINE Float most(Float m, Float k, const Place& at) {
    return fused(k, at.r.leading(), select(at.far, 0.0, 0.5 * m));
  }
};

// The slope of x g(x) at -|x|: up to 1 it is 1/2 - (atan(t) + t/(1 + t^2))/pi, beyond (atan(t) - t/(1 + t^2))/pi.
struct ArctanSlope {
  HWY_INLINE void load() {}
  HWY_INLINE Float operator()(const ArctanPoint& p) const {
    const Float t = select(p.far, p.inverse, p.size);
    const auto sum = AroundCentre<tables::ArctanSum>::of_square(t);
    const Float first = fused_minus(t, sum.leading(), Float::constant(0.5));
    const Float near = fused_minus(t * sum.v, sum.h, first);
    // w^3 in two parts: what rounding left out of both products, and the three times that the error of w has in it.
    const Float square = p.inverse * p.inverse, cube = p.inverse * square;
    const Float error = 3.0 * fused_minus(p.size, p.inverse, Float::constant(1.0));
    const Float cube_low =
        fused(cube, error, fused(p.inverse, fused(p.inverse, p.inverse, -square), fused(p.inverse, square, -cube)));
    const auto difference = AroundCentre<tables::ArctanDifference>::of_square(t);
    const Float rest = fused(cube * difference.v, difference.h, cube_low * difference.leading());
    return select(p.far, fused(cube, difference.leading(), rest), near);
  }
};

#endif

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
    const Float s = slope(p);
    d[0] = fused(factor, select(x[0] < 0.0, s, 1.0 - s), minus_alpha);
    // x (2 g(x) - 1) = |x| (1 - 2 g(-|x|))
    const auto at = tail.place(p);
    d[1] = p.size * select(p.far, fused_minus(tail.times(p.inverse, at), 2.0, Float::constant(1.0)), tail.near(at));
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
