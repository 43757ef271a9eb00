// 32 polynomials, and where an index finds their coefficients.
//
// On AVX-512 a permute of two registers finds a coefficient for each of 16 lanes. Other vectors hold too little for
// that: there each lane's row of coefficients is loaded, four at a time, and four by four of them are transposed, which
// takes half the time of gathering them (measured on AVX2: 0.8 ns an element for seven coefficients, 1.4 by gathers,
// 1.6 by permutes of four registers and blends).
#if defined(OGEE_REGISTERS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_REGISTERS_INL_H
#undef OGEE_REGISTERS_INL_H
#else
#define OGEE_REGISTERS_INL_H
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "lanes/lane-inl.h"
#include "lanes/table_rows.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

using SingleTag = hn::ScalableTag<float>;
using Float = Lane<SingleTag>;
using FloatTruth = Truth<SingleTag>;

#if OGEE_QUICK_TARGET

// What adding leaves no place for a fraction, so that the nearest integer is in the sum's low bits.
inline constexpr double integer_shift = 12582912.0;

// c_I + c_(I + 1) t + ..., to the last of `size` coefficients that were found.
template <std::size_t I, std::size_t size, class Found>
HWY_INLINE Float horner_from(const Found& found, Float t) {
  if constexpr (I + 1 == size) {
    return found.template c<I>();
  } else {
    return fused(horner_from<I + 1, size>(found, t), t, found.template c<I>());
  }
}

// A factor in two parts, as a float's rounding of it counts.
struct Factor {
  float large, small;
  static HWY_INLINE Factor of(double factor) {
    const float large = static_cast<float>(factor);
    return {large, static_cast<float>(factor - double{large})};
  }
};

#if OGEE_AVX512_TARGET

// 32 numbers, found by the low five bits of an index.
struct Thirty2 {
  __m512 low, high;
  HWY_INLINE void load(const float* p) {
    low = _mm512_loadu_ps(p);
    high = _mm512_loadu_ps(p + 16);
  }
  HWY_INLINE void load(const float* p, double by) {
    const Factor f = Factor::of(by);
    low = times(_mm512_loadu_ps(p), f);
    high = times(_mm512_loadu_ps(p + 16), f);
  }
  HWY_INLINE Float at(Float shifted) const {
    return {hn::Vec<SingleTag>{_mm512_permutex2var_ps(low, _mm512_castps_si512(shifted.v.raw), high)}};
  }

 private:
  static HWY_INLINE __m512 times(__m512 c, Factor f) {
    return _mm512_fmadd_ps(c, _mm512_set1_ps(f.large), _mm512_mul_ps(c, _mm512_set1_ps(f.small)));
  }
};

// The polynomials of a table, in z/stretch and times a factor where these are given.
template <class Table>
class Polynomials {
 public:
  HWY_INLINE void load() {
    if constexpr (Centred<Table>) centre_.load(Table::centre);
    for (std::size_t i = 0; i < Table::size; ++i) c_[i].load(Table::c[i]);
  }
  HWY_INLINE void load(double factor, double stretch) {
    if constexpr (Centred<Table>) centre_.load(Table::centre, stretch);
    for (std::size_t i = 0; i < Table::size; ++i, factor /= stretch) c_[i].load(Table::c[i], factor);
  }
  // The coefficients of each lane's interval.
  struct Found {
    const Polynomials& table;
    Float shifted;
    template <std::size_t I>
    HWY_INLINE Float c() const {
      return table.c_[I].at(shifted);
    }
    HWY_INLINE Float centre() const { return table.centre_.at(shifted); }
    template <std::size_t I>
    HWY_INLINE Float horner(Float t) const {
      return horner_from<I, Table::size>(*this, t);
    }
  };
  HWY_INLINE Found find(Float shifted) const { return {*this, shifted}; }

 private:
  struct None {};
  std::conditional_t<Centred<Table>, Thirty2, None> centre_;
  Thirty2 c_[Table::size];
};

