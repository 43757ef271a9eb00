// The quick form of xielu. Left of 0 it is an (exp(x) - 1) - sn x, whose terms cancel nearly everywhere: tables whose
// leading coefficients are the function's exact values let the cancelling sum be taken of these, before anything
// rounds. Where a lookup takes longer than arithmetic, all of that in double.
#if defined(OGEE_QUICK_LEARNED_XIELU_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_LEARNED_XIELU_INL_H
#undef OGEE_QUICK_LEARNED_XIELU_INL_H
#else
#define OGEE_QUICK_LEARNED_XIELU_INL_H
#endif

#include <cmath>
#include <cstddef>
#include <limits>

#include "kernels/quick/learned_rows-inl.h"
#include "kernels/quick/learned_tables-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

struct XieluForm {
#if OGEE_AVX512_TARGET
  LookUp<tables::XieluRatio> ratio;
  LookUp<tables::XieluExponential> exponential;
#else
  Double curved, minus_line, growth;
#endif
  Float ap, twice_ap, sn, minus_sn, sn_rest, an, minus_an, an_rest, beta, eps, rise_at_eps, rise_rest, value_at_eps;
  struct State {
    Float rise, excess;  // exp(m) - 1 and that less x
    FloatTruth right, bend;
  };

  HWY_INLINE bool load(const double* p) {
    const double right = softplus(p[0]), line = softplus(p[1]), curve = p[2] + line;
#if OGEE_AVX512_TARGET
    ratio.load();
    exponential.load();
#else
    curved = Double::constant(curve);
    minus_line = Double::constant(-line);
    growth = Double::constant(p[2]);
#endif
    ap = Float::constant(right);
    twice_ap = Float::constant(2 * right);
    sn = Float::constant(line);
    minus_sn = -sn;
    sn_rest = Float::constant(static_cast<float>(line) - line);
    an = Float::constant(curve);
    minus_an = -an;
    an_rest = Float::constant(curve - static_cast<float>(curve));
    beta = Float::constant(p[2]);
    // The floats beyond eps are those beyond the largest float that is not.
    auto below = static_cast<float>(p[3]);
    if (below > p[3]) below = std::nextafter(below, -std::numeric_limits<float>::infinity());
    eps = Float::constant(below);
    const double rise = std::expm1(p[3]);
    rise_at_eps = Float::constant(rise);
    rise_rest = Float::constant(rise - static_cast<float>(rise));
    value_at_eps = Float::constant(curve * std::expm1(p[3]));
    return true;
  }
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) < std::numeric_limits<double>::infinity(); }

#if OGEE_AVX512_TARGET
  HWY_INLINE Float value(Float x) const {
    const Float z = clamped(x);
    const auto at = ratio.place(z);
    const Float c = ratio.template coefficient<0>(at);
    const Sum sum = less_line(c, ratio.template coefficient<1>(at), ratio.template tail<2>(at), at.t);
    const Float left =
        select(x < tables::XieluRatio::low, fused(minus_sn, x, minus_an), fused(z, sum.large, z * sum.small));
    const Float near = select(x > eps, fused(minus_sn, x, value_at_eps), left);
    return select(x > 0.0, x * fused(ap, x, beta), near);
  }

  HWY_INLINE State slope(Float x, Float& slope) const {
    const Float z = clamped(x);
    const auto at = exponential.place(z);
    const Float c = exponential.template coefficient<0>(at), c1 = exponential.template coefficient<1>(at);
    const Float h2 = exponential.template tail<2>(at), h = fused(h2, at.t, c1);
    const FloatTruth right = x > 0.0, bend = x > eps;
    const Sum sum = less_line(c, c1, h2, at.t);
    const Float left = sum.large + sum.small;
    slope = select(right, fused(twice_ap, x, beta), select(bend, minus_sn, left));
    // exp(z) - 1 = (c - 1) + t h, exact near 0, where c = 1; with z = centre + t the excess is
    // (c - 1 - centre) + t (c1 - 1) + t^2 h2.
    const Float rise = fused(at.t, h, c - 1.0);
    const Float excess = fused(at.t * at.t, h2, fused(at.t, c1 - 1.0, (c - 1.0) - at.centre)) + (z - x);
    return {select(bend, rise_at_eps, rise), select(bend, (rise_at_eps - x) + rise_rest, excess), right, bend};
  }

