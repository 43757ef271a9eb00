// SLEEF with AVX-512: compiled with flags of its own, called only where the processor has them.
#include <immintrin.h>
#include <sleef.h>

#include "bench/peers/loops.h"
#include "bench/peers/sleef_loops.h"

namespace ogee::bench {
namespace {

constexpr std::size_t lanes = 16;
struct V {
  __m512 v;
};
V set(float value) { return {_mm512_set1_ps(value)}; }
V load(const float* from) { return {_mm512_loadu_ps(from)}; }
void store(float* to, V x) { _mm512_storeu_ps(to, x.v); }
V max(V a, V b) { return {_mm512_max_ps(a.v, b.v)}; }
V abs(V x) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), x.v)}; }
__mmask16 operator>(V a, V b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ); }
V blend(__mmask16 mask, V yes, V no) { return {_mm512_mask_blend_ps(mask, no.v, yes.v)}; }
#define OGEE_SLEEF(function, accuracy) Sleef_##function##f16_##accuracy##avx512f

#include "bench/peers/sleef_loops-inl.h"

}  // namespace

NamedLoops sleef_avx512_u10() { return Table<U10>::all; }
NamedLoops sleef_avx512_u35() { return Table<U35>::all; }

}  // namespace ogee::bench
