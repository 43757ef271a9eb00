// Sines and cosines of any argument (part of simd-inl.h): Cody and Waite's reduction up to |x| = 8192 (float) or 1e5
// (double), Payne and Hanek's beyond.
//
// The latter has two forms that share neither code nor table, as double arithmetic is what Wide is measured by. Double
// lanes are reduced one by one by integers (quarters.h), to within 2^-60 of what is left. Wide and float lanes are all
// reduced at once, to within 2^-97 of a turn: of floats, and products of two, 2^-62 of one or more is left.
#if defined(OGEE_SINES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_SINES_INL_H
#undef OGEE_SINES_INL_H
#else
#define OGEE_SINES_INL_H
#endif

#include <limits>

#include "lanes/quarters.h"
#include "lanes/simd-inl.h"
#include "lanes/turns.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

// sin(r + quadrant pi/2), |r| <= pi/4
template <class D, class VI>
HWY_INLINE Lane<D> sine_of_quarter(Lane<D> r, VI quadrant, bool cosine) {
  using T = hn::TFromD<D>;
  const hn::RebindToSigned<D> di;
  using I = hn::TFromD<decltype(di)>;
  const Lane<D> z = r * r;
  // Near the roots all digits of the argument count: the polynomials of the number's own type, also for Wide.
  using P = coefficients::Polynomials<T>;
  const Lane<D> s = fused(r * z, polynomial(z, P::sin), r);
  const Lane<D> c = fused(z * z, polynomial(z, P::cos), fused(z, Lane<D>::constant(-0.5), 1.0));
  quadrant = hn::Add(quadrant, hn::Set(di, I{cosine ? 1 : 0}));
  const auto odd = hn::TestBit(quadrant, hn::Set(di, I{1}));
  const auto negative = hn::TestBit(quadrant, hn::Set(di, I{2}));
  const Lane<D> value = {hn::IfThenElse(hn::RebindMask(D(), odd), c.v, s.v)};
  return select(Truth<D>{hn::RebindMask(D(), negative)}, -value, value);
}

// a less the nearest integer.
template <class D>
HWY_INLINE Lane<D> fraction(Lane<D> a) {
  return a - Lane<D>{hn::Round(a.v)};
}
// sum + a; what its rounding lost is added to `lost` (Knuth).
template <class D>
HWY_INLINE Lane<D> sum_and_loss(Lane<D> sum, Lane<D> a, Lane<D>& lost) {
  const Lane<D> s = sum + a, part = s - sum;
  lost = lost + ((sum - (s - part)) + (a - part));
  return s;
}

// The sine for 1 <= |x| < infinity. |x| = 2^(8 group) m, and m times 2^(8 group)/(2 pi), given in three parts, is
// summed from products that are exact, each less its whole turns.
template <class D>
HWY_INLINE Lane<D> far_sine(Lane<D> x, bool cosine) {
  const hn::RebindToSigned<D> di;
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::BitCast(du, hn::Abs(x.v));
  const auto group = hn::Sub(hn::ShiftRight<3>(hn::Add(hn::ShiftRight<52>(bits), hn::Set(du, 1))), hn::Set(du, 128));
  const Lane<D> m = with_sign_of(Lane<D>{hn::BitCast(D(), hn::Sub(bits, hn::ShiftLeft<55>(group)))}, x);
  const auto index = hn::BitCast(di, group);
  const Lane<D> c1 = {hn::GatherIndex(D(), turns::first, index)};
  const Lane<D> c2 = {hn::GatherIndex(D(), turns::second, index)};
  const Lane<D> c3 = {hn::GatherIndex(D(), turns::third, index)};
  const Lane<D> p1 = m * c1, p2 = m * c2;
  const Lane<D> high = fraction(p1), middle = fraction(fused(m, c1, -p1)), low = fraction(p2);
  const Nearest<D> quarters = nearest(high + middle + low, 4.0);
  Lane<D> lost = fused(m, c3, fused(m, c2, -p2));
  Lane<D> rest = sum_and_loss(high, -0.25 * quarters.number, lost);
  rest = sum_and_loss(rest, middle, lost);
  rest = sum_and_loss(rest, low, lost);
  return sine_of_quarter((rest + lost) * 6.2831853071795864769, quarters.integer(), cosine);
}

