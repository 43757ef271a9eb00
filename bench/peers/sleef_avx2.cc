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
V max(V a, V b) { return {_mm256_max_ps(a.v, b.v)}; }
V abs(V x) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), x.v)}; }
V operator>(V a, V b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
V blend(V mask, V yes, V no) { return {_mm256_blendv_ps(no.v, yes.v, mask.v)}; }
#define OGEE_SLEEF(function, accuracy) Sleef_##function##f8_##accuracy##avx2

#include "bench/peers/sleef_loops-inl.h"

}  // namespace

NamedLoops sleef_avx2_u10() { return Table<U10>::all; }
NamedLoops sleef_avx2_u35() { return Table<U35>::all; }

}  // namespace ogee::bench
