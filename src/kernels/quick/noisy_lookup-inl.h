// The tables' polynomials by Estrin's scheme: in the long expressions of units with noise, the chain of operations that
// wait for each other is what costs; elsewhere (lanes/piecewise-inl.h) the number of operations is.
#if defined(OGEE_QUICK_NOISY_LOOKUP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_NOISY_LOOKUP_INL_H
#undef OGEE_QUICK_NOISY_LOOKUP_INL_H
#else
#define OGEE_QUICK_NOISY_LOOKUP_INL_H
#endif

#include <cstddef>

#include "kernels/quick/forms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86

template <class Table>
class ShortLookup {
 public:
  HWY_INLINE void load() {
    load(centre_, Table::centre);
    for (std::size_t k = 0; k < Table::size; ++k) load(c_[k], Table::c[k]);
  }
  // The function at z, low <= z <= high.
  HWY_INLINE Float operator()(Float z) const {
    const Place at = place(z);
    return fused(rest(at), at.t, look_up(c_[0], at.interval));
  }
  // m times the function at z, with one rounding where the sum's large part meets the rest.
  HWY_INLINE Float times(Float m, Float z) const {
    const Place at = place(z);
    return fused(m, look_up(c_[0], at.interval), (m * at.t) * rest(at));
  }

 private:
  struct Pair {
    __m512 low, high;
  };
  struct Place {
    Float t;
    __m512i interval;
  };
  static HWY_INLINE void load(Pair& pair, const float* p) {
    pair.low = _mm512_loadu_ps(p);
    pair.high = _mm512_loadu_ps(p + 16);
  }
  static HWY_INLINE Float look_up(const Pair& pair, __m512i interval) {
    return {hn::Vec<SingleTag>{_mm512_permutex2var_ps(pair.low, interval, pair.high)}};
  }
  HWY_INLINE Place place(Float z) const {
    const __m512i interval = _mm512_castps_si512(fused(z, Float::constant(Table::steps), 12582912.0).v.raw);
    return {z - look_up(centre_, interval), interval};
  }
  // The polynomial without its first coefficient, over t.
  HWY_INLINE Float rest(const Place& at) const {
    const Float square = at.t * at.t;
    return part<1, Table::size - 1>(at.interval, at.t, square, square * square);
  }
  template <std::size_t I, std::size_t Count>
  HWY_INLINE Float part(__m512i interval, Float t, Float square, Float fourth) const {
    static_assert(Count <= 8);
    if constexpr (Count == 1) {
      return look_up(c_[I], interval);
    } else if constexpr (Count == 2) {
      return fused(look_up(c_[I + 1], interval), t, look_up(c_[I], interval));
    } else if constexpr (Count <= 4) {
      return fused(part<I + 2, Count - 2>(interval, t, square, fourth), square,
                   part<I, 2>(interval, t, square, fourth));
    } else {
      return fused(part<I + 4, Count - 4>(interval, t, square, fourth), fourth,
                   part<I, 4>(interval, t, square, fourth));
    }
  }
  Pair centre_;
  Pair c_[Table::size];
};

#endif  // AVX-512

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
