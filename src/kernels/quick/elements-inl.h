// How the vectors of a row lie in memory: as floats, or as bfloat16.
#if defined(OGEE_QUICK_ELEMENTS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_ELEMENTS_INL_H
#undef OGEE_QUICK_ELEMENTS_INL_H
#else
#define OGEE_QUICK_ELEMENTS_INL_H
#endif

#include <cstddef>
#include <cstdint>

#include "kernels/quick/forms-inl.h"
#include "kernels/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

struct Floats {
  using Element = float;
  static constexpr std::size_t together = 1;  // so many vectors are read and written as one
  static constexpr std::size_t lanes = hn::MaxLanes(SingleTag());
  static HWY_INLINE Float read(const float* p, std::size_t v) {
    return ogee::HWY_NAMESPACE::read<SingleTag>(p, v * lanes);
  }
  static HWY_INLINE void write(const Float* value, std::size_t v, float* p, bool stream) {
    ogee::HWY_NAMESPACE::write<SingleTag>(value[v], p, v * lanes, stream);
  }
  template <std::size_t count>
  static HWY_INLINE void fetch(const float* p) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < count; ++v) fetch_ahead(p + v * lanes);
  }
};

#if OGEE_QUICK_TARGET

// Two vectors of floats are one of bfloat16: the elements at even places and those at odd ones, which a shift and a
// mask take apart and a blend puts together, where upper and lower halves would have to cross the register.
struct Bfloats {
  using Element = std::uint16_t;
  static constexpr std::size_t together = 2;
  static constexpr std::size_t lanes = hn::MaxLanes(SingleTag());
  using Whole = hn::RebindToUnsigned<SingleTag>;
  using Both = hn::Repartition<std::uint16_t, SingleTag>;

  static HWY_INLINE Float read(const std::uint16_t* p, std::size_t v) {
    const auto both = hn::BitCast(Whole(), in_register(hn::LoadU(Both(), p + v / 2 * 2 * lanes)));
    const auto bits = v % 2 == 0 ? hn::ShiftLeft<16>(both) : hn::And(both, hn::Set(Whole(), 0xffff0000u));
    return {hn::BitCast(SingleTag(), bits)};
  }
  // The nearest, ties to even, in the upper half: adding 0x7fff, and one more if the kept part is odd, carries into it
  // where it must. NaN stays NaN as long as its lower half is 0, as it is in those that were read and in the
  // processor's own.
  static HWY_INLINE hn::Vec<Whole> rounded(Float value) {
    const auto bits = hn::BitCast(Whole(), value.v);
#if OGEE_AVX512_TARGET
    const auto half = _mm512_add_epi32(bits.raw, _mm512_set1_epi32(0x7fff));
    const __mmask16 odd = _mm512_test_epi32_mask(bits.raw, _mm512_set1_epi32(0x10000));
    return hn::Vec<Whole>{_mm512_mask_sub_epi32(half, odd, half, _mm512_set1_epi32(-1))};
#else
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(Whole(), 1u));
    return hn::Add(hn::Add(bits, hn::Set(Whole(), 0x7fffu)), odd);
#endif
  }
  static HWY_INLINE void write(const Float* value, std::size_t v, std::uint16_t* p, bool stream) {
    if (v % 2 == 0) return;
    const auto even = hn::ShiftRight<16>(rounded(value[v - 1])), odd = rounded(value[v]);
    const auto both = hn::OddEven(hn::BitCast(Both(), odd), hn::BitCast(Both(), even));
    if (HWY_UNLIKELY(stream)) {
      hn::Stream(both, Both(), p + (v - 1) * lanes);
    } else {
      hn::StoreU(both, Both(), p + (v - 1) * lanes);
    }
  }
  template <std::size_t count>
  static HWY_INLINE void fetch(const std::uint16_t* p) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < count; v += 2) fetch_ahead(p + v * lanes);
  }
};

// A definition as a form, with parameters that are the same for the whole row.
template <class F>
struct Defined : Quick {
  static constexpr bool total = true, scalar = scalar_constants<F, SingleTag>;
  Constant<scalar, SingleTag> p[Arity<F>::parameters + 1];
  HWY_INLINE bool load(const double* parameter) {
    for (std::size_t k = 0; k < Arity<F>::parameters; ++k) {
      if constexpr (scalar) {
        p[k] = parameter[k];
      } else {
        p[k] = Float::constant(parameter[k]);
      }
    }
    return true;
  }
};
template <class F>
struct DefinedValue : Defined<F> {
  HWY_INLINE Float operator()(const Float* x) const { return call<F, Training>(x, this->p, Float::constant(0.0)); }
};
template <class F>
struct DefinedSlopes : Defined<F> {
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    using A = Arity<F>;
    if constexpr (has_derivative<F, SingleTag>(typename A::Parameters())) {
      d[0] = closed_derivative<F, SingleTag>(x[0], this->p, typename A::Parameters());
    } else {
      using Number = Dual<Float, static_cast<int>(A::inputs)>;
      Number seeded[A::inputs];
      for (std::size_t k = 0; k < A::inputs; ++k) {
        seeded[k] = lift<Number>(x[k]);
        seeded[k].d[k] = Float::constant(1.0);
      }
      const Number y = call<F, Training>(seeded, this->p, Float::constant(0.0));
      for (std::size_t k = 0; k < A::inputs; ++k) d[k] = with_nan_of<F>(y.d[k], x);
    }
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