// The largest argument that is reduced by pi/2 in four parts.
template <class D>
inline constexpr double near_sine = sizeof(hn::TFromD<D>) == 4 ? 8192 : 1e5;

// Puts the sines of lanes beyond near_sine in their places.
template <class D>
HWY_NOINLINE HWY_ATTR void large_sine(Lane<D> x, Lane<D>& value, bool cosine) {
  const Truth<D> large = abs(x) > near_sine<D>, finite = abs(x) < std::numeric_limits<double>::infinity();
  const Lane<D> argument = select(Truth<D>{hn::And(large.m, finite.m)}, x, near_sine<D>);
  Lane<D> far = argument;
  if constexpr (is_wide<D>) {
    far = far_sine(argument, cosine);
  } else if constexpr (sizeof(hn::TFromD<D>) == 4) {
    HWY_ALIGN float lanes[hn::MaxLanes(D())];
    hn::Store(argument.v, D(), lanes);
    const hn::Rebind<float, Wide> part;
    for (std::size_t i = 0; i < hn::Lanes(D()); i += hn::Lanes(part)) {
      const Lane<Wide> sine = far_sine(Lane<Wide>{hn::PromoteTo(Wide(), hn::Load(part, lanes + i))}, cosine);
      hn::Store(hn::DemoteTo(part, sine.v), part, lanes + i);
    }
    far = {hn::Load(D(), lanes)};
  } else {
    const hn::RebindToSigned<D> di;
    HWY_ALIGN double lanes[hn::MaxLanes(D())];
    HWY_ALIGN std::int64_t quadrants[hn::MaxLanes(D())];
    hn::Store(argument.v, D(), lanes);
    for (std::size_t i = 0; i < hn::Lanes(D()); ++i) {
      const quarters::Reduced reduced = quarters::reduced(lanes[i]);
      lanes[i] = reduced.rest;
      quadrants[i] = reduced.quadrant;
    }
    far = sine_of_quarter(Lane<D>{hn::Load(D(), lanes)}, hn::Load(di, quadrants), cosine);
  }
  value = select(large, far + (x - x), value);  // of infinity, NaN
}

template <class D>
HWY_INLINE Lane<D> sine_of(Lane<D> x, bool cosine) {
  constexpr bool single = sizeof(hn::TFromD<D>) == 4;
  const Truth<D> large = abs(x) > near_sine<D>;
  const Lane<D> small = select(large, 0.0, x);
  const Nearest<D> whole = nearest(small, 0.63661977236758134308);
  const Lane<D> k = whole.number;
  // pi/2 in four parts, the first ones short enough for k times them to be exact.
  Lane<D> r = fused_minus(k, single ? 1.5703125 : 1.57079632673412561417e+00, small);
  r = fused_minus(k, single ? 4.8351287841796875e-4 : 6.07710050630396597660e-11, r);
  r = fused_minus(k, single ? 3.1385570764541625977e-7 : 2.02226624871116645580e-21, r);
  r = fused_minus(k, single ? 6.0771005065061922e-11 : 8.47842766036889956997e-32, r);
  Lane<D> value = sine_of_quarter(r, whole.integer(), cosine);
  if (HWY_UNLIKELY(!hn::AllFalse(D(), large.m))) large_sine(x, value, cosine);
  return value;
}
template <class D>
HWY_INLINE Lane<D> sin(Lane<D> x) {
  return select(equal(x, 0.0), x, sine_of(x, false));
}
template <class D>
HWY_INLINE Lane<D> cos(Lane<D> x) {
  return sine_of(x, true);
}

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
