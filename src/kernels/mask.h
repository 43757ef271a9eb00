// One bit an element in place of an input, for functions whose slope takes two values.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ogee::kernels {

// Bit i of `bits` (the lowest of a byte first): slope[i] is `high`, not `low`. False, and bits of no use, where an
// element is neither (NaN is neither). Room for (n + 7)/8 bytes; where n is not a multiple of 8, the last bits are 0.
bool pack_slopes(const float* slope, std::size_t n, float low, float high, std::uint8_t* bits);
bool pack_slopes(const double* slope, std::size_t n, double low, double high, std::uint8_t* bits);
// dx[i] = dy[i]*(bit i ? high : low). dx may be dy.
void apply_slopes(const std::uint8_t* bits, const float* dy, std::size_t n, float low, float high, float* dx);
void apply_slopes(const std::uint8_t* bits, const double* dy, std::size_t n, double low, double high, double* dx);

}  // namespace ogee::kernels