#else

struct Thirty2 {
  HWY_INLINE void load(const float* p) { load(p, 1.0); }
  HWY_INLINE void load(const float* p, double by) {
    const Factor f = Factor::of(by);
    const SingleTag d;
    for (std::size_t i = 0; i < 32; i += hn::Lanes(d)) {
      const Float c = {hn::LoadU(d, p + i)};
      hn::Store(fused(c, Float::constant(f.large), c * Float::constant(f.small)).v, d, values + i);
    }
  }
  HWY_INLINE Float at(Float shifted) const {
    const hn::RebindToSigned<SingleTag> di;
    return {hn::GatherIndex(SingleTag(), values, hn::And(hn::BitCast(di, shifted.v), hn::Set(di, 31)))};
  }
  alignas(64) float values[32];
};

template <class Table>
class Polynomials {
  using Rows = TableRows<Table>;
  static constexpr std::size_t quads = (Rows::columns + 3) / 4;

 public:
  HWY_INLINE void load() { rows_ = Rows::values.of; }
  HWY_INLINE void load(double factor, double stretch) {
    if (factor == 1 && stretch == 1) return load();
    rows_ = own_;
    const SingleTag d;
    constexpr std::size_t lanes = hn::MaxLanes(SingleTag());
    constexpr std::size_t period = lanes < Rows::stride ? Rows::stride : lanes;
    alignas(64) float large[period] = {}, small[period] = {};
    for (std::size_t i = 0; i < Rows::columns; ++i, factor /= stretch) {
      const Factor f = Factor::of(i < Table::size ? factor : stretch);
      for (std::size_t k = i; k < period; k += Rows::stride) large[k] = f.large, small[k] = f.small;
    }
    for (std::size_t i = 0; i < 32 * Rows::stride; i += lanes) {
      const Float c = {hn::Load(d, Rows::values.of + i)};
      const Float l = {hn::Load(d, large + i % period)}, s = {hn::Load(d, small + i % period)};
      hn::Store(fused(c, l, c * s).v, d, own_ + i);
    }
  }
  struct Found {
    Float value[4 * quads];
    template <std::size_t I>
    HWY_INLINE Float c() const {
      return value[I];
    }
    HWY_INLINE Float centre() const { return value[Table::size]; }
    template <std::size_t I>
    HWY_INLINE Float horner(Float t) const {
      return horner_from<I, Table::size>(*this, t);
    }
  };
  HWY_INLINE Found find(Float shifted) const {
    const hn::RebindToSigned<SingleTag> di;
    constexpr int bits = Rows::stride == 4 ? 2 : Rows::stride == 8 ? 3 : 4;
    HWY_ALIGN std::int32_t row[hn::MaxLanes(SingleTag())];
    hn::Store(hn::ShiftLeft<bits>(hn::And(hn::BitCast(di, shifted.v), hn::Set(di, 31))), di, row);
    Found found;
#pragma GCC unroll 4
    for (std::size_t q = 0; q < quads; ++q) four(row, rows_ + 4 * q, found.value + 4 * q);
    return found;
  }

 private:
  // Four numbers of lane k's row, and, where a vector has eight lanes, of lane k + 4's.
  static HWY_INLINE hn::Vec<SingleTag> pair(const std::int32_t* row, const float* p, std::size_t k) {
    const SingleTag d;
    if constexpr (hn::MaxLanes(SingleTag()) == 4) {
      return hn::Load(d, p + row[k]);
    } else {
      const hn::Half<SingleTag> half;
      return hn::Combine(d, hn::Load(half, p + row[k + 4]), hn::Load(half, p + row[k]));
    }
  }
  static HWY_INLINE void four(const std::int32_t* row, const float* p, Float* value) {
    const SingleTag d;
    const hn::RepartitionToWide<SingleTag> two;
    const auto a = pair(row, p, 0), b = pair(row, p, 1), c = pair(row, p, 2), e = pair(row, p, 3);
    const auto ab = hn::BitCast(two, hn::InterleaveLower(d, a, b)), ce = hn::BitCast(two, hn::InterleaveLower(d, c, e));
    const auto ab2 = hn::BitCast(two, hn::InterleaveUpper(d, a, b)),
               ce2 = hn::BitCast(two, hn::InterleaveUpper(d, c, e));
    value[0] = {hn::BitCast(d, hn::InterleaveLower(two, ab, ce))};
    value[1] = {hn::BitCast(d, hn::InterleaveUpper(two, ab, ce))};
    value[2] = {hn::BitCast(d, hn::InterleaveLower(two, ab2, ce2))};
    value[3] = {hn::BitCast(d, hn::InterleaveUpper(two, ab2, ce2))};
  }
  const float* rows_;
  alignas(64) float own_[32 * Rows::stride];
};

