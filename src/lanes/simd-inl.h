// The SIMD number: a Highway vector of float or double, and the primitives on it. Included once per target.
//
// Three kinds of arithmetic share this text: float, double, and Wide: double arithmetic, with polynomials just exact
// enough (2^-33), for results that become floats. Wide serves those functions and derivatives whose float form rounds
// too often for the contract.
//
// Contracts, float32 (the same scheme serves double with longer polynomials): for every float unless said, in the tails
// too, results below FLT_MIN in units of its last place; NaN gives NaN; limits at infinity exact. Within these numbers
// of units in the last place (tests/core/primitives_test.cc; measured over every 301st float, rounded up):
//
//   exp, exp_decay 1         sigmoid 2                  normal_pdf 3         atan 1.5
//   expm1 1.5                sigmoid_slope, sech2 1.6   mills 6 (0 to 39)    arctan_gate 2.7
//   log1p 0.9                tanh 1.6                   normal_cdf 6.5       arctan_linear 4
//   log 0.9 (up to 2^127)    softplus 1.7               erf 4.5              arctan_linear_slope 11
//   logit 2.6 (up to 0.4)    tanh_shrink 6              bell 1.5             cauchy 2
//
// (Beyond 0.4, logit's logarithms cancel.) Functions whose own contract that would break take Wide, or quick forms of
// their own (kernels/quick). sin, cos: in sines-inl.h, for every float. The same sequence of IEEE operations runs on
// every target with a fused multiply-add (and on the one-lane scalar target, which uses std::fma), so that these agree
// bit for bit; contraction by the compiler is off (see CMakeLists).
#if defined(OGEE_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_SIMD_INL_H
#undef OGEE_SIMD_INL_H
#else
#define OGEE_SIMD_INL_H
#endif

#include <cmath>
#include <limits>
#include <type_traits>

#include "lanes/lane-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

// Estrin's scheme, coefficients lowest power first: the chain of dependent operations is what bounds these kernels.
template <std::size_t I, std::size_t Count, std::size_t N, class D>
HWY_INLINE Lane<D> estrin(const hn::TFromD<D> (&c)[N], const Lane<D> (&power)[5]) {
  if constexpr (Count == 1) {
    return {hn::Set(D(), c[I])};
  } else {
    constexpr std::size_t level = Count <= 2 ? 0 : Count <= 4 ? 1 : Count <= 8 ? 2 : Count <= 16 ? 3 : 4;
    constexpr std::size_t low = std::size_t{1} << level;
    return fused(estrin<I + low, Count - low>(c, power), power[level], estrin<I, low>(c, power));
  }
}
template <std::size_t N, class D>
HWY_INLINE Lane<D> polynomial(Lane<D> x, const hn::TFromD<D> (&c)[N]) {
  Lane<D> power[5] = {x, x, x, x, x};
  if constexpr (N > 2) power[1] = x * x;
  if constexpr (N > 4) power[2] = power[1] * power[1];
  if constexpr (N > 8) power[3] = power[2] * power[2];
  if constexpr (N > 16) power[4] = power[3] * power[3];
  return estrin<0, N>(c, power);
}

// max(x, low) and min(x, high) that let NaN through: x86's instructions return their second operand for NaN.
template <class D>
HWY_INLINE Lane<D> at_least(Lane<D> x, double low) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  return {hn::Max(Lane<D>::constant(low).v, x.v)};
#else
  return select(x < low, low, x);
#endif
}
template <class D>
HWY_INLINE Lane<D> at_most(Lane<D> x, double high) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  return {hn::Min(Lane<D>::constant(high).v, x.v)};
#else
  return select(x > high, high, x);
#endif
}

