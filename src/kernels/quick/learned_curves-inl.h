// Curves of many learned parameters: the rational function and the B-spline, for any values of these.
#if defined(OGEE_QUICK_LEARNED_CURVES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_LEARNED_CURVES_INL_H
#undef OGEE_QUICK_LEARNED_CURVES_INL_H
#else
#define OGEE_QUICK_LEARNED_CURVES_INL_H
#endif

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/quick/learned_gates-inl.h"
#include "kernels/quick/learned_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// P(x)/(1 + |B(x)|), the terms of P cancel: in double, whose range holds every power of a float, with a reciprocal of
// 28 bits in place of divisions.
struct RationalForm {
  using D = DoubleTag;
  double a[6], b[5];
  struct State {
    Float inverse, signed_value;  // 1/Q, y sgn(B)
  };

  HWY_INLINE bool load(const double* p) {
    for (int i = 0; i < 6; ++i) a[i] = p[i];
    for (int i = 1; i < 5; ++i) b[i] = p[5 + i];
    return true;
  }
  // Where the gradients' powers of x stay in float's range.
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) <= 1e6; }

  HWY_INLINE Float value(Float x) const {
    const hn::Half<SingleTag> half;
    const auto low = hn::DemoteTo(half, part(widened(x, false)).y().v);
    return {hn::Combine(SingleTag(), hn::DemoteTo(half, part(widened(x, true)).y().v), low)};
  }
  HWY_INLINE State slope(Float x, Float& slope) const {
    const Double x0 = widened(x, false), x1 = widened(x, true);
    const Part low = part(x0), high = part(x1);
    slope = narrowed(slope_of(x0, low), slope_of(x1, high));
    return {narrowed(low.inverse, high.inverse),
            narrowed(with_side(low.y(), low.bars), with_side(high.y(), high.bars))};
  }

  // By a_i x^i/Q, by b_i -y sgn(B) x^i/Q.
  struct Sums {
    Float a0, a1, a2, a3, a4, a5, b1, b2, b3, b4;
    HWY_INLINE void clear() { a0 = a1 = a2 = a3 = a4 = a5 = b1 = b2 = b3 = b4 = Float::constant(0.0); }
    HWY_INLINE void add(const RationalForm&, Float x, const State& s, Float flow) {
      const Float w0 = flow * s.inverse, w1 = w0 * x, w2 = w1 * x, w3 = w2 * x, w4 = w3 * x;
      a0 = a0 + w0;
      a1 = a1 + w1;
      a2 = a2 + w2;
      a3 = a3 + w3;
      a4 = a4 + w4;
      a5 = fused(w4, x, a5);
      b1 = fused_minus(s.signed_value, w1, b1);
      b2 = fused_minus(s.signed_value, w2, b2);
      b3 = fused_minus(s.signed_value, w3, b3);
      b4 = fused_minus(s.signed_value, w4, b4);
    }
    HWY_INLINE void flush(const Row<float>& row, const double*) {
      *row.sum[0] += sum_of(a0);
      *row.sum[1] += sum_of(a1);
      *row.sum[2] += sum_of(a2);
      *row.sum[3] += sum_of(a3);
      *row.sum[4] += sum_of(a4);
      *row.sum[5] += sum_of(a5);
      *row.sum[6] += sum_of(b1);
      *row.sum[7] += sum_of(b2);
      *row.sum[8] += sum_of(b3);
      *row.sum[9] += sum_of(b4);
    }
  };

 private:
  struct Part {
    Double p, q, inverse, bars;
    HWY_INLINE Double y() const { return p * inverse; }
  };
  static HWY_INLINE Double with_side(Double x, Double side) {
    return {hn::Xor(x.v, hn::And(side.v, hn::SignBit(D())))};
  }
  HWY_INLINE Part part(Double x) const {
    const Double z = x * x;
    const Double p01 = fused(a[1], x, a[0]), p23 = fused(a[3], x, a[2]), p45 = fused(a[5], x, a[4]);
    const Double p = fused(fused(p45, z, p23), z, p01);
    const Double bars = fused(fused(b[4], x, b[3]), z, fused(b[2], x, b[1])) * x;
    const Double q = 1.0 + abs(bars);
#if OGEE_AVX512_TARGET
    const Double near = {hn::Vec<D>{_mm512_rcp14_pd(q.v.raw)}};
    const Double inverse = fused(near, fused_minus(q, near, Double::constant(1.0)), near);
#else
    const Double inverse = 1.0 / q;
#endif
    return {p, q, inverse, bars};
  }
  // (P' Q - P Q')/Q^2, whose difference has no error of the reciprocal's in it
  HWY_INLINE Double slope_of(Double x, const Part& part) const {
    const Double z = x * x;
    const Double p = fused(fused(5 * a[5], x, 4 * a[4]), z * x, fused(fused(3 * a[3], x, 2 * a[2]), x, a[1]));
    const Double q = fused(fused(4 * b[4], x, 3 * b[3]), z, fused(2 * b[2], x, b[1]));
    const Double fall = {hn::IfThenZeroElse(hn::Eq(part.bars.v, hn::Zero(D())), with_side(q, part.bars).v)};
    return (fused_minus(part.p, fall, p * part.q) * part.inverse) * part.inverse;
  }
};
OGEE_QUICK_LEARNED(Rational, RationalForm)