#endif

// 16 numbers made at run time, and 16 sets of bits, found by the low four bits of an index.
struct Sixteen {
#if OGEE_AVX512_TARGET
  __m512 values;
  HWY_INLINE void load(const float* p) { values = _mm512_loadu_ps(p); }
  HWY_INLINE Float at(Float shifted) const {
    return {hn::Vec<SingleTag>{_mm512_permutexvar_ps(_mm512_castps_si512(shifted.v.raw), values)}};
  }
#else
  alignas(64) float values[16];
  HWY_INLINE void load(const float* p) {
    for (std::size_t i = 0; i < 16; ++i) values[i] = p[i];
  }
  HWY_INLINE Float at(Float shifted) const {
    const hn::RebindToSigned<SingleTag> di;
    return {hn::GatherIndex(SingleTag(), values, hn::And(hn::BitCast(di, shifted.v), hn::Set(di, 15)))};
  }
#endif
};
using Whole32 = hn::Vec<hn::RebindToSigned<SingleTag>>;
// Where any of these bits is set.
HWY_INLINE FloatTruth any_of(Whole32 x, std::int32_t bits) {
#if OGEE_AVX512_TARGET
  return {hn::Mask<SingleTag>{_mm512_test_epi32_mask(x.raw, _mm512_set1_epi32(bits))}};
#else
  const hn::RebindToSigned<SingleTag> di;
  return {hn::RebindMask(SingleTag(), hn::Ne(hn::And(x, hn::Set(di, bits)), hn::Zero(di)))};
#endif
}
HWY_INLINE Whole32 bits_of(Float x) { return hn::BitCast(hn::RebindToSigned<SingleTag>(), x.v); }

// The nearest to x at most, or at least, as large as a bound; NaN passes, which Highway's own operations on NEON drop.
HWY_INLINE Float at_most(Float x, Float high) {
#if HWY_ARCH_X86
  return {hn::Min(high.v, x.v)};
#else
  return select(x > high, high, x);
#endif
}
HWY_INLINE Float at_least(Float x, Float low) {
#if HWY_ARCH_X86
  return {hn::Max(low.v, x.v)};
#else
  return select(x < low, low, x);
#endif
}

// Instructions that AVX-512 has, and the others' for the same.

