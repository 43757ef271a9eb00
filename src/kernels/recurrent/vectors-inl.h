// Rows by vectors: the last, shorter one reads and writes only what is there. For the current target; no include guard
// but the target's.
#if defined(OGEE_RECURRENT_VECTORS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_RECURRENT_VECTORS_INL_H
#undef OGEE_RECURRENT_VECTORS_INL_H
#else
#define OGEE_RECURRENT_VECTORS_INL_H
#endif

#include <cstddef>

#include "kernels/family-inl.h"
#include "kernels/recurrent/rows.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

// AVX2's masked operations on floats and doubles do not touch what the mask leaves out, whatever the macro says.
#undef OGEE_MASKED_MEMORY
#if HWY_MEM_OPS_MIGHT_FAULT && HWY_TARGET != HWY_AVX2
#define OGEE_MASKED_MEMORY 0
#else
#define OGEE_MASKED_MEMORY 1
#endif

// n elements from j on: a vector, or, at the end of a row, fewer. Two types, so that the loop over whole vectors tests
// nothing, and its body, a generic lambda, is a function of its own, called once and therefore inlined.
template <class D, bool whole>
struct Place {
  std::size_t j, n;
};

template <class D, bool whole>
HWY_INLINE Lane<D> read(const hn::TFromD<D>* row, Place<D, whole> at) {
  if constexpr (whole) return {hn::LoadU(D(), row + at.j)};
#if OGEE_MASKED_MEMORY
  return {hn::MaskedLoad(hn::FirstN(D(), at.n), D(), row + at.j)};
#else
  HWY_ALIGN hn::TFromD<D> end[hn::MaxLanes(D())] = {};
  for (std::size_t i = 0; i < at.n; ++i) end[i] = row[at.j + i];
  return {hn::Load(D(), end)};
#endif
}
template <class D, bool whole>
HWY_INLINE void write(Lane<D> v, hn::TFromD<D>* row, Place<D, whole> at) {
  if constexpr (whole) return hn::StoreU(v.v, D(), row + at.j);
#if OGEE_MASKED_MEMORY
  hn::BlendedStore(v.v, hn::FirstN(D(), at.n), D(), row + at.j);
#else
  HWY_ALIGN hn::TFromD<D> end[hn::MaxLanes(D())];
  hn::Store(v.v, D(), end);
  for (std::size_t i = 0; i < at.n; ++i) row[at.j + i] = end[i];
#endif
}

// f(row, place) for every vector of every row.
template <class D, class F>
HWY_INLINE void for_vectors(std::size_t rows, std::size_t units, F f) {
  const std::size_t lanes = hn::Lanes(D());
  for (std::size_t r = 0; r < rows; ++r) {
    std::size_t j = 0;
    for (; j + lanes <= units; j += lanes) f(static_cast<std::ptrdiff_t>(r), Place<D, true>{j, lanes});
    if (j < units) f(static_cast<std::ptrdiff_t>(r), Place<D, false>{j, units - j});
  }
}
template <class D, bool whole, class T>
HWY_INLINE Lane<D> read(const kernels::recurrent::Array<T>& a, std::ptrdiff_t row, Place<D, whole> at) {
  return read(a.data + row * a.stride, at);
}
template <class D, bool whole, class T>
HWY_INLINE void write(Lane<D> v, const kernels::recurrent::Array<T>& a, std::ptrdiff_t row, Place<D, whole> at) {
  write(v, a.data + row * a.stride, at);
}

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
