// What the quick forms of src/functions/exponential.inc are made of: tables on grids and an exponential of one lookup.
// They are counted in instructions, of which two start a cycle: a coefficient of a table costs two of them, a division
// or a root the time of twenty.
#if defined(OGEE_QUICK_EXPONENTIAL_PARTS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_EXPONENTIAL_PARTS_INL_H
#undef OGEE_QUICK_EXPONENTIAL_PARTS_INL_H
#else
#define OGEE_QUICK_EXPONENTIAL_PARTS_INL_H
#endif

#include "kernels/quick/exponential_tables.h"
#include "kernels/quick/forms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

HWY_INLINE Float fused_minus(Float a, Float b, double c) { return fused_minus(a, b, Float::constant(c)); }

// 32 polynomials on a grid. Where its step is a power of two, the offset from it is one instruction; else a centre is
// looked up and subtracted. Intervals have the grid's point in the middle, or begin there.
// Of z/stretch, a power of two.
template <class Table, int stretch = 1>
struct Grid {
  static constexpr bool begins = Table::begins;
  Polynomials<Table> polynomials;
  using Found = typename Polynomials<Table>::Found;
  HWY_INLINE void load() {
    if constexpr (stretch == 1) {
      polynomials.load();
    } else {
      polynomials.load(1, stretch);
    }
  }
  HWY_INLINE void load(double factor) { polynomials.load(factor, stretch); }
  static constexpr int bits = Table::steps < 2 ? 0 : Table::steps < 4 ? 1 : Table::steps < 8 ? 2 : 3;
  static_assert(Centred<Table> || (stretch == 1 && Table::steps == 1 << bits));
  // What adding leaves only multiples of the step.
  static constexpr double shift = Centred<Table> ? integer_shift : integer_shift / (1 << bits);
  static HWY_INLINE Float interval(Float z) {
    const Float steps = Float::constant(Table::steps / stretch), all = Float::constant(shift);
    if constexpr (!begins) {
      return Centred<Table> ? fused(z, steps, all) : z + all;
    } else {
#if OGEE_AVX512_TARGET
      constexpr int down = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
      return {hn::Vec<SingleTag>{Centred<Table> ? _mm512_fmadd_round_ps(z.v.raw, steps.v.raw, all.v.raw, down)
                                                : _mm512_add_round_ps(z.v.raw, all.v.raw, down)}};
#else
      const Float below = {hn::Floor((z * steps).v)};
      return Centred<Table> ? below + all : fused(below, Float::constant(1.0 / (1 << bits)), all);
#endif
    }
  }
  static HWY_INLINE Float offset(const Found& found, Float z, Float k) {
    if constexpr (Centred<Table>) {
      return z - found.centre();
    } else {
#if OGEE_AVX512_TARGET
      return {hn::Vec<SingleTag>{_mm512_reduce_ps(z.v.raw, bits << 4 | 8 | (begins ? 1 : 0))}};
#else
      return z - (k - shift);
#endif
    }
  }
  HWY_INLINE Float operator()(Float z) const {
    const Float k = interval(z);
    const Found found = polynomials.find(k);
    return found.template horner<0>(offset(found, z, k));
  }
  // m times that, with the large part of the sum rounded once.
  HWY_INLINE Float times(Float m, Float z) const {
    const Float k = interval(z);
    const Found found = polynomials.find(k);
    const Float t = offset(found, z, k);
    return fused(m, found.template c<0>(), (m * t) * found.template horner<1>(t));
  }
};

// An even function.
template <class Table, int factor = 1>
struct EvenGrid {
  Grid<Table> side;
  HWY_INLINE void load() { side.load(factor); }
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const { return at_most_too(before, abs(x), Table::high); }
  HWY_INLINE Float operator()(Float x) const { return side(abs(x)); }
};