// 2^k as a float, k an integer in the normal range of exponents.
template <class D, class VI>
HWY_INLINE Lane<D> power_of_two(VI k) {
  using T = hn::TFromD<D>;
  const hn::RebindToSigned<D> di;
  constexpr int mantissa = sizeof(T) == 4 ? 23 : 52;
  constexpr int bias = sizeof(T) == 4 ? 127 : 1023;
  return {hn::BitCast(D(), hn::ShiftLeft<mantissa>(hn::Add(k, hn::Set(di, bias))))};
}

// The integer nearest to a number below 2^22 (float) or 2^51 (double), as the low bits of `shifted` and as a number:
// adding 1.5 times 2^23 (2^52) leaves no place for a fraction.
template <class D>
struct Nearest {
  Lane<D> shifted, number;
  static constexpr double shift = sizeof(hn::TFromD<D>) == 4 ? 12582912.0 : 6755399441055744.0;
  HWY_INLINE auto integer() const {
    const hn::RebindToSigned<D> di;
    return hn::Sub(hn::BitCast(di, shifted.v), hn::BitCast(di, Lane<D>::constant(shift).v));
  }
};
// The integer nearest to x*factor.
template <class D>
HWY_INLINE Nearest<D> nearest(Lane<D> x, double factor) {
  const Lane<D> shifted = fused(x, Lane<D>::constant(factor), Nearest<D>::shift);
  return {shifted, shifted - Nearest<D>::shift};
}

// x = k ln 2 + r, |r| <= ln(2)/2, with twice the precision's worth of ln 2 (Wide has digits to spare).
template <class D>
HWY_INLINE Nearest<D> reduce_by_log2(Lane<D> x, Lane<D>& r) {
  constexpr bool single = sizeof(hn::TFromD<D>) == 4;
  const Nearest<D> k = nearest(x, 1.4426950408889634073599246810019);
  if constexpr (is_wide<D>) {
    r = fused_minus(k.number, 0.69314718055994530942, x);
  } else {
    r = fused_minus(k.number, single ? 0.693145751953125 : 6.93147180369123816490e-01, x);
    r = fused_minus(k.number, single ? 1.428606765330187045e-06 : 1.90821492927058770002e-10, r);
  }
  return k;
}

// p*2^k, rounded once, for k that 2^(k/2) is normal.
template <class D>
HWY_INLINE Lane<D> scaled(Lane<D> p, Nearest<D> k) {
#if OGEE_AVX512_TARGET
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    return {hn::Vec<D>{_mm512_scalef_ps(p.v.raw, k.number.v.raw)}};
  } else {
    return {hn::Vec<D>{_mm512_scalef_pd(p.v.raw, k.number.v.raw)}};
  }
#else
  // In two factors, so that overflow and subnormal results round once, at the end.
  const auto whole = k.integer();
  const auto half = hn::ShiftRight<1>(whole);
  return p * power_of_two<D>(half) * power_of_two<D>(hn::Sub(whole, half));
#endif
}

// exp(x) = mantissa * 2^exponent, before the scaling that may round it into the subnormal range.
template <class D>
struct Exponential {
  Lane<D> mantissa;
  Nearest<D> exponent;
};
template <class D>
HWY_INLINE Exponential<D> exp_parts(Lane<D> x) {
  Lane<D> r;
  const Nearest<D> k = reduce_by_log2(x, r);
  return {fused(r * r, polynomial(r, Lane<D>::P::exp), r) + 1.0, k};
}

// Above exp_high the result is infinite. Below exp_low it is 0 and not computed: a result that underflows takes many
// processors a hundred times as long as others. Of float, four times the exponential is 0 there, too. Double gives up
// its subnormal results, so that it and Wide close a gate at the same arguments: its product with infinity is NaN where
// it is closed, infinite where it is only small, and both must say the same.
template <class D>
inline constexpr double exp_low = sizeof(hn::TFromD<D>) == 4 ? -107.0 : -708.0;
template <class D>
inline constexpr double exp_high = sizeof(hn::TFromD<D>) == 4 ? 89.0 : 710.0;
// For the same reason Wide arithmetic takes no exponential of less than this, whose product with any float is 0 as a
// float: but not 0 itself, as its product with infinity is none.
template <class D>
HWY_INLINE Lane<D> exp_argument(Lane<D> x) {
  if constexpr (is_wide<D>) return at_least(x, -340.0);
  return x;
}