// On a uniform grid the sum of eight splines is one cubic an interval: eleven, whose coefficients are made once a row
// and looked up in one register each, the others 0. In t in [0, 1], the place in the interval j (t from the knot at
// j, the centre of B_j), the four splines that are not 0 there, from B_(j-1) on, are N0 to N3.
struct BSplineForm {
  static constexpr int intervals = 11, first = -2;
  SigmoidSides gate;
  Float base;
  Sixteen value_c[4], slope_c[3], neighbours;  // a bit for each spline that is not 0 in the interval
  struct State {
    Float shifted, t, r, self_gated;  // r = 1 - t
  };

  HWY_INLINE bool load(const double* p) {
    gate.load();
    base = Float::constant(p[0]);
    HWY_ALIGN float c[4][16] = {}, s[3][16] = {};
    std::int32_t bits[16] = {};
    for (int k = 0; k < intervals; ++k) {
      double w[4];
      for (int m = 0; m < 4; ++m) {
        const int i = k + first - 1 + m;
        w[m] = i >= 0 && i < 8 ? p[1 + i] : 0.0;
        bits[k] |= i >= 0 && i < 8 ? 1 << i : 0;
      }
      const double q[4] = {(w[0] + 4 * w[1] + w[2]) / 6, (w[2] - w[0]) / 2, (w[0] - 2 * w[1] + w[2]) / 2,
                           (w[3] - w[0]) / 6 + (w[1] - w[2]) / 2};
      for (int m = 0; m < 4; ++m) c[m][k] = static_cast<float>(q[m]);
      for (int m = 1; m < 4; ++m) s[m - 1][k] = static_cast<float>(2.5 * m * q[m]);
    }
    HWY_ALIGN float sets[16];
    for (int k = 0; k < 16; ++k) sets[k] = std::bit_cast<float>(bits[k]);
    neighbours.load(sets);
    for (int m = 0; m < 4; ++m) value_c[m].load(c[m]);
    for (int m = 0; m < 3; ++m) slope_c[m].load(s[m]);
    return true;
  }
  HWY_INLINE FloatTruth inside(Float x) const { return finite(gate.above(x), x); }

  HWY_INLINE Float value(Float x) const {
    const Place at = place(x);
    const Float spline =
        fused(fused(fused(value_c[3].at(at.shifted), at.t, value_c[2].at(at.shifted)), at.t, value_c[1].at(at.shifted)),
              at.t, value_c[0].at(at.shifted));
    return gate.gated(base * x, x) + spline;
  }
  HWY_INLINE State slope(Float x, Float& slope) const {
    const Place at = place(x);
    const Float spline =
        fused(fused(slope_c[2].at(at.shifted), at.t, slope_c[1].at(at.shifted)), at.t, slope_c[0].at(at.shifted));
    const Float z = gate.magnitude(x);
    const auto s = gate.sides(z);
    slope = fused(base, silu_slope(s, z, x), spline);
    return {at.shifted, at.t, fused_minus(Float::constant(2.5), at.x, at.j - 2.5), x * s.at(x)};
  }