struct TanhshrinkSlopeForm {  // tanh(x)^2
  Grid<tables::TanhFineGrid> side;
  HWY_INLINE void load() { side.load(); }
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const {
    return at_most_too(before, abs(x), tables::TanhFineGrid::high);
  }
  HWY_INLINE Float operator()(Float x) const {
    const Float y = side(abs(x));
    return y * y;
  }
};
// g(x) with g(x) + g(-x) = 1, from its negative side; or g(-x).
template <class Table, bool mirrored = false>
struct GridGate {
  Grid<Table> tail;
  HWY_INLINE void load() { tail.load(); }
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const {
    return mirrored ? at_most_too(before, x, Table::trusted) : at_least_too(before, x, -Table::trusted);
  }
  HWY_INLINE Float operator()(Float x) const {
    const Float p = tail(magnitude_at_most(x, Table::high));
    return minus_where(mirrored ? x <= 0.0 : x >= 0.0, Float::constant(1.0), p, p);
  }
};
using SigmoidGate = GridGate<tables::SigmoidGrid>;
using NormalGate = GridGate<tables::NormalGrid>;
// The same where g does not reach 1 within the table's range.
template <class Table>
struct NarrowGate : GridGate<Table> {
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const { return at_most_too(before, abs(x), Table::high); }
};
// tanh(x/divisor)
template <int divisor>
struct TanhOf {
  Grid<tables::TanhGrid, divisor> side;
  HWY_INLINE void load() { side.load(); }
  HWY_INLINE Float operator()(Float x) const {
    return with_sign_of(side(at_most(abs(x), divisor * tables::TanhGrid::high)), x);
  }
};
// x (x^2 g), with what the rounding of x^2 left out.
struct TanhshrinkForm {
  Grid<tables::TanhshrinkGrid> ratio;
  HWY_INLINE void load() { ratio.load(); }
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const {
    return at_most_too(before, abs(x), tables::TanhshrinkGrid::high);
  }
  HWY_INLINE Float operator()(Float x) const {
    const Float a = abs(x), w = x * x, rest = fused(x, x, -w);
    const Float k = ratio.interval(a);
    const auto found = ratio.polynomials.find(k);
    const Float t = ratio.offset(found, a, k), c = found.c<0>();
    return x * fused(w, c, fused(w * t, found.horner<1>(t), rest * c));
  }
};
struct ErfForm {
  Grid<tables::ErfGrid> side;
  HWY_INLINE void load() { side.load(); }
  HWY_INLINE Float operator()(Float x) const {
    const Float z = at_most(abs(x), tables::ErfGrid::high);
    return side.times(with_sign_of(z, x), z);
  }
};
struct ArctanForm {
  Grid<tables::ArctanGrid> side;
  HWY_INLINE void load() { side.load(); }
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const {
    return at_most_too(before, abs(x), tables::ArctanGrid::high);
  }
  HWY_INLINE Float operator()(Float x) const { return with_sign_of(side(abs(x)), x); }
};
struct SoftplusForm {
  Grid<tables::SoftplusGrid> tail;
  HWY_INLINE void load() { tail.load(); }
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const {
    return at_least_too(before, x, -tables::SoftplusGrid::high);
  }
  HWY_INLINE Float operator()(Float x) const {
    return at_least(x, 0.0) + tail(magnitude_at_most(x, tables::SoftplusGrid::high));
  }
};
struct LogSigmoidForm {
  Grid<tables::SoftplusGrid> tail;
  HWY_INLINE void load() { tail.load(); }
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const {
    return at_most_too(before, x, tables::SoftplusGrid::high);
  }
  HWY_INLINE Float operator()(Float x) const {
    return at_most(x, 0.0) - tail(magnitude_at_most(x, tables::SoftplusGrid::high));
  }
};
// Two branches in one table: x g(x), and the slope.
struct ElishForm {
  Grid<tables::ElishGrid> gate;
  HWY_INLINE void load() { gate.load(); }
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const { return below_too(before, abs(x), 8.0); }
  HWY_INLINE Float operator()(Float x) const { return gate.times(x, x); }
};
struct ElishSlopeForm {
  Grid<tables::ElishSlopeGrid> slope;
  HWY_INLINE void load() { slope.load(); }
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const { return below_too(before, abs(x), 8.0); }
  HWY_INLINE Float operator()(Float x) const { return slope(x); }
};