template <class D>
HWY_INLINE Lane<D> exp(Lane<D> x) {
  const Truth<D> gone = x < exp_low<D>;
  const Exponential<D> e = exp_parts(exp_argument(at_most(select(gone, 0.0, x), exp_high<D>)));
  return select(gone, 0.0, scaled(e.mantissa, e.exponent));
}
// exp(-|x|)
template <class D>
HWY_INLINE Lane<D> exp_decay(Lane<D> x) {
  const Truth<D> gone = abs(x) > -exp_low<D>;
  const Exponential<D> e = exp_parts(exp_argument(select(gone, 0.0, -abs(x))));
  return select(gone, 0.0, scaled(e.mantissa, e.exponent));
}

template <class D>
HWY_INLINE Lane<D> expm1(Lane<D> x) {
  using T = hn::TFromD<D>;
  constexpr bool single = sizeof(T) == 4;
  const hn::RebindToSigned<D> di;
  const Lane<D> bounded = at_most(at_least(x, single ? -20.0 : -40.0), single ? 89.0 : 710.0);
  Lane<D> r;
  const Nearest<D> k = reduce_by_log2(bounded, r);
  const Lane<D> m = fused(r * r, polynomial(r, Lane<D>::P::exp), r);
  // 2^k m + (2^k - 1), with half of 2^k, which cannot overflow.
  const Lane<D> s = power_of_two<D>(hn::Sub(k.integer(), hn::Set(di, 1)));
  const Lane<D> y = fused(s, m, s - 0.5) * 2.0;
  // x itself where it is so small that half of it loses digits; this keeps -0, too.
  return select(abs(x) < (single ? 1e-30 : 1e-300), x, y);
}

// log(u + c) for u > 0 normal and a correction c below half an ULP of u.
template <class D>
HWY_INLINE Lane<D> log_of_sum(Lane<D> u, Lane<D> c) {
  using T = hn::TFromD<D>;
  constexpr bool single = sizeof(T) == 4;
  constexpr int mantissa = single ? 23 : 52;
  const hn::RebindToSigned<D> di;
  using I = hn::TFromD<decltype(di)>;
  constexpr I root_half = single ? I{0x3f3504f3} : static_cast<I>(0x3fe6a09e667f3bcdLL);  // sqrt(1/2)
  const auto bits = hn::BitCast(di, u.v);
  const auto k = hn::ShiftRight<mantissa>(hn::Sub(bits, hn::Set(di, root_half)));
  const Lane<D> scale = power_of_two<D>(hn::Neg(k));
  const Lane<D> m = {hn::BitCast(D(), hn::Sub(bits, hn::ShiftLeft<mantissa>(k)))};
  const Lane<D> f = (m - 1.0) + c * scale;
  const Lane<D> e = {hn::ConvertTo(D(), k)};
  // log(1+f) = f - (f^2/2 - s (f^2/2 + z p(z))), s = f/(2+f), z = s^2: fdlibm's arrangement, f itself exact.
  const Lane<D> s = f / (2.0 + f);
  const Lane<D> z = s * s;
  const Lane<D> half_square = 0.5 * f * f;
  const Lane<D> tail = s * (half_square + z * polynomial(z, Lane<D>::P::log));
  const Lane<D> low = e * (single ? 9.0580006145e-06 : 1.90821492927058770002e-10);
  const Lane<D> high = e * (single ? 6.9313812256e-01 : 6.93147180369123816490e-01);
  return high - ((half_square - (tail + low)) - f);
}

