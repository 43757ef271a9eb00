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

#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86

HWY_INLINE Float from_raw(__m512 raw) { return {hn::Vec<SingleTag>{raw}}; }
HWY_INLINE Float fused_minus(Float a, Float b, double c) { return fused_minus(a, b, Float::constant(c)); }

// Comparisons where the mask holds.
HWY_INLINE FloatTruth at_most_too(FloatTruth before, Float x, Float bound) {
  return {hn::Mask<SingleTag>{_mm512_mask_cmp_ps_mask(before.m.raw, x.v.raw, bound.v.raw, _CMP_LE_OQ)}};
}
HWY_INLINE FloatTruth at_most_too(FloatTruth before, Float x, double bound) {
  return at_most_too(before, x, Float::constant(bound));
}
HWY_INLINE FloatTruth at_least_too(FloatTruth before, Float x, double bound) {
  return at_most_too(before, Float::constant(bound), x);
}
HWY_INLINE FloatTruth below_too(FloatTruth before, Float x, double bound) {
  return {
      hn::Mask<SingleTag>{_mm512_mask_cmp_ps_mask(before.m.raw, x.v.raw, Float::constant(bound).v.raw, _CMP_LT_OQ)}};
}

// 16 floats times a factor, in two parts, as a float's rounding of it counts.
HWY_INLINE __m512 times_factor(const float* p, double factor) {
  const __m512 c = _mm512_loadu_ps(p);
  const float large = static_cast<float>(factor);
  const __m512 small = _mm512_set1_ps(static_cast<float>(factor - double{large}));
  return _mm512_fmadd_ps(c, _mm512_set1_ps(large), _mm512_mul_ps(c, small));
}

// 32 polynomials on a grid. Where its step is a power of two, the offset from it is one instruction; else a centre is
// looked up and subtracted. Intervals have the grid's point in the middle, or begin there.
template <class Table>
concept Centred = requires {
  Table::centre;
};
// Of z/stretch, a power of two.
template <class Table, int stretch = 1>
struct Grid {
  static constexpr bool begins = Table::begins;
  struct Pair {
    __m512 low, high;
  };
  Pair c[Table::size], centre;
  HWY_INLINE void load(double factor = 1) {
    if constexpr (Centred<Table>) centre = pair(Table::centre, stretch);
    load(factor, std::make_index_sequence<Table::size>());
  }
  template <std::size_t... I>
  HWY_INLINE void load(double factor, std::index_sequence<I...>) {
    ((c[I] = pair(Table::c[I], factor), factor /= stretch), ...);
  }
  static HWY_INLINE Pair pair(const float* p, double factor) {
    return {times_factor(p, factor), times_factor(p + 16, factor)};
  }
  static constexpr int bits = Table::steps < 2 ? 0 : Table::steps < 4 ? 1 : Table::steps < 8 ? 2 : 3;
  static_assert(Centred<Table> || (stretch == 1 && Table::steps == 1 << bits));
  static HWY_INLINE Float look_up(Pair p, __m512i k) { return from_raw(_mm512_permutex2var_ps(p.low, k, p.high)); }
  HWY_INLINE Float offset(Float z, __m512i k) const {
    if constexpr (Centred<Table>) return z - look_up(centre, k);
    return from_raw(_mm512_reduce_ps(z.v.raw, bits << 4 | 8 | (begins ? 1 : 0)));
  }
  static HWY_INLINE __m512i interval(Float z) {
    const Float shift = Float::constant(Centred<Table> ? 12582912.0 : 12582912.0 / (1 << bits));
    if constexpr (Centred<Table> && begins) {
      return _mm512_castps_si512(_mm512_fmadd_round_ps(z.v.raw, Float::constant(Table::steps / stretch).v.raw,
                                                       shift.v.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
    } else if constexpr (Centred<Table>) {
      return _mm512_castps_si512(fused(z, Float::constant(Table::steps / stretch), shift).v.raw);
    } else if constexpr (begins) {
      return _mm512_castps_si512(_mm512_add_round_ps(z.v.raw, shift.v.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
    } else {
      return _mm512_castps_si512((z + shift).v.raw);
    }
  }
  // From the I-th coefficient on.
  template <std::size_t I>
  HWY_INLINE Float horner(Float t, __m512i k) const {
    if constexpr (I + 1 == Table::size) {
      return look_up(c[I], k);
    } else {
      return fused(horner<I + 1>(t, k), t, look_up(c[I], k));
    }
  }
  HWY_INLINE Float operator()(Float z) const {
    const __m512i k = interval(z);
    return horner<0>(offset(z, k), k);
  }
  // m times that, with the large part of the sum rounded once.
  HWY_INLINE Float times(Float m, Float z) const {
    const __m512i k = interval(z);
    const Float t = offset(z, k);
    return fused(m, look_up(c[0], k), (m * t) * horner<1>(t, k));
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

// min(|x|, high) in one instruction; not for NaN.
template <class Table>
HWY_INLINE Float bounded(Float x) {
  return from_raw(_mm512_range_ps(x.v.raw, _mm512_set1_ps(Table::high), 2 | 2 << 2));
}
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
    const __m512 p = tail(bounded<Table>(x)).v.raw;
    const FloatTruth large = mirrored ? x <= 0.0 : x >= 0.0;
    return from_raw(_mm512_mask_sub_ps(p, large.m.raw, _mm512_set1_ps(1), p));
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
    const __m512i k = ratio.interval(a);
    const Float t = ratio.offset(a, k), c = ratio.look_up(ratio.c[0], k);
    return x * fused(w, c, fused(w * t, ratio.horner<1>(t, k), rest * c));
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
  HWY_INLINE Float operator()(Float x) const { return at_least(x, 0.0) + tail(bounded<tables::SoftplusGrid>(x)); }
};
struct LogSigmoidForm {
  Grid<tables::SoftplusGrid> tail;
  HWY_INLINE void load() { tail.load(); }
  HWY_INLINE FloatTruth inside(FloatTruth before, Float x) const {
    return at_most_too(before, x, tables::SoftplusGrid::high);
  }
  HWY_INLINE Float operator()(Float x) const { return at_most(x, 0.0) - tail(bounded<tables::SoftplusGrid>(x)); }
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
  __m512 low, high;
  HWY_INLINE void load(double scale) {
    low = times_factor(tables::powers, scale);
    high = times_factor(tables::powers + 16, scale);
  }
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
    const Float t = from_raw(_mm512_permutex2var_ps(low, _mm512_castps_si512(k.shifted.v.raw), high));
    constexpr double d = divisor;
    const Float q = exact ? fused(s * s, fused(1.0 / 6, s, 0.5), s) : s * fused(0.5 / (d * d), s, 1.0000146612 / d);
    return fused(t, q, t);
  }
  static HWY_INLINE Float scaled(Float y, Near k) { return from_raw(_mm512_scalef_ps(y.v.raw, k.number.v.raw)); }
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
    return fused(gate, z, (gate * (left * left)) * horner(left, tables::expm1_unit));
  }
};
struct HardElishSlopeForm {
  HWY_INLINE void load() {}
  HWY_INLINE Float operator()(Float x) const {
    const Float t = at_least(at_most(x, 0.0), -1.0) - tables::hard_elish_root;
    const Float left = select(x <= -1.0, 0.0, t * horner(t, tables::hard_elish_slope));
    const __m512 most = _mm512_mask_add_ps(left.v.raw, (x > 0.0).m.raw, x.v.raw, _mm512_set1_ps(0.5f));
    return select(x >= 1.0, 1.0, from_raw(most));
  }
};

#endif  // AVX-512

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
