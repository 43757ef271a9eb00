// Tables of 8 polynomials (tools/tables/eight.py) for vectors that are too short for 32 of them: on AVX2 one permute,
// whose table comes from memory and takes no register, finds a coefficient for each of eight lanes. A permute starts
// every cycle, and beside it two multiplications. Where that is the bound, a table of degree 6 takes 0.35 ns an
// element, one of 32 intervals (registers-inl.h) 0.8.
#if defined(OGEE_EIGHT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_EIGHT_INL_H
#undef OGEE_EIGHT_INL_H
#else
#define OGEE_EIGHT_INL_H
#endif

#include <cstddef>
#include <cstdint>

#include "kernels/quick/eight_tables.h"
#include "lanes/registers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// Which of eight floats each lane takes: the low three bits of its number.
struct EightPlaces {
#if HWY_TARGET == HWY_AVX2
  __m256i place;
  static HWY_INLINE EightPlaces of(Whole32 k) { return {k.raw}; }
  HWY_INLINE Float in(const float (&c)[8]) const {
    return {hn::Vec<SingleTag>{_mm256_permutevar8x32_ps(_mm256_load_ps(c), place)}};
  }
#elif HWY_TARGET == HWY_NEON
  uint8x16_t bytes;
  static HWY_INLINE EightPlaces of(Whole32 k) {
    const uint32x4_t low = vandq_u32(vreinterpretq_u32_s32(k.raw), vdupq_n_u32(7));
    return {vreinterpretq_u8_u32(vmlaq_n_u32(vdupq_n_u32(0x03020100u), low, 0x04040404u))};
  }
  HWY_INLINE Float in(const float (&c)[8]) const {
    const uint8x16x2_t table = {{vreinterpretq_u8_f32(vld1q_f32(c)), vreinterpretq_u8_f32(vld1q_f32(c + 4))}};
    return {hn::Vec<SingleTag>{vreinterpretq_f32_u8(vqtbl2q_u8(table, bytes))}};
  }
#else
  Whole32 place;
  static HWY_INLINE EightPlaces of(Whole32 k) { return {hn::And(k, hn::Set(hn::RebindToSigned<SingleTag>(), 7))}; }
  HWY_INLINE Float in(const float (&c)[8]) const { return {hn::GatherIndex(SingleTag(), c, place)}; }
#endif
};

template <class Table>
struct Eight {
  struct Found {
    EightPlaces places;
    Float t;
    template <std::size_t I>
    HWY_INLINE Float c() const {
      return places.in(Table::c[I]);
    }
    // c_I + c_(I + 1) t + ...: two by two, as long as rounding does not count, so that steps wait less for one another.
    template <std::size_t I>
    HWY_INLINE Float horner() const {
      if constexpr (I < 2) {
        return fused(horner<I + 1>(), t, c<I>());
      } else {
        return pairs<I>(t * t);
      }
    }
    template <std::size_t I>
    HWY_INLINE Float pairs(Float square) const {
      if constexpr (I + 1 == Table::size) {
        return c<I>();
      } else if constexpr (I + 2 == Table::size) {
        return fused(c<I + 1>(), t, c<I>());
      } else {
        return fused(pairs<I + 2>(square), square, fused(c<I + 1>(), t, c<I>()));
      }
    }
    // m times the function, with one rounding of the large part.
    HWY_INLINE Float times(Float m) const { return fused(m, c<0>(), (m * t) * horner<1>()); }
  };
  static HWY_INLINE Whole32 interval(Float z) {
    const Float u = fused(z, Float::constant(Table::slope), Float::constant(Table::offset));
    return hn::ShiftRight<Table::shift>(bits_of(u));
  }
  static HWY_INLINE Found find(Float z, Whole32 k) {
    const EightPlaces places = EightPlaces::of(k);
    return {places, z - places.in(Table::centre)};
  }
  static HWY_INLINE Found find(Float z) { return find(z, interval(z)); }
  // By the side of x.
  static HWY_INLINE Found find(Float z, Float x) {
    const hn::RebindToUnsigned<SingleTag> du;
    const hn::RebindToSigned<SingleTag> di;
    const auto side = hn::ShiftRight<29>(hn::And(hn::BitCast(du, x.v), hn::Set(du, 0x80000000u)));
    return find(z, hn::Xor(interval(z), hn::BitCast(di, side)));
  }
  static HWY_INLINE Float of(Float z) { return find(z).template horner<0>(); }
};

