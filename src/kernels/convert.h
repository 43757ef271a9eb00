// Between the 16-bit types and float, rounding to nearest even; NaN stays NaN, subnormals and infinities are kept.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ogee::kernels {

void bfloat16_to_float(const std::uint16_t* in, std::size_t n, float* out);
// `stream`: past the caches; `out` must be aligned to 64 bytes then, and the writer flushes (hwy::FlushStream).
void float_to_bfloat16(const float* in, std::size_t n, std::uint16_t* out, bool stream = false);
void float16_to_float(const std::uint16_t* in, std::size_t n, float* out);
void float_to_float16(const float* in, std::size_t n, std::uint16_t* out, bool stream = false);

// One at a time, by integer arithmetic: what the vector code must agree with.
float half_to_float(std::uint16_t bits);
std::uint16_t float_to_half(float value);

}  // namespace ogee::kernels