// mask ? a - b : otherwise, and likewise a + b
HWY_INLINE Float minus_where(FloatTruth mask, Float a, Float b, Float otherwise) {
#if OGEE_AVX512_TARGET
  return {hn::Vec<SingleTag>{_mm512_mask_sub_ps(otherwise.v.raw, mask.m.raw, a.v.raw, b.v.raw)}};
#else
  return select(mask, a - b, otherwise);
#endif
}
HWY_INLINE Float plus_where(FloatTruth mask, Float a, Float b, Float otherwise) {
#if OGEE_AVX512_TARGET
  return {hn::Vec<SingleTag>{_mm512_mask_add_ps(otherwise.v.raw, mask.m.raw, a.v.raw, b.v.raw)}};
#else
  return select(mask, a + b, otherwise);
#endif
}
// mask ? a*b + c : c
HWY_INLINE Float fused_where(FloatTruth mask, Float a, Float b, Float c) {
#if OGEE_AVX512_TARGET
  return {hn::Vec<SingleTag>{_mm512_mask3_fmadd_ps(a.v.raw, b.v.raw, c.v.raw, mask.m.raw)}};
#else
  return select(mask, fused(a, b, c), c);
#endif
}
// mask ? a*b + c : 0
HWY_INLINE Float fused_or_zero(FloatTruth mask, Float a, Float b, Float c) {
#if OGEE_AVX512_TARGET
  return {hn::Vec<SingleTag>{_mm512_maskz_fmadd_ps(mask.m.raw, a.v.raw, b.v.raw, c.v.raw)}};
#else
  return {hn::IfThenElseZero(mask.m, fused(a, b, c).v)};
#endif
}
// Comparisons where the mask holds.
HWY_INLINE FloatTruth at_most_too(FloatTruth before, Float x, Float bound) {
#if OGEE_AVX512_TARGET
  return {hn::Mask<SingleTag>{_mm512_mask_cmp_ps_mask(before.m.raw, x.v.raw, bound.v.raw, _CMP_LE_OQ)}};
#else
  return {hn::And(before.m, (x <= bound).m)};
#endif
}
HWY_INLINE FloatTruth at_most_too(FloatTruth before, Float x, double bound) {
  return at_most_too(before, x, Float::constant(bound));
}
HWY_INLINE FloatTruth at_least_too(FloatTruth before, Float x, double bound) {
  return at_most_too(before, Float::constant(bound), x);
}
HWY_INLINE FloatTruth below_too(FloatTruth before, Float x, double bound) {
#if OGEE_AVX512_TARGET
  return {
      hn::Mask<SingleTag>{_mm512_mask_cmp_ps_mask(before.m.raw, x.v.raw, Float::constant(bound).v.raw, _CMP_LT_OQ)}};
#else
  return {hn::And(before.m, (x < bound).m)};
#endif
}
// min(|x|, bound); not for NaN
HWY_INLINE Float magnitude_at_most(Float x, double bound) {
#if OGEE_AVX512_TARGET
  return {hn::Vec<SingleTag>{_mm512_range_ps(x.v.raw, Float::constant(bound).v.raw, 2 | 2 << 2)}};
#else
  return {hn::Min(hn::Abs(x.v), Float::constant(bound).v)};
#endif
}
// 2^floor(k) y for -232 <= k <= 128, rounded once where that is subnormal.
HWY_INLINE Float times_power(Float y, Float k) {
#if OGEE_AVX512_TARGET
  return {hn::Vec<SingleTag>{_mm512_scalef_ps(y.v.raw, k.v.raw)}};
#else
  // By two factors that are floats; after the first, a result that is not 0 is not yet subnormal.
  const hn::RebindToSigned<SingleTag> di;
  const auto whole = hn::ConvertTo(di, hn::Floor(k.v)), half = hn::ShiftRight<1>(whole), one = hn::Set(di, 127);
  const auto first = hn::BitCast(SingleTag(), hn::ShiftLeft<23>(hn::Add(half, one)));
  const auto second = hn::BitCast(SingleTag(), hn::ShiftLeft<23>(hn::Add(hn::Sub(whole, half), one)));
  return {hn::Mul(hn::Mul(y.v, first), second)};
#endif
}
// An estimate of 1/x and of 1/sqrt(x), to 14 bits or more.
HWY_INLINE Float near_inverse(Float x) {
#if OGEE_AVX512_TARGET
  return {hn::Vec<SingleTag>{_mm512_rcp14_ps(x.v.raw)}};
#else
  return 1.0 / x;
#endif
}
HWY_INLINE Float near_inverse_root(Float x) {
#if OGEE_AVX512_TARGET
  return {hn::Vec<SingleTag>{_mm512_rsqrt14_ps(x.v.raw)}};
#else
  return 1.0 / sqrt(x);
#endif
}

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