template <class D>
HWY_INLINE Lane<D> log1p(Lane<D> y) {
  const Lane<D> u = 1.0 + y;
  const Lane<D> c = select(y > 1.0, 1.0 - (u - y), y - (u - 1.0));
  const Lane<D> value = log_of_sum(u, c);
  const Lane<D> special = select(y < 0.0,
                                 select(u < 0.0, std::numeric_limits<double>::quiet_NaN(),
                                        Lane<D>::constant(-std::numeric_limits<double>::infinity())),
                                 y);
  // u = 0, negative, infinite or NaN; and where y is so small that u = 1, log1p(y) = y.
  const Truth<D> regular = {hn::And((u > 0.0).m, (u < std::numeric_limits<double>::infinity()).m)};
  const Lane<D> whole = select(regular, value, select(is_nan(y), y, special));
  return select(equal(u, 1.0), y, whole);
}

// x > 0 and normal, 0 and infinite ones included; a subnormal x counts as the smallest normal number.
template <class D>
HWY_INLINE Lane<D> log(Lane<D> x) {
  constexpr double tiny = sizeof(hn::TFromD<D>) == 4 ? 1.17549435082228751e-38 : 2.2250738585072014e-308;
  const Lane<D> value = log_of_sum(select(x < tiny, tiny, x), Lane<D>::constant(0.0));
  const double inf = std::numeric_limits<double>::infinity();
  const Lane<D> low = select(x < 0.0, std::numeric_limits<double>::quiet_NaN(), select(equal(x, 0.0), -inf, value));
  return select(x < inf, low, x);
}

