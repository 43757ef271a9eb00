#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/convert.cc"
#include "hwy/foreach_target.h"
//
#include <cstring>

#include "hwy/highway.h"
#include "kernels/convert.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

HWY_ATTR void widen_bfloat16(const std::uint16_t* in, std::size_t n, float* out) {
  const hn::ScalableTag<float> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  const hn::Rebind<std::uint16_t, decltype(d)> d16;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto wide = hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(d16, in + i)));
    hn::StoreU(hn::BitCast(d, wide), d, out + i);
  }
  for (; i < n; ++i) {
    const std::uint32_t bits = std::uint32_t{in[i]} << 16;
    std::memcpy(out + i, &bits, 4);
  }
}

// The nearest bfloat16, ties to even, in the upper half of each lane: adding 0x7fff, and one more if the kept part is
// odd, carries into it where it must.
template <class D, class DU = hn::RebindToUnsigned<D>>
HWY_INLINE hn::Vec<DU> rounded_upper(D, hn::Vec<D> value) {
  const DU du;
  const auto bits = hn::BitCast(du, value);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1u));
  return hn::Add(hn::Add(bits, hn::Set(du, 0x7fffu)), odd);
}
// The same with NaN, which must not round to infinity.
template <class D, class DU = hn::RebindToUnsigned<D>>
HWY_INLINE hn::Vec<DU> rounded_or_nan(D d, hn::Vec<D> value) {
  const DU du;
  const auto quiet = hn::Or(hn::BitCast(du, value), hn::Set(du, 0x400000u));
  return hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(value)), quiet, rounded_upper(d, value));
}

template <bool stream, class D>
HWY_INLINE void put(hn::Vec<D> v, D d, std::uint16_t* out) {
  if constexpr (stream) {
    hn::Stream(v, d, out);
  } else {
    hn::StoreU(v, d, out);
  }
}

void narrow_rest(const float* in, std::size_t i, std::size_t n, std::uint16_t* out) {
  for (; i < n; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, in + i, 4);
    const bool nan = in[i] != in[i];
    out[i] = static_cast<std::uint16_t>(nan ? (bits >> 16) | 0x40u : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
  }
}

#if HWY_TARGET != HWY_SCALAR
// What NaN costs is only paid where there is one.
template <class D>
HWY_INLINE hn::Vec<hn::Repartition<std::uint16_t, D>> narrowed(D d, hn::Vec<D> low, hn::Vec<D> high) {
  const hn::Repartition<std::uint16_t, D> d16;
  if (HWY_UNLIKELY(!hn::AllFalse(d, hn::Or(hn::IsNaN(low), hn::IsNaN(high))))) {
    return hn::ConcatOdd(d16, hn::BitCast(d16, rounded_or_nan(d, high)), hn::BitCast(d16, rounded_or_nan(d, low)));
  }
  return hn::ConcatOdd(d16, hn::BitCast(d16, rounded_upper(d, high)), hn::BitCast(d16, rounded_upper(d, low)));
}
#endif

template <bool stream>
HWY_ATTR void narrow_bfloat16_to(const float* in, std::size_t n, std::uint16_t* out) {
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<float> d;
  const hn::ScalableTag<std::uint16_t> d16;
  const std::size_t lanes = hn::Lanes(d);
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    put<stream>(narrowed(d, hn::LoadU(d, in + i), hn::LoadU(d, in + i + lanes)), d16, out + i);
  }
#endif
  narrow_rest(in, i, n, out);
}

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
#define OGEE_HAS_BF16 1
// By the processor's own conversion, a third of the work, which takes subnormal numbers for zeros: vectors with such go
// the other way.
template <bool stream>
__attribute__((target("avx512bf16"))) void narrow_bfloat16_natively(const float* in, std::size_t n,
                                                                    std::uint16_t* out) {
  constexpr int subnormal = 0x20;
  const hn::ScalableTag<float> d;
  const hn::ScalableTag<std::uint16_t> d16;
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const auto low = hn::LoadU(d, in + i), high = hn::LoadU(d, in + i + 16);
    const auto mask = static_cast<unsigned>(_mm512_fpclass_ps_mask(low.raw, subnormal)) |
                      static_cast<unsigned>(_mm512_fpclass_ps_mask(high.raw, subnormal));
    hn::Vec<decltype(d16)> both{reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high.raw, low.raw))};
    if (HWY_UNLIKELY(mask != 0)) both = narrowed(d, low, high);
    put<stream>(both, d16, out + i);
  }
  narrow_rest(in, i, n, out);
}
#endif

