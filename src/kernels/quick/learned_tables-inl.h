// A table of 32 polynomials whose parts can be had apart: its centres, its leading coefficients, the rest.
#if defined(OGEE_QUICK_LEARNED_TABLES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_LEARNED_TABLES_INL_H
#undef OGEE_QUICK_LEARNED_TABLES_INL_H
#else
#define OGEE_QUICK_LEARNED_TABLES_INL_H
#endif

#include <cstddef>
#include <utility>

#include "kernels/quick/forms-inl.h"
#include "kernels/quick/learned_tables.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86

template <class Table>
class LookUp {
 public:
  struct Place {
    __m512i interval;
    Float centre, t;  // z = centre + t
  };
  HWY_INLINE void load() { load(std::make_index_sequence<Table::size>()); }
  HWY_INLINE Place place(Float z) const {
    const __m512i k = _mm512_castps_si512(fused(z, Float::constant(Table::steps), 12582912.0).v.raw);
    const Float centre = look_up(centre_, k);
    return {k, centre, z - centre};
  }
  template <std::size_t I>
  HWY_INLINE Float coefficient(const Place& at) const {
    return look_up(c_[I], at.interval);
  }
  // The polynomial from coefficient I on: c_I + t (c_(I+1) + ...)
  template <std::size_t I>
  HWY_INLINE Float tail(const Place& at) const {
    const Float c = coefficient<I>(at);
    if constexpr (I + 1 == Table::size) {
      return c;
    } else {
      return fused(tail<I + 1>(at), at.t, c);
    }
  }

 private:
  struct Pair {
    __m512 low, high;
  };
  template <std::size_t... I>
  HWY_INLINE void load(std::index_sequence<I...>) {
    load(centre_, Table::centre);
    (load(c_[I], Table::c[I]), ...);
  }
  static HWY_INLINE void load(Pair& pair, const float* p) {
    pair.low = _mm512_loadu_ps(p);
    pair.high = _mm512_loadu_ps(p + 16);
  }
  static HWY_INLINE Float look_up(const Pair& pair, __m512i k) {
    return {hn::Vec<SingleTag>{_mm512_permutex2var_ps(pair.low, k, pair.high)}};
  }
  Pair centre_;
  Pair c_[Table::size];
};

#endif  // AVX-512

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
