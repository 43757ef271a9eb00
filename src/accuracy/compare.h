// The distance between computed floats and exact values, in units in the last place of the exact one.
#pragma once

#include <cstddef>

namespace ogee::accuracy {

// The largest error of got[i] against exact[i], i < n. The unit is that of the exact value, of FLT_MIN below it and of
// FLT_MAX above it; an infinity stands for 2^128. A NaN where there should be none, or the other way round, is an
// infinite error. Errors up to `known` are of no interest: `known` is the result where none is larger.
double worst(const float* got, const double* exact, std::size_t n, double known = 0);

// A binary format: the digits of its significand after the first, and the exponents of its normal numbers.
struct Format {
  int digits, least, most;
};
inline constexpr Format float32_format{23, -126, 127}, bfloat16_format{7, -126, 127}, float16_format{10, -14, 15};

// The same for one pair of any format, in a unit no smaller than that of `term`: the larger of the terms whose
// difference the exact value is.
double error_in_ulp(double got, double exact, Format format = float32_format, double term = 0);

}  // namespace ogee::accuracy
