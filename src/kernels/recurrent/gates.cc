// The activations of recurrent cells by SIMD: sigmoid and tanh, and the noisy units with learned p over them and over
// their hard forms (Gulcehre et al. 2016, 1603.00391). Backward gives value, slope and partial derivative by p at once,
// as they share nearly all of their work.
//
// With h the base, u its linearisation at 0, v = h - u and s = tanh(p v/2) = 2 sigmoid(p v) - 1,
//
//   phi      = alpha h + (1-alpha) u - sgn(x) c (sigmoid(p v) - 1/2)^2 e
//            = h + (alpha-1) v - w s^2,                          w = sgn(x) c e/4
//   dphi/dp  = -w 2 s (1-s^2) v/2                = -q v,         q = w s (1-s^2)
//   dphi/dx  = h' + (alpha-1) v' - w 2 s (1-s^2) p v'/2
//            = u' + v' (alpha - q p),                            as h' = u' + v'
//
// where u' is 1 or 1/4, and v' = -tanh(x)^2 for tanh, -tanh(x/2)^2/4 for sigmoid (half of tanh's, at x/2). float32 is
// computed in float32 throughout (Precision::fast): the error is a few units in the last place of the largest term,
// which the product that made x exceeds by far.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/recurrent/gates.cc"
#include "hwy/foreach_target.h"
//
#include "kernels/recurrent/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {
namespace {

using kernels::recurrent::GateRows;
using kernels::recurrent::GateTable;

template <class D>
struct Jet {
  Lane<D> value, slope;
};

// From the smaller of sigmoid(x) and sigmoid(-x), of which no digit is lost; the same bits forward and backward.
struct PlainSigmoid {
  template <class D>
  static HWY_INLINE Lane<D> value(Lane<D> x) {
    const Lane<D> tail = sigmoid(-abs(x));
    return select(x < 0.0, tail, 1.0 - tail);
  }
  template <class D>
  static HWY_INLINE Jet<D> jet(Lane<D> x) {
    const Lane<D> tail = sigmoid(-abs(x)), rest = 1.0 - tail;
    return {select(x < 0.0, tail, rest), tail * rest};
  }
};
struct PlainTanh {
  template <class D>
  static HWY_INLINE Lane<D> value(Lane<D> x) {
    return tanh(x);
  }
  template <class D>
  static HWY_INLINE Jet<D> jet(Lane<D> x) {
    return {tanh(x), sech2(x)};
  }
};

// A base's h, v and v', and the constant u'.
template <class D>
struct Base {
  Lane<D> h, v, dv;
};
// tanh(x) - x, where tanh(x) is at hand. In float the difference does: near 0, where digits cancel, v is a small part
// of phi, noise goes with its square, and so does the derivative by p.
template <class D>
HWY_INLINE Lane<D> shrunk(Lane<D> x, Lane<D> t) {
  if constexpr (sizeof(hn::TFromD<D>) == 4) return t - x;
  const Lane<D> z = x * x;
  return select(abs(x) < 1.5, -(x * z) * polynomial(z, Lane<D>::P::tanh_shrink), t - x);
}
struct SoftTanh {
  static constexpr double du = 1;
  template <class D>
  static HWY_INLINE Base<D> at(Lane<D> x) {
    const Lane<D> t = tanh(x);
    return {t, shrunk(x, t), -(t * t)};
  }
};
struct SoftSigmoid {
  static constexpr double du = 0.25;
  template <class D>
  static HWY_INLINE Base<D> at(Lane<D> x) {
    const Lane<D> half = 0.5 * x, t = tanh(half);
    return {fused(0.5, t, 0.5), 0.5 * shrunk(half, t), -0.25 * (t * t)};
  }
};
struct HardTanh {
  static constexpr double du = 1;
  template <class D>
  static HWY_INLINE Base<D> at(Lane<D> x) {
    const Lane<D> h = at_most(at_least(x, -1.0), 1.0);
    return {h, h - x, select(abs(x) > 1.0, -1.0, Lane<D>::constant(0.0))};
  }
};
struct HardSigmoid {
  static constexpr double du = 0.25;
  template <class D>
  static HWY_INLINE Base<D> at(Lane<D> x) {
    const Lane<D> bounded = at_most(at_least(x, -2.0), 2.0);
    return {fused(0.25, bounded, 0.5), 0.25 * (bounded - x), select(abs(x) > 2.0, -0.25, Lane<D>::constant(0.0))};
  }
};

// The noise of one vector, as float or widened.
HWY_INLINE Float noise_at(Float, const float* p) { return {hn::LoadU(SingleTag(), p)}; }
using Double = Lane<hn::ScalableTag<double>>;
HWY_INLINE Double noise_at(Double, const float* p) {
  const hn::ScalableTag<double> d;
  return {hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, decltype(d)>(), p))};
}

template <class B, class D>
struct Noisy {
  Lane<D> above, quarter_c;  // alpha - 1, +-c/4
  Lane<D> constant, kept;    // the noise at evaluation; the bits of a deviate that count: without the sign for |xi|
  bool alpha_is_one;         // an infinite v must not meet a factor of 0 then