  struct Sums {
    Float by_base, c0, c1, c2, c3, c4, c5, c6, c7;
    HWY_INLINE void clear() { by_base = c0 = c1 = c2 = c3 = c4 = c5 = c6 = c7 = Float::constant(0.0); }
    HWY_INLINE void add(const BSplineForm& form, Float, const State& at, Float flow) {
      by_base = fused(flow, at.self_gated, by_base);
      const Float t = at.t, r = at.r, tr = fused(t, r, 1.0);
      const Float n[4] = {cube(r), fused(3.0 * r, tr, 1.0), fused(3.0 * t, tr, 1.0), cube(t)};  // times 6
      // A lane adds to four neighbours among the eight sums, one of each residue modulo 4: turned to begin with the
      // residue 0, its four numbers serve two sums each, by masks from a table of the interval's neighbours.
      const Whole32 turn = hn::Add(bits_of(at.shifted), hn::Set(hn::RebindToSigned<SingleTag>(), 1));
      const FloatTruth once = any_of(turn, 1), twice = any_of(turn, 2);
      const Float w[4] = {select(once, n[3], n[0]), select(once, n[0], n[1]), select(once, n[1], n[2]),
                          select(once, n[2], n[3])};
      const Float v[4] = {select(twice, w[2], w[0]), select(twice, w[3], w[1]), select(twice, w[0], w[2]),
                          select(twice, w[1], w[3])};
      const Whole32 sums = bits_of(form.neighbours.at(at.shifted));
      add_to<0>(sums, v[0], flow, c0);
      add_to<1>(sums, v[1], flow, c1);
      add_to<2>(sums, v[2], flow, c2);
      add_to<3>(sums, v[3], flow, c3);
      add_to<4>(sums, v[0], flow, c4);
      add_to<5>(sums, v[1], flow, c5);
      add_to<6>(sums, v[2], flow, c6);
      add_to<7>(sums, v[3], flow, c7);
    }
    static HWY_INLINE Float cube(Float x) {  // rounded once
      const Float square = x * x;
      return fused(square, x, fused(x, x, -square) * x);
    }
    template <int I>
    static HWY_INLINE void add_to(Whole32 sums, Float v, Float flow, Float& sum) {
      sum = fused_where(any_of(sums, 1 << I), flow, v, sum);
    }
    HWY_INLINE void flush(const Row<float>& row, const double*) {
      *row.sum[0] += sum_of(by_base);
      *row.sum[1] += sum_of(c0) / 6;
      *row.sum[2] += sum_of(c1) / 6;
      *row.sum[3] += sum_of(c2) / 6;
      *row.sum[4] += sum_of(c3) / 6;
      *row.sum[5] += sum_of(c4) / 6;
      *row.sum[6] += sum_of(c5) / 6;
      *row.sum[7] += sum_of(c6) / 6;
      *row.sum[8] += sum_of(c7) / 6;
    }
  };

 private:
  struct Place {
    Float shifted, x, j, t;  // the first's low four bits are the interval's number
  };
  // u = 2.5 x + 3.5 is an integer at the knots; t = u - j is exact to half a unit near 0.
  static HWY_INLINE Place place(Float x) {
    const Float y = at_most(at_least(x, -2.4), 3.0);
    const Float shifted = fused(2.5, y, 3.0 - first + 12582912.0);
    const Float j = shifted - (12582912.0 - first);
    return {shifted, y, j, fused(Float::constant(2.5), y, 3.5 - j)};
  }
};
OGEE_QUICK_LEARNED(BSpline, BSplineForm)

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