// log(u/(1 - u)) for a uniform deviate u: a multiple of 2^-24 that is neither 0 nor 1.
template <class D>
HWY_INLINE Lane<D> logit(Lane<D> u) {
  if constexpr (is_wide<D>) return log_of_sum(u / (1.0 - u), Lane<D>::constant(0.0));  // digits enough near 0, too
  return log(u) - log1p(-u);
}
template <class D>
HWY_INLINE Lane<D> sigmoid(Lane<D> x) {
  const Lane<D> e = exp_decay(x);
  if constexpr (is_wide<D>) return select(x < 0.0, e, 1.0) * (1.0 / (1.0 + e));  // the quotient serves the slope, too
  const Lane<D> d = 1.0 + e;
  const Lane<D> q = select(x < 0.0, e, 1.0) / d;
  if constexpr (sizeof(hn::TFromD<D>) == 8) return q;
  // What the rounding of 1 + e lost, given back to the first order; 1/d to a few percent.
  return fused_minus(q * fused(-0.5, e, 0.957), e - (d - 1.0), q);
}
// k e/(1+e)^2 for e <= 1, given in two parts, and top = k times its mantissa; scaled last, as a subnormal e has lost
// digits already. Rounded three times, (1+e)^2 would cost the result more than the exponential does: what is left out
// of 1 + e and of its square goes into the quotient's remainder.
template <class D>
HWY_INLINE Lane<D> over_square(Lane<D> top, const Exponential<D>& p) {
  const Lane<D> e = scaled(p.mantissa, p.exponent), s = 1.0 + e;
  if constexpr (is_wide<D>) {
    const Lane<D> inverse = 1.0 / s;
    return scaled(top * (inverse * inverse), p.exponent);
  }
  const Lane<D> square = s * s;
  if constexpr (sizeof(hn::TFromD<D>) == 8) return scaled(top / square, p.exponent);  // double has digits to spare
  const Lane<D> left_out = fused(s, s, -square) + 2.0 * s * (e - (s - 1.0));
  const Lane<D> inverse = 1.0 / square;
  const Lane<D> near = top * inverse;
  const Lane<D> remainder = fused_minus(near, left_out, fused_minus(near, square, top));
  return scaled(fused(remainder, inverse, near), p.exponent);
}
template <class D>
HWY_INLINE Lane<D> sigmoid_slope(Lane<D> x) {
  const Truth<D> gone = abs(x) > -exp_low<D>;
  const Exponential<D> p = exp_parts(exp_argument(select(gone, 0.0, -abs(x))));
  return select(gone, 0.0, over_square(p.mantissa, p));
}
template <class D>
HWY_INLINE Lane<D> sech2(Lane<D> x) {
  const Lane<D> z = 2.0 * abs(x);
  const Truth<D> gone = z > -exp_low<D>;
  const Exponential<D> p = exp_parts(exp_argument(select(gone, 0.0, -abs(z))));  // the same as in tanh, for both
  return select(gone, 0.0, over_square(4.0 * p.mantissa, p));
}
// u/(u+2), u = exp(2|x|) - 1, whose relative error this quotient makes smaller, never larger.
template <class D>
HWY_INLINE Lane<D> tanh(Lane<D> x) {
  const Lane<D> a = abs(x);
  if constexpr (is_wide<D>) {  // digits enough for 1 - exp(-2|x|) down to small x, where x - x^3/3 takes over
    const Lane<D> e = exp_decay(2.0 * a);
    const Lane<D> z = a * a;
    const Lane<D> near = fused_minus(a * z, 1.0 / 3, a);
    return with_sign_of(select(a < 1e-4, near, (1.0 - e) * (1.0 / (1.0 + e))), x);  // sech2 shares the quotient
  }
  const Lane<D> u = expm1(2.0 * at_most(a, sizeof(hn::TFromD<D>) == 4 ? 10.0 : 22.0));
  Lane<D> t = u / (u + 2.0);
  if constexpr (sizeof(hn::TFromD<D>) == 4) {  // near 0 three roundings are one too many
    const Lane<D> z = a * a;
    t = select(a < 0.45, fused_minus(a * z, polynomial(z, Lane<D>::P::tanh), a), t);
  }
  return with_sign_of(t, x);
}
// log(1+y) for y in [0, 1]: nothing special to watch for but NaN, which passes through.
template <class D>
HWY_INLINE Lane<D> softplus(Lane<D> x) {
  const Lane<D> y = exp_decay(x);
  const Lane<D> u = 1.0 + y;
  const Lane<D> tail = select(u > 1.0, log_of_sum(u, y - (u - 1.0)), y);
  return select(x > 0.0, x, 0.0 * y) + tail;
}
template <class D>
HWY_INLINE Lane<D> tanh_shrink(Lane<D> x) {
  const Lane<D> z = x * x;
  return select(abs(x) < 1.5, x * z * polynomial(z, Lane<D>::P::tanh_shrink), x - tanh(x));
}

// exp(-scale z^2), with the rounding error of z^2 given back; z beyond the underflow is clamped.
template <class D>
HWY_INLINE Lane<D> exp_of_square(Lane<D> x, double scale) {
  // From here on the exponential is gone.
  const double limit = (sizeof(hn::TFromD<D>) == 4 ? 10.35 : 27.4) * (scale == 1.0 ? 1.0 : 1.41421357);
  Lane<D> z = abs(x);
  z = select(z > limit, limit, z);
  const Lane<D> high = z * z;
  const Lane<D> low = fused(z, z, -high);
  const Lane<D> e = exp(-scale * high);
  return e - e * (scale * low);
}
template <class D>
HWY_INLINE Lane<D> bell(Lane<D> x) {
  return exp_of_square(x, 1.0);
}
template <class D>
HWY_INLINE Lane<D> normal_pdf(Lane<D> x) {
  return 0.39894228040143267793994605993438 * exp_of_square(x, 0.5);
}
// exp(z^2/2) Phi(-z) for z >= 0.
template <class D>
HWY_INLINE Lane<D> mills(Lane<D> z) {
  z = select(z > 39.0, 39.0, z);
  return polynomial((z - 4.0) / (z + 4.0), Lane<D>::P::mills) / (1.0 + z);
}
template <class D>
HWY_INLINE Lane<D> normal_cdf(Lane<D> x) {
  const Lane<D> tail = exp_of_square(x, 0.5) * mills(abs(x));
  return select(x > 0.0, 1.0 - tail, tail);
}
// 2 Phi(x) - 1 = erf(x/sqrt 2), where Phi(x) is at hand.
template <class D>
HWY_INLINE Lane<D> normal_centred(Lane<D> x, Lane<D> cdf) {
  const Lane<D> z = 0.70710678118654752440 * x;
  return select(abs(z) < 1.0, z * polynomial(z * z, Lane<D>::P::erf), 2.0 * cdf - 1.0);
}
template <class D>
HWY_INLINE Lane<D> erf(Lane<D> x) {
  const Lane<D> a = abs(x);
  const Lane<D> near = a * polynomial(a * a, Lane<D>::P::erf);
  const Lane<D> far = 1.0 - 2.0 * exp_of_square(a, 1.0) * mills(1.4142135623730950488 * a);
  return with_sign_of(select(a < 1.0, near, far), x);
}

