// The noise of stochastic functions: a pure function of (key, element index), so that any pass, SIMD width or thread
// draws the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "ogee/ogee.h"

namespace ogee::kernels {

// Threefry-2x32 with 13 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): 64 bits of counter
// encrypted under 64 bits of key.
inline constexpr unsigned threefry_rounds = 13;
std::pair<std::uint32_t, std::uint32_t> threefry2x32(std::uint64_t key, std::uint32_t counter_low,
                                                     std::uint32_t counter_high);

// out[j] = the noise of element first + j, j < n. Normal deviates (each the quantile of one word, up to 6.2 standard
// deviations) or uniform ones in (0, 1), multiples of 2^-24, never 0 or 1. Always float: in every type a function sees
// the same noise.
void fill_noise(Noise kind, NoiseKey key, std::uint64_t first, std::size_t n, float* out);

}  // namespace ogee::kernels
