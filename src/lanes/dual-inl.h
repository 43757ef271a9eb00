// Dual numbers: a value and its derivatives in K directions, carried forward through a definition. The rules of
// differentiation exist once for each primitive, here, and for every number type: Dual<L, K> works over the
// reference double, over a SIMD lane, and over another Dual (for second derivatives).
//
// Included once by the reference and once per SIMD target, inside whatever namespace the number type lives in.
#if !defined(OGEE_SIMD) || defined(OGEE_DUAL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_DUAL_INL_H
#undef OGEE_DUAL_INL_H
#else
#define OGEE_DUAL_INL_H
#endif

#include <cstddef>
#include <limits>
#include <utility>

#ifdef OGEE_SIMD
HWY_BEFORE_NAMESPACE();
#endif
namespace ogee::OGEE_WORLD {

template <class L, int K>
struct Dual {
  L v;
  L d[K];
};

// How deeply a number nests duals; operands of lower rank are constants to those of higher rank.
template <class T>
inline constexpr int rank = 0;
template <>
inline constexpr int rank<double> = -1;
template <class L, int K>
inline constexpr int rank<Dual<L, K>> = rank<L> + 1;

template <class D, class C>
concept ConstantFor = (rank<D> >= 1) && (rank<C> < rank<D>);

// A constant as a number of type X: same value, no derivative.
template <class X>
struct Lift {
  template <class C>
  static OGEE_FN X from(C c) {
    if constexpr (rank<C> == rank<X>) {
      return c;
    } else {
      return X::constant(c);
    }
  }
};
template <class L, int K>
struct Lift<Dual<L, K>> {
  template <class C>
  static OGEE_FN Dual<L, K> from(C c) {
    if constexpr (rank<C> == rank<Dual<L, K>>) {
      return c;
    } else {
      Dual<L, K> r;
      r.v = Lift<L>::from(c);
      for (int k = 0; k < K; ++k) r.d[k] = Lift<L>::from(0.0);
      return r;
    }
  }
};
template <class X, class C>
OGEE_FN X lift(C c) {
  return Lift<X>::from(c);
}

// The chain rule for a function of one argument: f(a) = value, f'(a) = slope. A slope of 0 wins over an infinite
// derivative (damp): tanh(alpha x) does not depend on alpha at x = infinity.
template <class L, int K, class S>
OGEE_FN Dual<L, K> chain(L value, S slope, const Dual<L, K>& a) {
  Dual<L, K> r;
  r.v = value;
  for (int k = 0; k < K; ++k) r.d[k] = damp(a.d[k], slope);
  return r;
}

template <class L, int K>
OGEE_FN Dual<L, K> operator-(const Dual<L, K>& a) {
  Dual<L, K> r;
  r.v = -a.v;
  for (int k = 0; k < K; ++k) r.d[k] = -a.d[k];
  return r;
}
template <class L, int K>
OGEE_FN Dual<L, K> operator+(const Dual<L, K>& a, const Dual<L, K>& b) {
  Dual<L, K> r;
  r.v = a.v + b.v;
  for (int k = 0; k < K; ++k) r.d[k] = a.d[k] + b.d[k];
  return r;
}
template <class L, int K>
OGEE_FN Dual<L, K> operator-(const Dual<L, K>& a, const Dual<L, K>& b) {
  Dual<L, K> r;
  r.v = a.v - b.v;
  for (int k = 0; k < K; ++k) r.d[k] = a.d[k] - b.d[k];
  return r;
}
// A derivative of 0 wins over an infinite factor (damp): what does not depend on an argument adds nothing to its
// derivative, at infinity too.
template <class L, int K>
OGEE_FN Dual<L, K> operator*(const Dual<L, K>& a, const Dual<L, K>& b) {
  Dual<L, K> r;
  r.v = a.v * b.v;
  for (int k = 0; k < K; ++k) r.d[k] = damp(b.v, a.d[k]) + damp(a.v, b.d[k]);
  return r;
}
template <class L, int K>
OGEE_FN Dual<L, K> operator/(const Dual<L, K>& a, const Dual<L, K>& b) {
  Dual<L, K> r;
  const L inverse = 1.0 / b.v;
  r.v = a.v / b.v;
  for (int k = 0; k < K; ++k) r.d[k] = (a.d[k] - damp(r.v, b.d[k])) * inverse;
  return r;
}
// a*b + c rounded once, where the sum may cancel.
template <class A, class L, int K>
OGEE_FN Dual<L, K> fused(A a, const Dual<L, K>& b, double c) {
  Dual<L, K> r = a * b;
  if constexpr (rank<A> == rank<Dual<L, K>>) {
    r.v = fused(a.v, b.v, c);
  } else {
    r.v = fused(a, b.v, c);
  }
  return r;
}

template <class L, int K, class C>
requires ConstantFor<Dual<L, K>, C> OGEE_FN Dual<L, K>
operator+(const Dual<L, K>& a, C c) {
  Dual<L, K> r = a;
  r.v = a.v + c;
  return r;
}
template <class L, int K, class C>
requires ConstantFor<Dual<L, K>, C> OGEE_FN Dual<L, K>
operator+(C c, const Dual<L, K>& a) { return a + c; }
template <class L, int K, class C>
requires ConstantFor<Dual<L, K>, C> OGEE_FN Dual<L, K>
operator-(const Dual<L, K>& a, C c) {
  Dual<L, K> r = a;
  r.v = a.v - c;
  return r;
}
template <class L, int K, class C>
requires ConstantFor<Dual<L, K>, C> OGEE_FN Dual<L, K>
operator-(C c, const Dual<L, K>& a) {
  Dual<L, K> r;
  r.v = c - a.v;
  for (int k = 0; k < K; ++k) r.d[k] = -a.d[k];
  return r;
}
template <class L, int K, class C>
requires ConstantFor<Dual<L, K>, C> OGEE_FN Dual<L, K>
operator*(const Dual<L, K>& a, C c) {
  Dual<L, K> r;
  r.v = a.v * c;
  for (int k = 0; k < K; ++k) r.d[k] = a.d[k] * c;
  return r;
}
template <class L, int K, class C>
requires ConstantFor<Dual<L, K>, C> OGEE_FN Dual<L, K>
operator*(C c, const Dual<L, K>& a) { return a * c; }
template <class L, int K, class C>
requires ConstantFor<Dual<L, K>, C> OGEE_FN Dual<L, K>
operator/(const Dual<L, K>& a, C c) {
  Dual<L, K> r;
  r.v = a.v / c;
  for (int k = 0; k < K; ++k) r.d[k] = a.d[k] / c;
  return r;
}
template <class L, int K, class C>
requires ConstantFor<Dual<L, K>, C> OGEE_FN Dual<L, K>
operator/(C c, const Dual<L, K>& a) {
  Dual<L, K> r;
  r.v = c / a.v;
  const L slope = -r.v / a.v;
  for (int k = 0; k < K; ++k) r.d[k] = slope * a.d[k];
  return r;
}

// Comparisons look at the value alone.
#define OGEE_COMPARE(op)                                                                                      \
  template <class L, int K>                                                                                   \
  OGEE_FN auto operator op(const Dual<L, K>& a, const Dual<L, K>& b) {                                        \
    return a.v op b.v;                                                                                        \
  }                                                                                                           \
  template <class L, int K, class C>                                                                          \
  requires ConstantFor<Dual<L, K>, C> OGEE_FN auto operator op(const Dual<L, K>& a, C b) { return a.v op b; } \
  template <class L, int K, class C>                                                                          \
  requires ConstantFor<Dual<L, K>, C> OGEE_FN auto operator op(C a, const Dual<L, K>& b) { return a op b.v; }
OGEE_COMPARE(<)
OGEE_COMPARE(<=)
OGEE_COMPARE(>)
OGEE_COMPARE(>=)
#undef OGEE_COMPARE

// select(mask, a, b): a where the mask holds, else b, with the derivative of whichever is taken.
template <class M, class L, int K>
OGEE_FN Dual<L, K> select(M mask, const Dual<L, K>& a, const Dual<L, K>& b) {
  Dual<L, K> r;
  r.v = select(mask, a.v, b.v);
  for (int k = 0; k < K; ++k) r.d[k] = select(mask, a.d[k], b.d[k]);
  return r;
}
template <class M, class L, int K, class C>
requires ConstantFor<Dual<L, K>, C> OGEE_FN Dual<L, K> select(M mask, const Dual<L, K>& a, C b) {
  return select(mask, a, lift<Dual<L, K>>(b));
}
template <class M, class L, int K, class C>
requires ConstantFor<Dual<L, K>, C> OGEE_FN Dual<L, K> select(M mask, C a, const Dual<L, K>& b) {
  return select(mask, lift<Dual<L, K>>(a), b);
}

// The value without its derivatives.
template <class L, int K>
OGEE_FN Dual<L, K> detach(const Dual<L, K>& a) {
  return lift<Dual<L, K>>(detach(a.v));
}

// The first argument's value with the second's derivatives (Bengio et al. 2013, 1308.3432, section 4).
template <class L, int K>
OGEE_FN Dual<L, K> straight_through(const Dual<L, K>& value, const Dual<L, K>& surrogate) {
  Dual<L, K> r;
  r.v = straight_through(value.v, surrogate.v);
  for (int k = 0; k < K; ++k) r.d[k] = surrogate.d[k];
  return r;
}

// x*g where a gate g of exactly 0 wins over any x, infinite ones too: the limit of x*sigmoid(x) at -infinity.
template <class L, int K>
OGEE_FN Dual<L, K> damp(const Dual<L, K>& x, const Dual<L, K>& g) {
  Dual<L, K> r;
  r.v = damp(x.v, g.v);
  for (int k = 0; k < K; ++k) r.d[k] = damp(g.v, x.d[k]) + damp(x.v, g.d[k]);
  return r;
}
template <class L, int K, class C>
requires ConstantFor<Dual<L, K>, C> OGEE_FN Dual<L, K> damp(const Dual<L, K>& x, C g) {
  Dual<L, K> r;
  r.v = damp(x.v, g);
  for (int k = 0; k < K; ++k) r.d[k] = damp(lift<L>(g), x.d[k]);
  return r;
}
template <class L, int K, class C>
requires ConstantFor<Dual<L, K>, C> OGEE_FN Dual<L, K> damp(C x, const Dual<L, K>& g) {
  return damp(lift<Dual<L, K>>(x), g);
}

// damp(x, g) + y; for a factor that is the same for all elements with one rounding less.
template <class L, int K>
OGEE_FN Dual<L, K> damp_plus(const Dual<L, K>& x, double g, const Dual<L, K>& y) {
  Dual<L, K> r;
  r.v = damp_plus(x.v, g, y.v);
  for (int k = 0; k < K; ++k) r.d[k] = damp_plus(x.d[k], g, y.d[k]);
  return r;
}
template <class X, class P>
OGEE_FN X damp_plus(X x, P g, X y) {
  return damp(x, g) + y;
}

// d|a| = sgn(a) da, with slope 0 at 0.
template <class L, int K>
OGEE_FN Dual<L, K> abs(const Dual<L, K>& a) {
  return chain(abs(a.v), sign(a.v), a);
}
// sgn(a) is a constant under differentiation, here and in the noisy units that use it.
template <class L, int K>
OGEE_FN Dual<L, K> sign(const Dual<L, K>& a) {
  return lift<Dual<L, K>>(sign(a.v));
}
// d sqrt(a) = da / (2 sqrt(a))
template <class L, int K>
OGEE_FN Dual<L, K> sqrt(const Dual<L, K>& a) {
  Dual<L, K> r;
  r.v = sqrt(a.v);
  for (int k = 0; k < K; ++k) r.d[k] = damp(0.5 / r.v, a.d[k]);  // 0 for a constant, at sqrt(0) too
  return r;
}
// hypotenuse(x, b) = sqrt(x^2 + b): by x x over it, 1 at infinity (0 at 0), by b 1/2 over it
template <class L, int K, class B>
OGEE_FN Dual<L, K> hypotenuse(const Dual<L, K>& x, const B& b) {
  const auto high = lift<Dual<L, K>>(b);
  Dual<L, K> r;
  r.v = hypotenuse(x.v, high.v);
  const L slope = select(abs(x.v) < std::numeric_limits<double>::infinity(), damp(1.0 / r.v, x.v), sign(x.v));
  for (int k = 0; k < K; ++k) r.d[k] = damp(x.d[k], slope) + damp(0.5 / r.v, high.d[k]);
  return r;
}
template <class L, int K>
OGEE_FN Dual<L, K> exp(const Dual<L, K>& a) {
  const L value = exp(a.v);
  return chain(value, value, a);
}
template <class L, int K>
OGEE_FN Dual<L, K> expm1(const Dual<L, K>& a) {
  return chain(expm1(a.v), exp(a.v), a);
}
template <class L, int K>
OGEE_FN Dual<L, K> log1p(const Dual<L, K>& a) {
  return chain(log1p(a.v), 1.0 / (1.0 + a.v), a);
}
template <class L, int K>
OGEE_FN Dual<L, K> log(const Dual<L, K>& a) {
  return chain(log(a.v), 1.0 / a.v, a);
}
// sigmoid' = sigmoid(x) sigmoid(-x), never s(1-s), which is 0 in the right tail.
template <class L, int K>
OGEE_FN Dual<L, K> sigmoid(const Dual<L, K>& a) {
  return chain(sigmoid(a.v), sigmoid_slope(a.v), a);
}
// (s(x) s(-x))' = s(x) s(-x) (s(-x) - s(x)) = -s(x) s(-x) tanh(x/2)
template <class L, int K>
OGEE_FN Dual<L, K> sigmoid_slope(const Dual<L, K>& a) {
  const L value = sigmoid_slope(a.v);
  return chain(value, -value * tanh(0.5 * a.v), a);
}
template <class L, int K>
OGEE_FN Dual<L, K> softplus(const Dual<L, K>& a) {
  return chain(softplus(a.v), sigmoid(a.v), a);
}
// tanh' = sech^2, computed without 1 - t^2
template <class L, int K>
OGEE_FN Dual<L, K> tanh(const Dual<L, K>& a) {
  return chain(tanh(a.v), sech2(a.v), a);
}
template <class L, int K>
OGEE_FN Dual<L, K> sech2(const Dual<L, K>& a) {
  const L value = sech2(a.v);
  return chain(value, -2.0 * value * tanh(a.v), a);
}
// (x - tanh x)' = tanh^2 x
template <class L, int K>
OGEE_FN Dual<L, K> tanh_shrink(const Dual<L, K>& a) {
  const L t = tanh(a.v);
  return chain(tanh_shrink(a.v), t * t, a);
}
// bell(x) = exp(-x^2); bell' = -2 x bell, 0 at infinity
template <class L, int K>
OGEE_FN Dual<L, K> bell(const Dual<L, K>& a) {
  const L value = bell(a.v);
  return chain(value, -2.0 * damp(a.v, value), a);
}
// erf' = 2/sqrt(pi) exp(-x^2)
template <class L, int K>
OGEE_FN Dual<L, K> erf(const Dual<L, K>& a) {
  return chain(erf(a.v), 1.1283791670955125738961589031215 * bell(a.v), a);
}
// Phi' = the normal density; its own slope is -x times itself
template <class L, int K>
OGEE_FN Dual<L, K> normal_cdf(const Dual<L, K>& a) {
  return chain(normal_cdf(a.v), normal_pdf(a.v), a);
}
template <class L, int K>
OGEE_FN Dual<L, K> normal_pdf(const Dual<L, K>& a) {
  const L value = normal_pdf(a.v);
  return chain(value, -damp(a.v, value), a);
}
template <class L, int K>
OGEE_FN Dual<L, K> atan(const Dual<L, K>& a) {
  return chain(atan(a.v), cauchy(a.v), a);
}
// cauchy(x) = 1/(1+x^2); its slope is -2 x cauchy^2
template <class L, int K>
OGEE_FN Dual<L, K> cauchy(const Dual<L, K>& a) {
  const L value = cauchy(a.v);
  return chain(value, -2.0 * damp(a.v, value) * value, a);
}
// arctan_gate(x) = 1/2 + atan(x)/pi
template <class L, int K>
OGEE_FN Dual<L, K> arctan_gate(const Dual<L, K>& a) {
  return chain(arctan_gate(a.v), 0.31830988618379067153776752674503 * cauchy(a.v), a);
}
// arctan_linear(x) = x (1/2 + atan(x)/pi); its slope has a primitive of its own because its terms cancel far out.
template <class L, int K>
OGEE_FN Dual<L, K> arctan_linear(const Dual<L, K>& a) {
  return chain(arctan_linear(a.v), arctan_linear_slope(a.v), a);
}
// arctan_linear'' = 2 / (pi (1 + x^2)^2)
template <class L, int K>
OGEE_FN Dual<L, K> arctan_linear_slope(const Dual<L, K>& a) {
  const L inverse = cauchy(a.v);
  return chain(arctan_linear_slope(a.v), 0.63661977236758134307553505349006 * inverse * inverse, a);
}
template <class L, int K>
OGEE_FN Dual<L, K> sin(const Dual<L, K>& a) {
  return chain(sin(a.v), cos(a.v), a);
}
template <class L, int K>
OGEE_FN Dual<L, K> cos(const Dual<L, K>& a) {
  return chain(cos(a.v), -sin(a.v), a);
}

// Shared helpers of the definitions, for every number type.

// max(x, 0) that lets NaN through; slope 0 at 0.
template <class X>
OGEE_FN X rectify(X x) {
  return select(x <= 0.0, 0.0, x);
}
// min(max(x, low), high) that lets NaN through; slope 0 at both ends.
template <class X, class A, class B>
OGEE_FN X clip(X x, A low, B high) {
  return select(x <= low, low, select(x >= high, high, x));
}

// A parameter that is being differentiated: its derivative may need another formula than the value, one that does not
// cancel. Then a definition writes `+ damp(factor, beyond<X>(alpha))`, whose value is 0 and whose derivative is factor.
template <class P>
inline constexpr bool differentiated = rank<P> >= 1;
template <class X, class P>
OGEE_FN X beyond(P alpha) {
  return lift<X>(alpha - detach(alpha));
}

// The value and derivative of a definition with one input and default parameters, at a number of any type.
template <class Sigma, class X, std::size_t... I>
OGEE_FN Dual<X, 1> with_slope(X x, std::index_sequence<I...>) {
  Dual<X, 1> seeded;
  seeded.v = x;
  seeded.d[0] = lift<X>(1.0);
  return Sigma::value(seeded, Sigma::spec.parameters[I].value...);
}
template <class Sigma, class X>
OGEE_FN Dual<X, 1> with_slope(X x) {
  return with_slope<Sigma>(x, std::make_index_sequence<Sigma::spec.parameters.size()>());
}

}  // namespace ogee::OGEE_WORLD
#ifdef OGEE_SIMD
HWY_AFTER_NAMESPACE();
#endif
#endif
