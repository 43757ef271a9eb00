// Noise by SIMD. Elements come in groups of 32, a counter's two words serving elements j and j + 16 of the group, so
// that the numbers do not depend on how many lanes work at once.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/noise.cc"
#include "hwy/foreach_target.h"
//
#include <iterator>
#include <utility>

#include "kernels/family-inl.h"
#include "kernels/noise.h"
#include "kernels/normal_table.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

template <int bits, class V>
HWY_INLINE V rotate_left(V v) {
#if OGEE_AVX512_TARGET
  if constexpr (sizeof(v.raw) == 64) return V{_mm512_rol_epi32(v.raw, bits)};
#endif
  return hn::Or(hn::ShiftLeft<bits>(v), hn::ShiftRight<32 - bits>(v));
}

template <class V>
struct Words {
  V first, second;
};

// Where counters begin whose second word is the same: what it and the key make of the first round.
template <class V>
struct Start {
  std::uint32_t sum;  // of both key words and the counters' second word
  V rotated;          // the second word and its key, rotated
};
template <class DU, class V = hn::Vec<DU>>
HWY_INLINE Start<V> start_of(DU du, std::uint32_t k0, std::uint32_t k1, std::uint32_t second) {
  return {k0 + k1 + second, rotate_left<13>(hn::Set(du, k1 + second))};
}