#else
  HWY_INLINE Float value(Float x) const {
    const Float z = at_most(x, 0.0);
    const Double z0 = widened(z, false), z1 = widened(z, true);
    const Float left = narrowed(fused(rise(z0), curved, minus_line * z0), fused(rise(z1), curved, minus_line * z1));
    const Float near = select(x > eps, fused(minus_sn, x, value_at_eps), left);
    return select(x > 0.0, x * fused(ap, x, beta), near);
  }

  HWY_INLINE State slope(Float x, Float& slope) const {
    const Float z = at_most(x, 0.0);
    const Double z0 = widened(z, false), z1 = widened(z, true), rise0 = rise(z0), rise1 = rise(z1);
    const Float left = narrowed(fused(rise0, curved, growth), fused(rise1, curved, growth));
    const FloatTruth right = x > 0.0, bend = x > eps;
    slope = select(right, fused(twice_ap, x, beta), select(bend, minus_sn, left));
    const Float excess = narrowed(rise0 - z0, rise1 - z1);
    return {select(bend, rise_at_eps, narrowed(rise0, rise1)), select(bend, (rise_at_eps - x) + rise_rest, excess),
            right, bend};
  }
#endif

  // By p x^2 sigmoid(p) right of 0, by n sigmoid(n) (rise - x) left of it, by beta x or the rise, by eps the growth
  // an exp(eps) between eps and 0.
  struct Sums {
    Float by_p, by_n, by_beta, by_eps;
    HWY_INLINE void clear() { by_p = by_n = by_beta = by_eps = Float::constant(0.0); }
    HWY_INLINE void add(const XieluForm&, Float x, const State& s, Float flow) {
      const FloatTruth left = {hn::Not(s.right.m)};
      by_p = fused_where(s.right, flow, x * x, by_p);
      by_n = fused_where(left, flow, s.excess, by_n);
      by_beta = fused(flow, select(s.right, x, s.rise), by_beta);
      by_eps = select(FloatTruth{hn::And(left.m, s.bend.m)}, by_eps + flow, by_eps);
    }
    HWY_INLINE void flush(const Row<float>& row, const double* p) {
      *row.sum[0] += sigmoid(p[0]) * sum_of(by_p);
      *row.sum[1] += sigmoid(p[1]) * sum_of(by_n);
      *row.sum[2] += sum_of(by_beta);
      *row.sum[3] += (p[2] + softplus(p[1])) * std::exp(p[3]) * sum_of(by_eps);
    }
  };

 private:
#if !OGEE_AVX512_TARGET
  // exp(x) - 1 for x <= 0: 2^k (1 + m) - 1, exact to more digits than a float has where it is small, too.
  static HWY_INLINE Double rise(Double x) {
    const Double y = at_least(x, -100.0);
    const auto k = nearest(y, 1.44269504088896340736);
    const Double r = fused_minus(k.number, 0.69314718055994530942, y);
    const Double m = fused(r * r, polynomial(r, Lane<Wide>::P::exp), r);
    const Double power = {hn::BitCast(
        DoubleTag(), hn::ShiftLeft<52>(hn::Add(k.integer(), hn::Set(hn::RebindToSigned<DoubleTag>(), 1023))))};
    return fused(power, m, power - 1.0);
  }
#else
  static HWY_INLINE Float clamped(Float x) { return at_least(at_most(x, 0.0), tables::XieluRatio::low); }
  // an (c + t c1 + t^2 h2) - sn: where it is small, an c - sn is exact but for what the product and the constants leave
  // out.
  struct Sum {
    Float large, small;
  };
  HWY_INLINE Sum less_line(Float c, Float c1, Float h2, Float t) const {
    const Float product = an * c;
    const Float left_out = fused(an, c, -product) + fused(an_rest, c, sn_rest);
    const Float m = an * t;
    return {product - sn, fused(m, c1, fused(m * t, h2, left_out))};
  }
#endif
};
OGEE_QUICK_LEARNED(Xielu, XieluForm)

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
