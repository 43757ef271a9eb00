// SLEEF with AVX2 and FMA: compiled with flags of its own, called only where the processor has them.
#include <immintrin.h>
#include <sleef.h>

#include "bench/peers/loops.h"
#include "bench/peers/sleef_loops.h"

namespace ogee::bench {
namespace {

constexpr std::size_t lanes = 8;
struct V {
  __m256 v;
};
V set(float value) { return {_mm256_set1_ps(value)}; }
V load(const float* from) { return {_mm256_loadu_ps(from)}; }
void store(float* to, V x) { _mm256_storeu_ps(to, x.v); }
V operator+(V a, V b) { return {_mm256_add_ps(a.v, b.v)}; }
V operator-(V a, V b) { return {_mm256_sub_ps(a.v, b.v)}; }
V operator*(V a, V b) { return {_mm256_mul_ps(a.v, b.v)}; }
V operator/(V a, V b) { return {_mm256_div_ps(a.v, b.v)}; }
V max(V a, V b) { return {_mm256_max_ps(a.v, b.v)}; }
V operator-(V x) { return {_mm256_xor_ps(x.v, _mm256_set1_ps(-0.0f))}; }
V abs(V x) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), x.v)}; }
V operator>(V a, V b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
V blend(V mask, V yes, V no) { return {_mm256_blendv_ps(no.v, yes.v, mask.v)}; }
V square(V t) { return t * t; }
V square_from_one(V t) { return set(1) - t * t; }
V logistic_slope(V s) { return s * (set(1) - s); }
V silu_slope(V x, V s) { return s * (set(1) + x * (set(1) - s)); }
V lisht_slope(V x, V t) { return t + x * (set(1) - t * t); }
V mish_slope(V x, V s, V t) { return t + x * s * (set(1) - t * t); }
V tanh_exp_slope(V x, V e, V t) { return t + x * e * (set(1) - t * t); }

struct U10 {
  static V exp(V x) { return {Sleef_expf8_u10avx2(x.v)}; }
  static V expm1(V x) { return {Sleef_expm1f8_u10avx2(x.v)}; }
  static V log1p(V x) { return {Sleef_log1pf8_u10avx2(x.v)}; }
  static V tanh(V x) { return {Sleef_tanhf8_u10avx2(x.v)}; }
  static V erf(V x) { return {Sleef_erff8_u10avx2(x.v)}; }
  static V atan(V x) { return {Sleef_atanf8_u10avx2(x.v)}; }
  static V sin(V x) { return {Sleef_sinf8_u10avx2(x.v)}; }
  static V cos(V x) { return {Sleef_cosf8_u10avx2(x.v)}; }
};
// Of exp, expm1, log1p and erf SLEEF has the exact form alone.
struct U35 : U10 {
  static V tanh(V x) { return {Sleef_tanhf8_u35avx2(x.v)}; }
  static V atan(V x) { return {Sleef_atanf8_u35avx2(x.v)}; }
  static V sin(V x) { return {Sleef_sinf8_u35avx2(x.v)}; }
  static V cos(V x) { return {Sleef_cosf8_u35avx2(x.v)}; }
};

#include "bench/peers/sleef_loops-inl.h"

}  // namespace

NamedLoops sleef_avx2_u10() { return Table<U10>::all; }
NamedLoops sleef_avx2_u35() { return Table<U35>::all; }

}  // namespace ogee::bench