// y where x's sign is not set, else `negative`.
HWY_INLINE Float by_sign(Float x, Float negative, Float y) { return {hn::IfNegativeThenElse(x.v, negative.v, y.v)}; }

// The exponential as s (1 + q), s a power of two and q to half a unit of 1: what is made of it is rounded only where it
// is put together. Exponents from -87 to 88.
struct Power {
  Float s, q;

  // e^x, e^-z
  static HWY_INLINE Power of(Float x) {
    const Float k = fused(x, Float::constant(inverse), shift), n = k - shift;
    return from(k, fused_minus(n, low, fused_minus(n, high, x)));
  }
  static HWY_INLINE Power of_minus(Float z) {
    const Float k = fused(z, Float::constant(-inverse), shift), n = k - shift;
    return from(k, fused_minus(n, low, minus(n, high, z)));
  }
  // e^-(z + rest)
  static HWY_INLINE Power of_minus(Float z, Float rest) {
    const Float k = fused(z, Float::constant(-inverse), shift), n = k - shift;
    return from(k, minus(n, high, z) - fused(n, Float::constant(low), rest));
  }
  // e^-(z^2), e^-(z^2/2)
  template <int divisor>
  static HWY_INLINE Power of_minus_square(Float z) {
    const Float other = divisor == 1 ? z : z * 0.5, w = z * other;
    return of_minus(w, fused(z, other, -w));
  }

  HWY_INLINE Float value() const { return fused(s, q, s); }
  HWY_INLINE Float minus_one() const { return fused(s, q, s - 1.0); }
  // m e^x, and that plus c, rounded once where m (1 + q) is and once more at the end
  HWY_INLINE Float times(Float m) const { return s * fused(q, m, m); }
  HWY_INLINE Float times_plus(Float m, Float c) const { return fused(s, fused(q, m, m), c); }
  // c + e^x, where s + c is exact
  HWY_INLINE Float plus(double c) const { return fused(s, q, s + c); }
  // 1 + e^x. In another order it would lose the 1, where that is half a unit.
  HWY_INLINE Float plus_one() const { return s + fused(s, q, 1.0); }
  // The same, and what rounding the sum leaves out.
  HWY_INLINE Float plus_one(Float& left_out) const {
    const Float rest = fused(s, q, 1.0), sum = s + rest;
    left_out = rest - (sum - s);
    return sum;
  }

 private:
  // So that the sum's low bits are an exponent's field, 127 for 2^0.
  static constexpr double shift = integer_shift + 127, inverse = 1.44269504088896340736;
  static constexpr double high = 0.693145751953125, low = 1.428606765330187045e-06;
  static HWY_INLINE Float minus(Float a, double b, Float c) {  // -ab - c
    return {hn::NegMulSub(a.v, Float::constant(b).v, c.v)};
  }
  static HWY_INLINE Power from(Float k, Float r) {
    constexpr auto& c = tables::power_rest;
    const Float square = r * r, low_part = fused(r, Float::constant(c[1]), c[0]);
    const Float high_part = fused(square, Float::constant(c[4]), fused(r, Float::constant(c[3]), c[2]));
    const Float p = fused(high_part, square, low_part);
    return {{hn::BitCast(SingleTag(), hn::ShiftLeft<23>(bits_of(k)))}, fused(square, p, r)};
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
