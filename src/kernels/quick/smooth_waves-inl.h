// The quick forms of src/functions/smooth.inc that are made of sines: sine, snake.
#if defined(OGEE_QUICK_SMOOTH_WAVES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_SMOOTH_WAVES_INL_H
#undef OGEE_QUICK_SMOOTH_WAVES_INL_H
#else
#define OGEE_QUICK_SMOOTH_WAVES_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// x = k*period + s. Multiples of the period's first two parts, of 12 bits each, are exact, and so are the differences,
// so that s is rounded once. Near a root of the function even the fourth part counts, though too little to change s:
// the forms add `rest` times k to what they multiply s with.
struct Turns {
  double inverse, first, second, third, rest, limit;
  static HWY_INLINE double leading(double v, int bits) {
    return std::bit_cast<double>(std::bit_cast<std::uint64_t>(v) & (~std::uint64_t{0} << (53 - bits)));
  }
  // The period is pi/frequency.
  HWY_INLINE bool load(double frequency) {
    constexpr double pi = 3.14159265358979323846, pi_rest = 1.2246467991473532e-16;
    const double period = pi / frequency;
    const double beyond = (std::fma(-period, frequency, pi) + pi_rest) / frequency;
    inverse = 1 / period;
    first = leading(period, 12);
    second = leading(period - first, 12);
    third = leading(period - first - second, 24);
    rest = (period - first - second - third) + beyond;
    limit = 2000 * period;
    return frequency >= 1e-3 && frequency <= 1e4;  // so that powers of it, coefficients, are floats
  }
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) <= limit; }
  HWY_INLINE Float within(Float x, Float k) const {
    return fused_minus(k, third, fused_minus(k, second, fused_minus(k, first, x)));
  }
};

// factor*sin(omega x), or with a shift of half a turn factor*cos(omega x): an odd polynomial in s. Of its linear term
// 13/16 is added last, so that roundings of the rest count little.
template <bool cosine>
struct WaveForm {
  Turns turns;
  double large, middle, c[5], correction;
  HWY_INLINE bool load(double omega, double factor) {
    const double f = cosine ? -factor : factor;
    const double square = omega * omega, linear = f * omega;
    // sin(r)/r = p(r^2), expanded around the middle of what r^2 may be, so that its terms, and their roundings, are
    // small.
    constexpr double p[] = {1, -0.16666659712791443, 0.008333069272339344, -0.00019809776858892292,
                            2.606098178148386e-06};
    middle = static_cast<float>(1.2337 / square);
    const double m = middle * square;
    large = static_cast<float>(0.8125 * linear);
    c[0] = linear * (p[0] + m * (p[1] + m * (p[2] + m * (p[3] + m * p[4])))) - large;
    c[1] = linear * square * (p[1] + m * (2 * p[2] + m * (3 * p[3] + m * 4 * p[4])));
    c[2] = linear * square * square * (p[2] + m * (3 * p[3] + m * 6 * p[4]));
    c[3] = linear * square * square * square * (p[3] + m * 4 * p[4]);
    c[4] = linear * square * square * square * square * p[4];
    const bool good = turns.load(omega);
    correction = -linear * turns.rest;
    return good;
  }
  HWY_INLINE FloatTruth inside(Float x) const { return turns.inside(x); }
  HWY_INLINE Float operator()(Float x) const {
    const Float inverse = Float::constant(turns.inverse);
    const Float shifted = cosine ? fused(x, inverse, -0.5) + integer_shift : fused(x, inverse, integer_shift);
    const Float whole = shifted - integer_shift, k = cosine ? whole + 0.5 : whole;
    const Float s = turns.within(x, k);
    const Float z = fused(s, s, -middle);
    Float q = fused(Float::constant(c[4]), z, c[3]);
    q = fused(q, z, c[2]);
    q = fused(q, z, c[1]);
    q = fused(q, z, c[0]);
    const Float y = fused(s, Float::constant(large), fused(s, q, k * correction));
    const hn::RebindToUnsigned<SingleTag> du;
    const auto sign = hn::ShiftLeft<31>(hn::BitCast(du, shifted.v));
    return {hn::Xor(y.v, hn::BitCast(SingleTag(), sign))};
  }
};

template <>
struct QuickValue<Sine> : Quick {
  WaveForm<false> wave;
  HWY_INLINE bool load(const double* p) { return wave.load(p[0], 1); }
  HWY_INLINE FloatTruth inside(const Float* x) const { return wave.inside(x[0]); }
  HWY_INLINE Float operator()(const Float* x) const { return wave(x[0]); }
};
template <>
struct QuickSlopes<Sine> : Quick {
  WaveForm<true> wave;
  HWY_INLINE bool load(const double* p) { return wave.load(p[0], p[0]); }
  HWY_INLINE FloatTruth inside(const Float* x) const { return wave.inside(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const { d[0] = wave(x[0]); }
};

// Functions of alpha x with the period pi/alpha, in 32 intervals.
template <class Table>
struct SnakeForm : Quick {
  Turns turns;
  Polynomials<Table> wave;
  double alpha;
  HWY_INLINE bool load(const double* p) {
    alpha = p[0];
    wave.load();
    return turns.load(32 * alpha);
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return turns.inside(x[0]); }
};

template <>
struct QuickValue<Snake> : SnakeForm<tables::SineSquared> {
  HWY_INLINE Float operator()(const Float* x) const {
    const Float shifted = fused(x[0], Float::constant(turns.inverse), integer_shift);
    const Float s = turns.within(x[0], shifted - integer_shift), t = s * alpha;
    const auto found = wave.find(shifted);
    return fused(s, found.horner<1>(t), fused(found.c<0>(), Float::constant(1 / alpha), x[0]));
  }
};

// Lanes too large for the table, by the definition's own derivative.
HWY_NOINLINE HWY_ATTR inline Float snake_slope_outside(Float x, double alpha) {
  constexpr std::size_t lanes = hn::MaxLanes(SingleTag()), half = hn::MaxLanes(Wide());
  HWY_ALIGN float row[lanes];
  hn::Store(x.v, SingleTag(), row);
  for (std::size_t part = 0; part < lanes; part += half) {
    write<Wide>(snake_slope(read<Wide>(row, part), Lane<Wide>::constant(alpha)), row, part);
  }
  return {hn::Load(SingleTag(), row)};
}

// 1 + sin(2 alpha x). Its double roots are in the middle of an interval; there the slope is 4 t.
template <>
struct QuickSlopes<Snake> : SnakeForm<tables::SineOfDouble> {
  static constexpr bool total = true;
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    const Float shifted = fused(x[0], Float::constant(turns.inverse), integer_shift);
    const Float k = shifted - integer_shift;
    const Float t = turns.within(x[0], k) * alpha;
    const auto found = wave.find(shifted);
    const Float linear = fused(k, Float::constant(-4 * alpha * turns.rest), found.c<1>());
    d[0] = fused(fused(found.horner<2>(t), t, linear), t, found.c<0>());
    const FloatTruth inside = turns.inside(x[0]);
    if (HWY_UNLIKELY(!hn::AllTrue(SingleTag(), inside.m))) {
      d[0] = select(inside, d[0], snake_slope_outside(x[0], alpha));
    }
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
