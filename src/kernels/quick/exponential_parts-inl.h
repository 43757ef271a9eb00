// What the quick forms of src/functions/exponential.inc are made of: tables on grids, an exponential of one lookup, and
// estimates of reciprocals and roots with a step of Newton's. Counted in instructions, of which two start a cycle: a
// coefficient of a table costs two of them, a division or a root the time of twenty.
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
// To 14 bits.
HWY_INLINE Float near_inverse(Float x) { return from_raw(_mm512_rcp14_ps(x.v.raw)); }
HWY_INLINE Float near_inverse_root(Float x) { return from_raw(_mm512_rsqrt14_ps(x.v.raw)); }
HWY_INLINE Float fused_minus(Float a, Float b, double c) { return fused_minus(a, b, Float::constant(c)); }

// 32 polynomials on a grid. Where its step is a power of two, the offset from it is one instruction; else a centre is
// looked up and subtracted. Intervals have the grid's point in the middle, or begin there.
template <class Table>
concept Centred = requires {
  Table::centre;
};
template <class Table, bool begins = false>
struct Grid {
  struct Pair {
    __m512 low, high;
  };
  Pair c[Table::size], centre;
  HWY_INLINE void load(double factor = 1) {
    if constexpr (Centred<Table>) centre = pair(Table::centre, 1);
    load(factor, std::make_index_sequence<Table::size>());
  }
  template <std::size_t... I>
  HWY_INLINE void load(double factor, std::index_sequence<I...>) {
    ((c[I] = pair(Table::c[I], factor)), ...);
  }
  static HWY_INLINE Pair pair(const float* p, double factor) {
    const __m512 f = _mm512_set1_ps(static_cast<float>(factor));
    return {_mm512_mul_ps(_mm512_loadu_ps(p), f), _mm512_mul_ps(_mm512_loadu_ps(p + 16), f)};
  }
  static constexpr int bits = Table::steps < 2 ? 0 : Table::steps < 4 ? 1 : Table::steps < 8 ? 2 : 3;
  static_assert(Centred<Table> || Table::steps == 1 << bits);
  static HWY_INLINE Float look_up(Pair p, __m512i k) { return from_raw(_mm512_permutex2var_ps(p.low, k, p.high)); }
  HWY_INLINE Float offset(Float z, __m512i k) const {
    if constexpr (Centred<Table>) return z - look_up(centre, k);
    return from_raw(_mm512_reduce_ps(z.v.raw, bits << 4 | 8 | (begins ? 1 : 0)));
  }
  static HWY_INLINE __m512i interval(Float z) {
    const Float shift = Float::constant(Centred<Table> ? 12582912.0 : 12582912.0 / (1 << bits));
    if constexpr (Centred<Table>) {
      return _mm512_castps_si512(fused(z, Float::constant(Table::steps), shift).v.raw);
    } else if constexpr (begins) {
      return _mm512_castps_si512(
          _mm512_add_round_ps(z.v.raw, shift.v.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
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
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) <= Table::high; }
  HWY_INLINE Float operator()(Float x) const { return side(abs(x)); }
};

// g(x) with g(x) + g(-x) = 1, from its negative side.
struct SigmoidGate {
  Grid<tables::SigmoidGrid> tail;
  HWY_INLINE void load() { tail.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return x >= -tables::SigmoidGrid::high; }
  HWY_INLINE Float operator()(Float x) const {
    const Float p = tail(clamped<tables::SigmoidGrid>(x));
    return select(x < 0.0, p, 1.0 - p);
  }
};
struct NormalGate {
  Grid<tables::NormalGrid> tail;
  HWY_INLINE void load() { tail.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return x >= -tables::NormalGrid::high; }
  HWY_INLINE Float operator()(Float x) const {
    const Float p = tail(clamped<tables::NormalGrid>(x));
    return select(x < 0.0, p, 1.0 - p);
  }
};
template <class Form>
struct Mirrored : Form {
  HWY_INLINE FloatTruth inside(Float x) const { return Form::inside(-x); }
  HWY_INLINE Float operator()(Float x) const { return Form::operator()(-x); }
};

// tanh(x/divisor)
template <int divisor>
struct TanhOf {
  Grid<tables::TanhGrid> side;
  HWY_INLINE void load() { side.load(); }
  HWY_INLINE Float operator()(Float x) const {
    const Float z = divisor == 1 ? x : x * (1.0 / divisor);
    return with_sign_of(side(at_most(abs(z), tables::TanhGrid::high)), x);
  }
};
struct TanhshrinkSlopeForm {  // tanh(x)^2
  Grid<tables::TanhGrid> side;
  HWY_INLINE void load() { side.load(); }
  HWY_INLINE Float operator()(Float x) const {
    const Float y = side(at_most(abs(x), tables::TanhGrid::high));
    return y * y;
  }
};
// x (x^2 g), where x^2 g is rounded once but for x^2.
struct TanhshrinkForm {
  Grid<tables::TanhshrinkGrid> ratio;
  HWY_INLINE void load() { ratio.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) <= tables::TanhshrinkGrid::high; }
  HWY_INLINE Float operator()(Float x) const { return x * ratio.times(x * x, abs(x)); }
};
struct ErfForm {
  Grid<tables::ErfGrid> side;
  HWY_INLINE void load() { side.load(); }
  HWY_INLINE Float operator()(Float x) const {
    return with_sign_of(side(at_most(abs(x), tables::ErfGrid::high)), x);
  }
};
struct ArctanForm {
  Grid<tables::ArctanGrid> side;
  HWY_INLINE void load() { side.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) <= tables::ArctanGrid::high; }
  HWY_INLINE Float operator()(Float x) const { return with_sign_of(side(abs(x)), x); }
};
struct SoftplusForm {
  Grid<tables::SoftplusGrid> tail;
  HWY_INLINE void load() { tail.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return x >= -tables::SoftplusGrid::high; }
  HWY_INLINE Float operator()(Float x) const {
    return at_least(x, 0.0) + tail(clamped<tables::SoftplusGrid>(x));
  }
};
struct LogSigmoidForm {
  Grid<tables::SoftplusGrid> tail;
  HWY_INLINE void load() { tail.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return x <= tables::SoftplusGrid::high; }
  HWY_INLINE Float operator()(Float x) const { return at_most(x, 0.0) - tail(clamped<tables::SoftplusGrid>(x)); }
};
// Two branches in one table: x g(x), and the slope.
struct ElishForm {
  Grid<tables::ElishGrid, true> gate;
  HWY_INLINE void load() { gate.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) < 8.0; }
  HWY_INLINE Float operator()(Float x) const {
    return gate.times(x, x);
  }
};
struct ElishSlopeForm {
  Grid<tables::ElishSlopeGrid, true> slope;
  HWY_INLINE void load() { slope.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) < 8.0; }
  HWY_INLINE Float operator()(Float x) const { return slope(x); }
};