// atan(w) for 0 <= w <= 1
template <class D>
HWY_INLINE Lane<D> atan_unit(Lane<D> w) {
  const Lane<D> z = w * w;
  return fused(w * z, polynomial(z, Lane<D>::P::atan), w);
}
template <class D>
HWY_INLINE Lane<D> atan(Lane<D> x) {
  const Lane<D> a = abs(x);
  const Truth<D> far = a > 1.0;
  const Lane<D> p = atan_unit(select(far, 1.0 / a, a));
  // pi/2 in two parts: the first difference is exact where the result is small enough to feel the second.
  constexpr double rest = sizeof(hn::TFromD<D>) == 4 ? -4.3711390001862412e-8 : 6.1232339957367660e-17;
  return with_sign_of(select(far, (1.5707963267948966192 - p) + rest, p), x);
}
// 1/(1+x^2); where the square would overflow, (1/x)^2.
template <class D>
HWY_INLINE Lane<D> cauchy(Lane<D> x) {
  const Truth<D> far = abs(x) > (sizeof(hn::TFromD<D>) == 4 ? 1e9 : 1e150);
  const Lane<D> w = 1.0 / select(far, x, fused(x, x, 1.0));
  return select(far, w * w, w);
}
template <class D>
HWY_INLINE Lane<D> arctan_gate(Lane<D> x) {
  const Lane<D> a = abs(x);
  const Truth<D> far = a > 1.0;
  const Lane<D> p = atan_unit(select(far, 1.0 / a, a)) * 0.31830988618379067153776752674503;
  const Lane<D> high = select(far, 1.0 - p, 0.5 + p);
  return select(x < 0.0, select(far, p, 0.5 - p), high);
}
// x (1/2 + atan(x)/pi); left of -1, with w = -1/x, it is -(1 + w^2 p(w^2))/pi.
template <class D>
HWY_INLINE Lane<D> arctan_linear(Lane<D> x) {
  const Lane<D> w = -1.0 / x;
  const Lane<D> z = w * w;
  const Lane<D> left = (1.0 + z * polynomial(z, Lane<D>::P::atan)) * -0.31830988618379067153776752674503;
  return select(x < -1.0, left, x * arctan_gate(x));
}
template <class D>
HWY_INLINE Lane<D> arctan_linear_slope(Lane<D> x) {
  const Lane<D> a = abs(x);
  const Lane<D> w = 1.0 / a;
  const Lane<D> z = w * w;
  const Lane<D> tail = z * w * polynomial(z, Lane<D>::P::arctan_tail) * 0.31830988618379067153776752674503;
  const Lane<D> middle = arctan_gate(x) + x * 0.31830988618379067153776752674503 * cauchy(x);
  return select(a > 1.0, select(x < 0.0, tail, 1.0 - tail), middle);
}

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#include "lanes/sines-inl.h"

#endif
