// What attention does with the rows of one example, by SIMD.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention/rows.cc"
#include "hwy/foreach_target.h"
//
#include "kernels/recurrent/vectors-inl.h"
//
#include "kernels/attention/rows.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {
namespace {

using kernels::attention::RowTable;

template <class T>
HWY_ATTR void add_row(std::size_t rows, std::size_t units, const T* x, const T* row, T* z) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(rows, units, [&](std::ptrdiff_t t, auto at) HWY_ATTR {
    const std::ptrdiff_t from = t * static_cast<std::ptrdiff_t>(units);
    write(read(x + from, at) + read(row, at), z + from, at);
  });
}

template <class T>
HWY_ATTR void dots(std::size_t rows, std::size_t units, const T* x, const T* row, T* out) {
  using D = hn::ScalableTag<T>;
  const std::size_t lanes = hn::Lanes(D());
  for (std::size_t t = 0; t < rows; ++t, x += units) {
    Lane<D> even = Lane<D>::constant(0.0), odd = even;
    std::size_t j = 0;
    for (; j + 2 * lanes <= units; j += 2 * lanes) {
      const Place<D, true> first{j, lanes}, second{j + lanes, lanes};
      even = fused(read(x, first), read(row, first), even);
      odd = fused(read(x, second), read(row, second), odd);
    }
    for (; j + lanes <= units; j += lanes) {
      const Place<D, true> at{j, lanes};
      even = fused(read(x, at), read(row, at), even);
    }
    if (j < units) {
      const Place<D, false> at{j, units - j};
      odd = fused(read(x, at), read(row, at), odd);
    }
    out[t] = hn::GetLane(hn::SumOfLanes(D(), (even + odd).v));
  }
}

template <class T>
HWY_ATTR void add_weighted(std::size_t rows, std::size_t units, const T* weight, const T* x, T* out) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(1, units, [&](std::ptrdiff_t, auto at) HWY_ATTR {
    Lane<D> sum = read(out, at);
    for (std::size_t t = 0; t < rows; ++t) sum = fused(Lane<D>{hn::Set(D(), weight[t])}, read(x + t * units, at), sum);
    write(sum, out, at);
  });
}

template <class T>
HWY_ATTR void spread(std::size_t rows, std::size_t units, const T* weight, const T* row, const T* slope, T* by_value,
                     T* dx, T* sum) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(1, units, [&](std::ptrdiff_t, auto at) HWY_ATTR {
    Lane<D> total = read(sum, at);
    const Lane<D> each = read(row, at);
    for (std::size_t t = 0; t < rows; ++t) {
      const Lane<D> by = Lane<D>{hn::Set(D(), weight[t])} * each, d = by * read(slope + t * units, at);
      write(by, by_value + t * units, at);
      if (dx != nullptr) write(read(dx + t * units, at) + d, dx + t * units, at);
      total = total + d;
    }
    write(total, sum, at);
  });
}

template <class T>
constexpr RowTable<T> attention_table = {add_row<T>, dots<T>, add_weighted<T>, spread<T>};

}  // namespace

const RowTable<float>* float_attention() { return &attention_table<float>; }
const RowTable<double>* double_attention() { return &attention_table<double>; }

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee {
HWY_EXPORT(float_attention);
HWY_EXPORT(double_attention);

namespace kernels::attention {
template <>
const RowTable<float>& table<float>() {
  return *HWY_DYNAMIC_DISPATCH(float_attention)();
}
template <>
const RowTable<double>& table<double>() {
  return *HWY_DYNAMIC_DISPATCH(double_attention)();
}
}  // namespace kernels::attention
}  // namespace ogee
#endif