// scale*2^(j/32) looked up, and the rest of the exponential, of r = s/divisor, as 1 + r + r^2/2, to a relative 5e-8;
// `exact` adds a term.
template <bool exact, int divisor = 1>
struct Powers {
  __m512 low, high;
  HWY_INLINE void load(double scale) {
    low = scaled_by(scale, 0);
    high = scaled_by(scale, 16);
  }
  static HWY_INLINE __m512 scaled_by(double scale, int i) {
    const __m512 p = _mm512_loadu_ps(tables::powers + i);
    const float f = static_cast<float>(scale);
    return _mm512_fmadd_ps(p, _mm512_set1_ps(static_cast<float>(scale - double{f})), _mm512_mul_ps(p, _mm512_set1_ps(f)));
  }
  // The multiple of 1/32 nearest to x*factor, in the low bits and as a number.
  struct Near {
    Float shifted, number;
  };
  static HWY_INLINE Near near(Float x, double factor) {
    const Float shifted = fused(x, Float::constant(factor), 393216.0);
    return {shifted, shifted - 393216.0};
  }
  // scale*2^k exp(r)
  HWY_INLINE Float operator()(Near k, Float s) const {
    const Float t = from_raw(_mm512_permutex2var_ps(low, _mm512_castps_si512(k.shifted.v.raw), high));
    constexpr double d = divisor;
    const Float q = exact ? fused(s * s, fused(1.0 / 6, s, 0.5), s) : s * fused(0.5 / (d * d), s, 1.0000146612 / d);
    return from_raw(_mm512_scalef_ps(fused(t, q, t).v.raw, k.number.v.raw));
  }
};
// ln 2 in two parts.
inline constexpr double log_2_high = 0.693147182464599609375, log_2_low = -1.904654299957767878541e-9;
inline constexpr double log_2_inverse = 1.44269504088896340736;