// Two blocks at once: a round waits for the one before it, and the other block fills the wait. Thirteen rounds, the
// fewest that pass BigCrush (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", table 2):
// the noise of a network, not of a cipher. a0 and b0 are the counters' first words plus Start::sum.
template <class DU, class V>
HWY_INLINE void threefry(DU du, std::uint32_t k0, std::uint32_t k1, const Start<V>& start, V a0, V b0, Words<V>& a,
                         Words<V>& b) {
  const std::uint32_t keys[3] = {k0, k1, k0 ^ k1 ^ 0x1BD11BDAu};
  V a1 = hn::Xor(start.rotated, a0), b1 = hn::Xor(start.rotated, b0);  // the first round
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
  OGEE_MIX(15) OGEE_MIX(26) OGEE_MIX(6) OGEE_INJECT(1)
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

// A positive float's mantissa, 1 to 2.
template <class D>
HWY_INLINE Lane<D> mantissa_of(Lane<D> t) {
#if OGEE_AVX512_TARGET
  if constexpr (sizeof(t.v.raw) == 64) {
    return {hn::Vec<D>{_mm512_getmant_ps(t.v.raw, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero)}};
  }
#endif
  const hn::RebindToSigned<D> di;
  return {hn::BitCast(D(), hn::Or(hn::And(hn::BitCast(di, t.v), hn::Set(di, 0x007fffff)), hn::Set(di, 0x3f800000)))};
}
// z with its sign changed where the word's top bit is set.
template <class D, class V>
HWY_INLINE Lane<D> with_top_bit(Lane<D> z, V word) {
  const hn::RebindToUnsigned<D> du;
  const V sign = hn::Set(du, 0x80000000u), bits = hn::BitCast(du, z.v);
#if OGEE_AVX512_TARGET
  if constexpr (sizeof(word.raw) == 64) {  // bits ^ (word & sign)
    return {hn::BitCast(D(), V{_mm512_ternarylogic_epi32(bits.raw, word.raw, sign.raw, 0x78)})};
  }
#endif
  return {hn::BitCast(D(), hn::Xor(bits, hn::And(word, sign)))};
}

// Where the coefficients of each lane's octave are looked up, given a float's exponent field: in registers, or, where
// the target has no such table or the octave is not in it, in memory.
struct InMemory {
  template <class D, class VI>
  static HWY_INLINE Lane<D> coefficient(D d, std::size_t k, VI octave) {
    const hn::RebindToSigned<D> di;
    return {hn::GatherIndex(d, kernels::normal_quantile[k], hn::And(octave, hn::Set(di, 31)))};
  }
};
struct InRegisters {
  template <class D, class VI>
  static HWY_INLINE Lane<D> coefficient(D, std::size_t k, VI octave) {
    [[maybe_unused]] const float* c = kernels::normal_quantile[k];
#if OGEE_AVX512_TARGET  // all 32 octaves
    return {hn::Vec<D>{_mm512_permutex2var_ps(_mm512_loadu_ps(c), octave.raw, _mm512_loadu_ps(c + 16))}};
#elif HWY_TARGET == HWY_AVX2  // those from 1/256 on: the exponent fields 119 to 126
    const auto place = hn::Add(octave, hn::Set(hn::RebindToSigned<D>(), 1));  // modulo 8, 0 to 7
    return {hn::Vec<D>{_mm256_permutevar8x32_ps(_mm256_loadu_ps(c + 23), place.raw)}};
#else
    return InMemory::coefficient(D(), k, octave);
#endif
  }
};

// Normal deviates from words: a word's top bit is the sign, the others are t, the probability beyond, in (0, 1/2], of
// which a table has the quantiles (normal_table.h). Several words at once, step by step: a step waits for the one
// before it, and the other words fill the wait.
template <class Where, class D, class VI, std::size_t count>
HWY_INLINE void normal_quantiles(const Lane<D> (&m)[count], const VI (&octave)[count], Lane<D> (&z)[count]) {
  constexpr std::size_t degree = std::size(kernels::normal_quantile) - 1;
  for (std::size_t i = 0; i < count; ++i) z[i] = Where::coefficient(D(), degree, octave[i]);
  for (std::size_t k = degree; k-- > 0;) {
    for (std::size_t i = 0; i < count; ++i) z[i] = fused(z[i], m[i], Where::coefficient(D(), k, octave[i]));
  }
}
template <class D, class V, std::size_t count>
HWY_INLINE void normal_of(const V (&word)[count], Lane<D> (&z)[count]) {
  const hn::RebindToSigned<D> di;
  const V sign = hn::Set(hn::RebindToUnsigned<D>(), 0x80000000u);
  hn::Vec<decltype(di)> octave[count];
  Lane<D> m[count];
  for (std::size_t i = 0; i < count; ++i) {
    const Lane<D> t = fused(to_float<D>(hn::AndNot(sign, word[i])), Lane<D>::constant(0x1p-32), 0x1p-32);
    octave[i] = hn::ShiftRight<23>(hn::BitCast(di, t.v));
    m[i] = mantissa_of(t) - 1.5;
  }
  normal_quantiles<InRegisters>(m, octave, z);
#if HWY_TARGET == HWY_AVX2
  for (std::size_t i = 0; i < count; ++i) {
    const auto far = hn::Lt(octave[i], hn::Set(di, 119));
    if (HWY_LIKELY(hn::AllFalse(di, far))) continue;
    const Lane<D> own[1] = {m[i]};
    const hn::Vec<decltype(di)> place[1] = {octave[i]};
    Lane<D> exact[1];
    normal_quantiles<InMemory>(own, place, exact);
    z[i] = select(Truth<D>{hn::RebindMask(D(), far)}, exact[0], z[i]);
  }
#endif
  for (std::size_t i = 0; i < count; ++i) z[i] = with_top_bit(z[i], word[i]);
}

template <bool normal, class D, class V>
HWY_INLINE void deviates(const Words<V>& words, float* out) {
  const V word[2] = {words.first, words.second};
  Lane<D> z[2];
  if constexpr (normal) {
    normal_of<D>(word, z);
  } else {
    for (std::size_t i = 0; i < 2; ++i) {
      z[i] = fused(to_float<D>(hn::ShiftRight<9>(word[i])), Lane<D>::constant(0x1p-23), 0x1p-24);
    }
  }
  hn::StoreU(z[0].v, D(), out);
  hn::StoreU(z[1].v, D(), out + 16);
}

// Whole groups of 32 elements, from group `group` on, whose counters have the same second word.
template <bool normal>
HWY_ATTR void fill_run(std::uint32_t k0, std::uint32_t k1, std::uint64_t group, std::size_t groups, float* out) {
  using D = hn::CappedTag<float, 16>;
  const D d;
  const hn::RebindToUnsigned<D> du;
  using V = hn::Vec<decltype(du)>;
  const std::uint64_t first = group * 16;
  const Start<V> start = start_of(du, k0, k1, static_cast<std::uint32_t>(first >> 32));
  V counter = hn::Iota(du, static_cast<std::uint32_t>(first) + start.sum);
  // A last group that has no partner is drawn with another one, which is dropped.
  HWY_ALIGN float spare[32];
  for (std::size_t g = 0; g < groups; g += 2) {
    float* const second = g + 1 < groups ? out + g * 32 + 32 : spare;
    for (std::size_t j = 0; j < 16; j += hn::Lanes(d)) {
      Words<V> a, b;
      const V at = hn::Add(counter, hn::Set(du, static_cast<std::uint32_t>(j)));
      threefry(du, k0, k1, start, at, hn::Add(at, hn::Set(du, 16)), a, b);
      deviates<normal, D>(a, out + g * 32 + j);
      deviates<normal, D>(b, second + j);
    }
    counter = hn::Add(counter, hn::Set(du, 32));
  }
}
template <bool normal>
void fill_groups(std::uint64_t key, std::uint64_t group, std::size_t groups, float* out) {
  const auto k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  constexpr std::uint64_t span = std::uint64_t{1} << 28;  // groups whose counters share a second word
  while (groups > 0) {
    const std::uint64_t left = span - group % span;
    const std::size_t run = groups < left ? groups : static_cast<std::size_t>(left);
    fill_run<normal>(k0, k1, group, run, out);
    group += run;
    groups -= run;
    out += run * 32;
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
