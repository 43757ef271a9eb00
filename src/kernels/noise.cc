// Noise by SIMD. Elements come in groups of 32, a counter's two words serving elements j and j + 16 of the group, so
// that the numbers do not depend on how many lanes work at once.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/noise.cc"
#include "hwy/foreach_target.h"
//
#include "kernels/family-inl.h"
#include "kernels/noise.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

template <int bits, class V>
HWY_INLINE V rotate_left(V v) {
#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86
  if constexpr (sizeof(v.raw) == 64) return V{_mm512_rol_epi32(v.raw, bits)};
#endif
  return hn::Or(hn::ShiftLeft<bits>(v), hn::ShiftRight<32 - bits>(v));
}

template <class V>
struct Words {
  V first, second;
};

// Two blocks at once: a round waits for the one before it, and the other block fills the wait. Thirteen rounds, the
// fewest that pass BigCrush (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", table 2):
// the noise of a network, not of a cipher.
template <class DU, class V>
HWY_INLINE void threefry(DU du, std::uint32_t k0, std::uint32_t k1, Words<V>& a, Words<V>& b) {
  const std::uint32_t keys[3] = {k0, k1, k0 ^ k1 ^ 0x1BD11BDAu};
  V a0 = hn::Add(a.first, hn::Set(du, k0)), a1 = hn::Add(a.second, hn::Set(du, k1));
  V b0 = hn::Add(b.first, hn::Set(du, k0)), b1 = hn::Add(b.second, hn::Set(du, k1));
// clang-format off
#define OGEE_MIX(bits)                     \
  a0 = hn::Add(a0, a1);                    \
  b0 = hn::Add(b0, b1);                    \
  a1 = hn::Xor(rotate_left<bits>(a1), a0); \
  b1 = hn::Xor(rotate_left<bits>(b1), b0);
#define OGEE_INJECT(i)                                                     \
  a0 = hn::Add(a0, hn::Set(du, keys[(i) % 3]));                            \
  b0 = hn::Add(b0, hn::Set(du, keys[(i) % 3]));                            \
  a1 = hn::Add(a1, hn::Set(du, keys[((i) + 1) % 3] + std::uint32_t{i}));   \
  b1 = hn::Add(b1, hn::Set(du, keys[((i) + 1) % 3] + std::uint32_t{i}));
  OGEE_MIX(13) OGEE_MIX(15) OGEE_MIX(26) OGEE_MIX(6) OGEE_INJECT(1)
  OGEE_MIX(17) OGEE_MIX(29) OGEE_MIX(16) OGEE_MIX(24) OGEE_INJECT(2)
  OGEE_MIX(13) OGEE_MIX(15) OGEE_MIX(26) OGEE_MIX(6) OGEE_INJECT(3)
  OGEE_MIX(17)
#undef OGEE_MIX
#undef OGEE_INJECT
      // clang-format on
      a = {a0, a1};
  b = {b0, b1};
}

template <class D, class V>
HWY_INLINE Lane<D> to_float(V words) {  // words below 2^31
  const hn::RebindToSigned<D> di;
  return {hn::ConvertTo(D(), hn::BitCast(di, words))};
}

// The sine and cosine of q*pi/2 + x, |x| <= pi/4, q and x from one word: its top two bits and the other thirty.
template <class D, class V>
HWY_INLINE void sine_and_cosine(V word, Lane<D>& sine, Lane<D>& cosine) {
  const hn::RebindToUnsigned<D> du;
  const Lane<D> fraction = to_float<D>(hn::ShiftRight<1>(hn::ShiftLeft<2>(word)));
  const Lane<D> x = (fraction * 0x1p-31 - 0.5) * 1.5707963267948966192;
  const Lane<D> z = x * x;
  const Lane<D> s = fused(x * z, polynomial(z, Lane<D>::P::sin), x);
  const Lane<D> c = fused(z * z, polynomial(z, Lane<D>::P::cos), fused(z, Lane<D>::constant(-0.5), 1.0));
  const auto odd = hn::TestBit(word, hn::Set(du, 0x40000000u));
  const auto sine_negative = hn::TestBit(word, hn::Set(du, 0x80000000u));
  const auto cosine_negative = hn::TestBit(hn::Add(word, hn::Set(du, 0x40000000u)), hn::Set(du, 0x80000000u));
  sine = {hn::IfThenElse(hn::RebindMask(D(), odd), c.v, s.v)};
  cosine = {hn::IfThenElse(hn::RebindMask(D(), odd), s.v, c.v)};
  sine = select(Truth<D>{hn::RebindMask(D(), sine_negative)}, -sine, sine);
  cosine = select(Truth<D>{hn::RebindMask(D(), cosine_negative)}, -cosine, cosine);
}