// scale*exp(x) for -105 <= x <= 88
struct PowerForm {
  Powers<false> powers;
  HWY_INLINE void load(double scale) { powers.load(scale); }
  HWY_INLINE Float operator()(Float x) const {
    const auto k = Powers<false>::near(x, log_2_inverse);
    return powers(k, fused_minus(k.number, log_2_low, fused_minus(k.number, log_2_high, x)));
  }
};
// scale*exp(-x^2/divisor), with what the rounding of the square left out.
template <bool exact, int divisor = 1>
struct SquarePower {
  Powers<exact, divisor> powers;
  HWY_INLINE void load(double scale) { powers.load(scale); }
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) <= (divisor == 1 ? 9.2 : 13.0); }
  HWY_INLINE Float operator()(Float x) const {
    const Float w = x * x, rest = fused(x, x, -w);
    const auto k = Powers<exact, divisor>::near(w, -log_2_inverse / divisor);
    const Float s = fused_minus(k.number, log_2_high * divisor, -w);
    return powers(k, s - fused(k.number, Float::constant(log_2_low * divisor), rest));
  }
};
struct GaussianForm : SquarePower<true> {
  HWY_INLINE void load() { SquarePower<true>::load(1); }
};
struct GaussianSlopeForm : SquarePower<false> {
  HWY_INLINE void load() { SquarePower<false>::load(-2); }
  HWY_INLINE Float operator()(Float x) const { return x * SquarePower<false>::operator()(x); }
};
struct ErfSlopeForm : SquarePower<false> {
  HWY_INLINE void load() { SquarePower<false>::load(1.12837916709551257390); }
};
struct NormalDensityForm : SquarePower<false, 2> {
  HWY_INLINE void load() { SquarePower<false, 2>::load(0.39894228040143267794); }
};

// 1/(1 + |x|): an estimate r and what 1 - r (1 + |x|) is, computed from |x| rather than from a rounded sum.
struct ReciprocalOfSum {
  Float r, rest;
  static HWY_INLINE ReciprocalOfSum of(Float a) {
    const Float r = near_inverse(1.0 + a);
    return {r, fused_minus(r, a, 1.0 - r)};
  }
};
struct SoftsignForm {
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) <= 1e30; }
  HWY_INLINE Float operator()(Float x) const {
    const ReciprocalOfSum i = ReciprocalOfSum::of(abs(x));
    const Float q = x * i.r;
    return fused(q, i.rest, q);
  }
};
struct SoftsignSlopeForm {
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) <= 1e18; }
  HWY_INLINE Float operator()(Float x) const {
    const ReciprocalOfSum i = ReciprocalOfSum::of(abs(x));
    const Float y = fused(i.r, i.rest, i.r);
    return y * y;
  }
};
struct ArctanSlopeForm {  // 1/(1 + x^2)
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(Float x) const { return fused(x, x, 1.0) <= 1e36; }
  HWY_INLINE Float operator()(Float x) const {
    const Float s = fused(x, x, 1.0), r = near_inverse(s);
    return fused(r, fused_minus(s, r, 1.0), r);
  }
};