// scale*2^(j/32) looked up, and the rest of the exponential, of r = s/divisor, as 1 + r + r^2/2, to a relative 5e-8;
// `exact` adds a term.
template <bool exact, int divisor = 1>
struct Powers {
  Thirty2 powers;
  HWY_INLINE void load(double scale) { powers.load(tables::powers, scale); }
  // The multiple of 1/32 nearest to x*factor, in the low bits and as a number.
  struct Near {
    Float shifted, number;
  };
  static HWY_INLINE Near near(Float x, double factor) {
    const Float shifted = fused(x, Float::constant(factor), 393216.0);
    return {shifted, shifted - 393216.0};
  }
  // scale*exp(r), and 2^k times that.
  HWY_INLINE Float mantissa(Near k, Float s) const {
    const Float t = powers.at(k.shifted);
    constexpr double d = divisor;
    const Float q = exact ? fused(s * s, fused(1.0 / 6, s, 0.5), s) : s * fused(0.5 / (d * d), s, 1.0000146612 / d);
    return fused(t, q, t);
  }
  static HWY_INLINE Float scaled(Float y, Near k) { return times_power(y, k.number); }
};
// ln 2 in two parts.
inline constexpr double log_2_high = 0.693147182464599609375, log_2_low = -1.904654299957767878541e-9;
inline constexpr double log_2_inverse = 1.44269504088896340736;

// scale*exp(x) for -160 <= x <= 88
struct PowerForm {
  Powers<false> powers;
  HWY_INLINE void load(double scale) { powers.load(scale); }
  HWY_INLINE Float operator()(Float x) const {
    const auto k = Powers<false>::near(x, log_2_inverse);
    const Float r = fused_minus(k.number, log_2_low, fused_minus(k.number, log_2_high, x));
    return Powers<false>::scaled(powers.mantissa(k, r), k);
  }
};
// scale*exp(-x^2/divisor), with what the rounding of the square left out; scaled last, as a subnormal number has lost
// digits.
template <bool exact, int divisor = 1>
struct SquarePower {
  using P = Powers<exact, divisor>;
  P powers;
  HWY_INLINE void load(double scale) { powers.load(scale); }
  static HWY_INLINE Float magnitude(Float x) { return at_most(abs(x), divisor == 1 ? 10.5 : 14.8); }
  HWY_INLINE Float mantissa(Float z, typename P::Near& k) const {
    const Float w = z * z, rest = fused(z, z, -w);
    k = P::near(w, -log_2_inverse / divisor);
    const Float s = fused_minus(k.number, log_2_high * divisor, -w);
    return powers.mantissa(k, s - fused(k.number, Float::constant(log_2_low * divisor), rest));
  }
  HWY_INLINE Float operator()(Float x) const {
    typename P::Near k;
    const Float y = mantissa(magnitude(x), k);
    return P::scaled(y, k);
  }
};
struct GaussianForm : SquarePower<true> {
  HWY_INLINE void load() { SquarePower<true>::load(1); }
};
struct GaussianSlopeForm : SquarePower<false> {
  HWY_INLINE void load() { SquarePower<false>::load(-2); }
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const { return at_most_too(before, x * x, 85.0); }
  HWY_INLINE Float operator()(Float x) const {
    P::Near k;
    const Float y = mantissa(x, k);
    return x * P::scaled(y, k);
  }
};
struct ErfSlopeForm : SquarePower<false> {
  HWY_INLINE void load() { SquarePower<false>::load(1.12837916709551257390); }
};
struct NormalDensityForm : SquarePower<false, 2> {
  HWY_INLINE void load() { SquarePower<false, 2>::load(0.39894228040143267794); }
};

template <std::size_t size>
HWY_INLINE Float horner(Float x, const float (&c)[size]) {
  Float y = Float::constant(c[size - 1]);
  for (std::size_t k = size - 1; k-- > 0;) y = fused(y, x, double{c[k]});
  return y;
}
// Left of 0 a polynomial serves, as beyond -1 all is 0: gate (z + z^2 p(z)), with z = x right of 0.
struct HardElishForm {
  HWY_INLINE void load() {}
  HWY_INLINE Float operator()(Float x) const {
    const Float z = at_least(x, -1.0), left = at_most(z, 0.0);
    const Float gate = at_most(fused(0.5, z, 0.5), 1.0);
    // The terms of z + z^2 p(z) cancel by half near -1; what their sum's rounding left out counts.
    const Float square = left * left, p = horner(left, tables::expm1_unit);
    const Float sum = fused(square, p, left), rest = fused(square, p, left - sum);
    return fused(gate, sum + (z - left), gate * rest);
  }
};
struct HardElishSlopeForm {
  HWY_INLINE void load() {}
  HWY_INLINE Float operator()(Float x) const {
    const Float t = at_least(at_most(x, 0.0), -1.0) - tables::hard_elish_root;
    const Float left = select(x <= -1.0, 0.0, t * horner(t, tables::hard_elish_slope));
    return select(x >= 1.0, 1.0, plus_where(x > 0.0, x, Float::constant(0.5), left));
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