template <bool normal, class D, class V>
HWY_INLINE void deviates(const Words<V>& words, float* out) {
  Lane<D> a, b;
  if constexpr (normal) {
    const Lane<D> u = to_float<D>(hn::ShiftRight<1>(words.first)) * 0x1p-31 + 0x1p-32;  // normal, and below 1
    const Lane<D> radius = sqrt(-2.0 * log_of_sum(u, Lane<D>::constant(0.0)));
    sine_and_cosine(words.second, b, a);
    a = radius * a;
    b = radius * b;
  } else {
    a = to_float<D>(hn::ShiftRight<9>(words.first)) * 0x1p-23 + 0x1p-24;
    b = to_float<D>(hn::ShiftRight<9>(words.second)) * 0x1p-23 + 0x1p-24;
  }
  hn::StoreU(a.v, D(), out);
  hn::StoreU(b.v, D(), out + 16);
}

// Whole groups of 32 elements, from group `group` on.
template <bool normal>
HWY_ATTR void fill_groups(std::uint64_t key, std::uint64_t group, std::size_t groups, float* out) {
  using D = hn::CappedTag<float, 16>;
  const D d;
  const hn::RebindToUnsigned<D> du;
  using V = hn::Vec<decltype(du)>;
  const auto k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  const auto counter = [&](std::uint64_t number) HWY_ATTR {
    return Words<V>{hn::Iota(du, static_cast<std::uint32_t>(number)),
                    hn::Set(du, static_cast<std::uint32_t>(number >> 32))};
  };
  for (std::size_t g = 0; g < groups; g += 2) {
    for (std::size_t j = 0; j < 16; j += hn::Lanes(d)) {
      Words<V> a = counter((group + g) * 16 + j), b = counter((group + g + 1) * 16 + j);
      threefry(du, k0, k1, a, b);
      deviates<normal, D>(a, out + g * 32 + j);
      if (g + 1 < groups) deviates<normal, D>(b, out + g * 32 + 32 + j);
    }
  }
}
void fill_normal(std::uint64_t key, std::uint64_t group, std::size_t groups, float* out) {
  fill_groups<true>(key, group, groups, out);
}
void fill_uniform(std::uint64_t key, std::uint64_t group, std::size_t groups, float* out) {
  fill_groups<false>(key, group, groups, out);
}

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cstring>

namespace ogee {
HWY_EXPORT(fill_normal);
HWY_EXPORT(fill_uniform);

namespace kernels {

std::pair<std::uint32_t, std::uint32_t> threefry2x32(std::uint64_t key, std::uint32_t counter_low,
                                                     std::uint32_t counter_high) {
  constexpr int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  const auto k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  const std::uint32_t keys[3] = {k0, k1, k0 ^ k1 ^ 0x1BD11BDAu};
  std::uint32_t x0 = counter_low + k0, x1 = counter_high + k1;
  for (unsigned round = 0; round < threefry_rounds; ++round) {
    const int r = rotations[round % 8];
    x0 += x1;
    x1 = ((x1 << r) | (x1 >> (32 - r))) ^ x0;
    if (round % 4 == 3) {
      const unsigned i = round / 4 + 1;
      x0 += keys[i % 3];
      x1 += keys[(i + 1) % 3] + i;
    }
  }
  return {x0, x1};
}

void fill_noise(Noise kind, NoiseKey key, std::uint64_t first, std::size_t n, float* out) {
  if (kind == Noise::none || n == 0) return;
  // Seed and call are folded into one stream key by the generator itself.
  const auto [low, high] =
      threefry2x32(key.seed, static_cast<std::uint32_t>(key.call), static_cast<std::uint32_t>(key.call >> 32));
  const std::uint64_t stream = (std::uint64_t{high} << 32) | low;
  const auto fill = kind == Noise::normal ? HWY_DYNAMIC_DISPATCH(fill_normal) : HWY_DYNAMIC_DISPATCH(fill_uniform);
  float group[32];
  std::size_t done = 0;
  if (const std::size_t offset = first % 32; offset != 0) {
    fill(stream, first / 32, 1, group);
    done = std::min<std::size_t>(32 - offset, n);
    std::memcpy(out, group + offset, done * sizeof(float));
  }
  const std::size_t whole = (n - done) / 32;
  if (whole > 0) fill(stream, (first + done) / 32, whole, out + done);
  done += whole * 32;
  if (done < n) {
    fill(stream, (first + done) / 32, 1, group);
    std::memcpy(out + done, group, (n - done) * sizeof(float));
  }
}

}  // namespace kernels
}  // namespace ogee
#endif