// With i = 1/sqrt(s) nearly and g = 1 - s i^2, 1/sqrt(s) is i (1 + g/2 + 3/8 g^2 + ...), its cube i^3 (1 + 3/2 g +
// 15/8 g^2 + ...).
// x/sqrt(1 + alpha x^2); right of 0 x itself, where that is asked for.
template <bool linear>
struct InverseRootForm {
  Float parameter;
  HWY_INLINE FloatTruth inside(Float x) const { return fused(parameter * x, x, 1.0) <= 1e30; }
  HWY_INLINE Float operator()(Float x) const {
    const Float s = fused(parameter * x, x, 1.0), i = near_inverse_root(s), y = x * i;
    const Float root = fused(0.5 * y, fused_minus(s * i, i, 1.0), y);
    if constexpr (linear) return select(x >= 0.0, x, root);
    return root;
  }
};
template <bool linear>
struct InverseRootSlopeForm {
  Float parameter;
  HWY_INLINE FloatTruth inside(Float x) const { return fused(parameter * x, x, 1.0) <= 1e24; }
  HWY_INLINE Float operator()(Float x) const {
    const Float s = fused(parameter * x, x, 1.0), i = near_inverse_root(s), cube = i * i * i;
    const Float g = fused_minus(s * i, i, 1.0);
    const Float slope = fused(cube * g, fused(1.875, g, 1.5), cube);
    if constexpr (linear) return select(x >= 0.0, 1.0, slope);
    return slope;
  }
};

// y = x/2 + sqrt(x^2/4 + b/4), the root of y (y - x) = b/4: whose remainder corrects the estimate, left of 0, too, where
// the estimate's terms cancel; there its error grows with x^2.
struct SquareplusParts {
  Float y, i, g, half;  // the value; 1/sqrt(s) is i (1 + g half)
  static HWY_INLINE Float sum(Float x, Float b) {
    const Float h = 0.5 * x;
    return fused(h, h, 0.25 * b);
  }
  static HWY_INLINE SquareplusParts of(Float x, Float b) {
    const Float s = sum(x, b), i = near_inverse_root(s), v = fused(s, i, 0.5 * x);
    const Float e = fused_minus(v, v - x, 0.25 * b) * i, g = e * i, half = fused(0.375, g, 0.5);
    return {fused(e, half, v), i, g, half};
  }
};
struct SquareplusForm {
  Float parameter;
  HWY_INLINE FloatTruth inside(Float x) const {
    return {hn::Le(SquareplusParts::sum(x, parameter).v, (256.0 * parameter).v)};
  }
  HWY_INLINE Float operator()(Float x) const { return SquareplusParts::of(x, parameter).y; }
};
struct SquareplusSlopeForm : SquareplusForm {
  HWY_INLINE Float operator()(Float x) const {  // y/(2 sqrt(s))
    const SquareplusParts p = SquareplusParts::of(x, parameter);
    const Float i = 0.5 * p.i;
    return p.y * fused(i * p.g, p.half, i);
  }
};

// Left of 0 a polynomial serves, as beyond -1 all is 0.
struct HardElishForm {
  HWY_INLINE void load() {}
  HWY_INLINE Float operator()(Float x) const {
    const Float z = at_least(at_most(x, 0.0), -1.0);
    const Float e = fused(z * z, polynomial(z, tables::expm1_unit), z);
    return select(x > 0.0, x, e) * at_least(at_most(fused(0.5, x, 0.5), 1.0), 0.0);
  }
};
struct HardElishSlopeForm {
  HWY_INLINE void load() {}
  HWY_INLINE Float operator()(Float x) const {
    const Float z = at_least(at_most(x, 0.0), -1.0);
    const Float left = select(x <= -1.0, 0.0, polynomial(z, tables::hard_elish_slope));
    return select(x > 0.0, select(x >= 1.0, 1.0, x + 0.5), left);
  }
};

#endif  // AVX-512

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