  // w, above: e's sign is what the kind of noise makes of it, times that of x.
  HWY_INLINE Lane<D> w(Lane<D> x, const float* noise) const {
    const Lane<D> xi = noise == nullptr ? constant : noise_at(x, noise);
    const Lane<D> scaled_e = quarter_c * Lane<D>{hn::And(xi.v, kept.v)};
    return {hn::Xor(scaled_e.v, hn::And(x.v, hn::SignBit(D())))};
  }
  HWY_INLINE Lane<D> bounded(Lane<D> v) const { return at_most(at_least(v, -1e30), 1e30); }
  HWY_INLINE Lane<D> value(const Base<D>& b, Lane<D> v, Lane<D> s, Lane<D> w) const {
    const Lane<D> drawn_in = fused(alpha_is_one ? v : b.v, above, b.h);
    return fused_minus(w * s, s, drawn_in);
  }
  HWY_INLINE Lane<D> forward(Lane<D> x, Lane<D> p, const float* noise) const {
    const Base<D> b = B::at(x);
    const Lane<D> v = bounded(b.v);
    return value(b, v, tanh((0.5 * p) * v), w(x, noise));
  }
  HWY_INLINE Jet<D> backward(Lane<D> x, Lane<D> p, const float* noise, Lane<D>& by_p) const {
    const Base<D> b = B::at(x);
    const Lane<D> v = bounded(b.v), s = tanh((0.5 * p) * v), e = w(x, noise);
    const Lane<D> q = (e * s) * fused_minus(s, s, Lane<D>::constant(1.0));
    by_p = -(q * v);
    return {value(b, v, s, e), fused(b.dv, fused_minus(q, p, above + 1.0), B::du)};
  }
};
template <class B, class D>
HWY_INLINE Noisy<B, D> noisy_of(const GateRows<hn::TFromD<D>>& rows) {
  // Half-normal noise points inwards where alpha > 1.
  const double sign = rows.half_normal && rows.alpha > 1 ? -1 : 1;
  const auto all = hn::VecFromMask(D(), hn::Eq(hn::Zero(D()), hn::Zero(D())));
  return {Lane<D>::constant(rows.alpha - 1),
          Lane<D>::constant(sign * 0.25 * rows.c),
          Lane<D>::constant(rows.constant),
          {rows.half_normal ? hn::AndNot(hn::SignBit(D()), all) : all},
          rows.alpha == 1};
}

template <class F, class T>
HWY_ATTR void plain_forward(const GateRows<T>& g) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(g.rows, g.units,
                 [&](std::ptrdiff_t r, auto at) HWY_ATTR { write(F::value(read(g.x, r, at)), g.y, r, at); });
}
template <class F, class T>
HWY_ATTR void plain_backward(const GateRows<T>& g) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(g.rows, g.units, [&](std::ptrdiff_t r, auto at) HWY_ATTR {
    const Jet<D> jet = F::jet(read(g.x, r, at));
    write(jet.value, g.y, r, at);
    write(jet.slope, g.slope, r, at);
  });
}
// The noise of element (r, j).
template <class T>
HWY_INLINE const float* noise_of(const GateRows<T>& g, std::ptrdiff_t r, std::size_t j) {
  return g.noise == nullptr ? nullptr : g.noise + static_cast<std::size_t>(r) * g.units + j;
}
template <class B, class T>
HWY_ATTR void noisy_forward(const GateRows<T>& g) {
  using D = hn::ScalableTag<T>;
  const Noisy<B, D> noisy = noisy_of<B, D>(g);
  for_vectors<D>(g.rows, g.units, [&](std::ptrdiff_t r, auto at) HWY_ATTR {
    write(noisy.forward(read(g.x, r, at), read(g.p, at), noise_of(g, r, at.j)), g.y, r, at);
  });
}
template <class B, class T>
HWY_ATTR void noisy_backward(const GateRows<T>& g) {
  using D = hn::ScalableTag<T>;
  const Noisy<B, D> noisy = noisy_of<B, D>(g);
  for_vectors<D>(g.rows, g.units, [&](std::ptrdiff_t r, auto at) HWY_ATTR {
    Lane<D> by_p;
    const Jet<D> jet = noisy.backward(read(g.x, r, at), read(g.p, at), noise_of(g, r, at.j), by_p);
    write(jet.value, g.y, r, at);
    write(jet.slope, g.slope, r, at);
    if (g.by_p.data != nullptr) write(by_p, g.by_p, r, at);
  });
}

template <class T>
constexpr GateTable<T> gate_table = {
    {plain_forward<PlainSigmoid, T>, plain_forward<PlainTanh, T>, noisy_forward<SoftSigmoid, T>,
     noisy_forward<SoftTanh, T>, noisy_forward<HardSigmoid, T>, noisy_forward<HardTanh, T>},
    {plain_backward<PlainSigmoid, T>, plain_backward<PlainTanh, T>, noisy_backward<SoftSigmoid, T>,
     noisy_backward<SoftTanh, T>, noisy_backward<HardSigmoid, T>, noisy_backward<HardTanh, T>}};

}  // namespace

const GateTable<float>* float_gates() { return &gate_table<float>; }
const GateTable<double>* double_gates() { return &gate_table<double>; }

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee {
HWY_EXPORT(float_gates);
HWY_EXPORT(double_gates);

namespace kernels::recurrent {
template <>
const GateTable<float>& gate_kernels<float>() {
  return *HWY_DYNAMIC_DISPATCH(float_gates)();
}
template <>
const GateTable<double>& gate_kernels<double>() {
  return *HWY_DYNAMIC_DISPATCH(double_gates)();
}
}  // namespace kernels::recurrent
}  // namespace ogee
#endif
