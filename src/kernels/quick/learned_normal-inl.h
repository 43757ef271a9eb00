// What is made of the normal distribution's tail and density, for all x at once and so without a table's range: the
// density by an exponential, the tail as the density times Mills' ratio R, the slope of x Phi(x) at -z as the density
// times R - z, which cancels only where R = z, and there exactly.
#if defined(OGEE_QUICK_LEARNED_NORMAL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_LEARNED_NORMAL_INL_H
#undef OGEE_QUICK_LEARNED_NORMAL_INL_H
#else
#define OGEE_QUICK_LEARNED_NORMAL_INL_H
#endif

#include <cstddef>

#include "kernels/quick/exponential_eight-inl.h"
#include "kernels/quick/learned_gates-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

struct NormalParts {
  struct ErfRatio {
    float c[7];
  };
  static constexpr ErfRatio erf_ratio = [] {
    ErfRatio result{};
    for (std::size_t i = 0; i < 7; ++i) {
      result.c[i] = static_cast<float>(0.70710678118654752440 * double{Lane<SingleTag>::P::erf[i]});
    }
    return result;
  }();
  LookUp<tables::MillsRatio> mills;
  struct Parts {
    Float half_square, density, tail, slope_tail;  // z^2/2, phi(z), Phi(-z), Phi(-z) - z phi(z)
    HWY_INLINE Float gate(Float x) const { return select(x < 0.0, tail, 1.0 - tail); }
    HWY_INLINE Float slope(Float x) const { return select(x < 0.0, slope_tail, 1.0 - slope_tail); }
    // (2 Phi(z) - 1)/z = erf(z/sqrt 2)/z, z^2 < 2
    HWY_INLINE Float near() const { return polynomial(half_square, erf_ratio.c); }
    HWY_INLINE Float far() const { return fused_minus(tail, 2.0, Float::constant(1.0)); }
  };

  // 1/sqrt(2 pi), and what rounding it leaves out, as a share, which the exponent makes good.
  static constexpr double scale = 0.39894228040143267793994605993438;
  static constexpr double scale_left_out = scale / double{static_cast<float>(scale)} - 1;

  HWY_INLINE void load() { mills.load(); }
  // Further out the density is subnormal.
  static constexpr double furthest = 12.5;
  static HWY_INLINE FloatTruth above(Float x) { return x >= -furthest; }
  static HWY_INLINE FloatTruth within(Float x) { return abs(x) <= furthest; }

#if !OGEE_AVX512_TARGET
  HWY_INLINE Parts parts(Float x) const {
    using Table = tables::MillsEight;
    const Float z = at_most(abs(x), Table::high), w = 0.5 * z, square = w * z;
    const Power p = Power::of_minus(square, fused(w, z, -square) - scale_left_out);
    const Float density = p.times(Float::constant(scale));
    const auto at = Eight<Table>::find(z);
    const Float c = at.c<0>(), h = at.horner<1>();
    return {square, density, density * fused(h, at.t, c), density * fused(h, at.t, c - z)};
  }
#else
  HWY_INLINE Parts parts(Float x) const {
    const Float z = at_most(abs(x), tables::MillsRatio::high);
    const Density p = density_of(z);
    const Float density = scaled(fused(Float::constant(scale), p.rise, scale), p.exponent);
    const auto at = mills.place(z);
    const Float c = mills.template coefficient<0>(at), h = mills.template tail<1>(at);
    return {p.half_square, density, density * fused(h, at.t, c), density * fused(h, at.t, c - z)};
  }

#endif

  // phi(z) = scale 2^exponent (1 + rise)
  struct Density {
    Float half_square, rise;
    Nearest<SingleTag> exponent;
  };
  static HWY_INLINE Density density_of(Float z) {
    const Float w = 0.5 * z, square = w * z;
    Float r;
    const Nearest<SingleTag> k = reduce_by_log2(-square, r);
    r = r - (fused(w, z, -square) - scale_left_out);
    return {square, fused(r * r, polynomial(r, Lane<SingleTag>::P::exp), r), k};
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