HWY_ATTR void narrow_bfloat16(const float* in, std::size_t n, std::uint16_t* out, bool stream) {
#ifdef OGEE_HAS_BF16
  static const bool natively = __builtin_cpu_supports("avx512bf16") != 0;
  if (natively) return (stream ? narrow_bfloat16_natively<true> : narrow_bfloat16_natively<false>)(in, n, out);
#undef OGEE_HAS_BF16
#endif
  (stream ? narrow_bfloat16_to<true> : narrow_bfloat16_to<false>)(in, n, out);
}

HWY_ATTR void widen_float16(const std::uint16_t* in, std::size_t n, float* out) {
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<float> d;
  const hn::Rebind<hwy::float16_t, decltype(d)> d16;
  const std::size_t lanes = hn::Lanes(d);
  for (; i + lanes <= n; i += lanes) {
    const auto half = hn::LoadU(d16, reinterpret_cast<const hwy::float16_t*>(in + i));
    hn::StoreU(hn::PromoteTo(d, half), d, out + i);
  }
#endif
  for (; i < n; ++i) out[i] = kernels::half_to_float(in[i]);
}

HWY_ATTR void narrow_float16(const float* in, std::size_t n, std::uint16_t* out, bool stream) {
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<float> d;
  const hn::Rebind<hwy::float16_t, decltype(d)> d16;
  const std::size_t lanes = hn::Lanes(d);
  for (; i + lanes <= n; i += lanes) {
    const auto half = hn::DemoteTo(d16, hn::LoadU(d, in + i));
    auto* const to = reinterpret_cast<hwy::float16_t*>(out + i);
    if (stream) {
      hn::Stream(half, d16, to);
    } else {
      hn::StoreU(half, d16, to);
    }
  }
#else
  (void)stream;
#endif
  for (; i < n; ++i) out[i] = kernels::float_to_half(in[i]);
}

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee {
HWY_EXPORT(widen_bfloat16);
HWY_EXPORT(narrow_bfloat16);
HWY_EXPORT(widen_float16);
HWY_EXPORT(narrow_float16);

namespace kernels {

void bfloat16_to_float(const std::uint16_t* in, std::size_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(widen_bfloat16)(in, n, out);
}
void float_to_bfloat16(const float* in, std::size_t n, std::uint16_t* out, bool stream) {
  HWY_DYNAMIC_DISPATCH(narrow_bfloat16)(in, n, out, stream);
}
void float16_to_float(const std::uint16_t* in, std::size_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(widen_float16)(in, n, out);
}
void float_to_float16(const float* in, std::size_t n, std::uint16_t* out, bool stream) {
  HWY_DYNAMIC_DISPATCH(narrow_float16)(in, n, out, stream);
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000u} << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t mantissa = half & 0x3ffu;
  std::uint32_t bits;
  if (exponent == 0x1f) {
    bits = sign | 0x7f800000u | (mantissa << 13) | (mantissa != 0 ? 0x400000u : 0u);
  } else if (exponent != 0) {
    bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
  } else {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;  // exact
    std::memcpy(&bits, &magnitude, 4);
    bits |= sign;
  }
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

std::uint16_t float_to_half(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  bits &= 0x7fffffffu;
  if (bits > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u | ((bits >> 13) & 0x3ffu));
  if (bits >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // 65520 and above round to infinity
  if (bits < 0x38800000u) {  // below the smallest normal half: the adder rounds to a multiple of 2^-24
    float magnitude;
    std::memcpy(&magnitude, &bits, 4);
    const float shifted = magnitude + 0.5f;
    std::uint32_t rounded;
    std::memcpy(&rounded, &shifted, 4);
    return static_cast<std::uint16_t>(sign | (rounded - 0x3f000000u));
  }
  const std::uint32_t odd = (bits >> 13) & 1u;
  return static_cast<std::uint16_t>(sign | ((bits - 0x38000000u + 0xfffu + odd) >> 13));
}

}  // namespace kernels
}  // namespace ogee
#endif
