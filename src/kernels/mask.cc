#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/mask.cc"
#include "hwy/foreach_target.h"
//
#include <cstring>

#include "hwy/highway.h"
#include "kernels/mask.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Vectors whose lanes fill whole bytes; the scalar target and the last elements go one by one.
template <class T>
HWY_ATTR bool pack(const T* slope, std::size_t n, T low, T high, std::uint8_t* bits) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  if (lanes % 8 == 0) {
    const auto lows = hn::Set(d, low), highs = hn::Set(d, high);
    for (; i + lanes <= n; i += lanes) {
      const auto v = hn::LoadU(d, slope + i);
      const auto is_high = hn::Eq(v, highs);
      if (!hn::AllTrue(d, hn::Or(is_high, hn::Eq(v, lows)))) return false;
      std::uint8_t bytes[8];
      hn::StoreMaskBits(d, is_high, bytes);
      std::memcpy(bits + i / 8, bytes, lanes / 8);
    }
  }
  for (; i < n; i += 8) {
    std::uint8_t byte = 0;
    for (std::size_t k = 0; k < 8 && i + k < n; ++k) {
      const bool is_high = slope[i + k] == high;
      if (!is_high && slope[i + k] != low) return false;
      byte = static_cast<std::uint8_t>(byte | (is_high ? 1u << k : 0u));
    }
    bits[i / 8] = byte;
  }
  return true;
}

template <class T>
HWY_ATTR void apply(const std::uint8_t* bits, const T* dy, std::size_t n, T low, T high, T* dx) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  if (lanes % 8 == 0) {
    const auto lows = hn::Set(d, low), highs = hn::Set(d, high);
    for (; i + lanes <= n; i += lanes) {
      std::uint8_t bytes[8] = {};  // LoadMaskBits reads eight
      std::memcpy(bytes, bits + i / 8, lanes / 8);
      const auto factor = hn::IfThenElse(hn::LoadMaskBits(d, bytes), highs, lows);
      hn::StoreU(hn::Mul(hn::LoadU(d, dy + i), factor), d, dx + i);
    }
  }
  for (; i < n; ++i) dx[i] = dy[i] * ((bits[i / 8] >> (i % 8) & 1u) != 0 ? high : low);
}

}  // namespace

HWY_ATTR bool pack_f(const float* slope, std::size_t n, float low, float high, std::uint8_t* bits) {
  return pack(slope, n, low, high, bits);
}
HWY_ATTR bool pack_d(const double* slope, std::size_t n, double low, double high, std::uint8_t* bits) {
  return pack(slope, n, low, high, bits);
}
HWY_ATTR void apply_f(const std::uint8_t* bits, const float* dy, std::size_t n, float low, float high, float* dx) {
  apply(bits, dy, n, low, high, dx);
}
HWY_ATTR void apply_d(const std::uint8_t* bits, const double* dy, std::size_t n, double low, double high, double* dx) {
  apply(bits, dy, n, low, high, dx);
}

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee {
HWY_EXPORT(pack_f);
HWY_EXPORT(pack_d);
HWY_EXPORT(apply_f);
HWY_EXPORT(apply_d);

namespace kernels {

bool pack_slopes(const float* slope, std::size_t n, float low, float high, std::uint8_t* bits) {
  return HWY_DYNAMIC_DISPATCH(pack_f)(slope, n, low, high, bits);
}
bool pack_slopes(const double* slope, std::size_t n, double low, double high, std::uint8_t* bits) {
  return HWY_DYNAMIC_DISPATCH(pack_d)(slope, n, low, high, bits);
}
void apply_slopes(const std::uint8_t* bits, const float* dy, std::size_t n, float low, float high, float* dx) {
  HWY_DYNAMIC_DISPATCH(apply_f)(bits, dy, n, low, high, dx);
}
void apply_slopes(const std::uint8_t* bits, const double* dy, std::size_t n, double low, double high, double* dx) {
  HWY_DYNAMIC_DISPATCH(apply_d)(bits, dy, n, low, high, dx);
}

}  // namespace kernels
}  // namespace ogee
#endif
