// A block of rows times a panel of two vectors' width stays in registers while k runs; a panel's stretch of 256 rows
// stays in the first-level cache while the rows of the other factor, 96 at a time, go by.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/recurrent/products.cc"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <utility>

#include "kernels/recurrent/products.h"
#include "kernels/recurrent/vectors-inl.h"

#ifndef OGEE_RECURRENT_PRODUCTS_TABLE
#define OGEE_RECURRENT_PRODUCTS_TABLE
namespace ogee::kernels::recurrent {
template <class T>
struct ProductTable {
  std::size_t width;
  void (*multiply)(const Product<T>&, std::size_t, std::size_t);
};
}  // namespace ogee::kernels::recurrent
#endif

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {
namespace {

using kernels::recurrent::Packed;
using kernels::recurrent::Product;
using kernels::recurrent::ProductTable;

// As many sums as the registers hold beside a panel's row and a factor.
#if HWY_TARGET == HWY_AVX2
constexpr std::size_t most_rows = 6;
#else
constexpr std::size_t most_rows = 12;
#endif
constexpr std::size_t depth = 256, tall = 96;

// One block: rows of a from `a` on, a panel's rows from `b` on, `k` of them.
template <class T>
struct Block {
  const T* a;
  std::ptrdiff_t a_row, a_k;
  const T* b;
  std::size_t k;
  T* c;
  std::ptrdiff_t c_row;
  const T* start;
  std::ptrdiff_t start_row;
  std::size_t columns;  // of the panel that exist
};

// Unrolled by hand (GCC's -O2 would not): everything stays in registers.
template <class D, std::size_t... R>
HWY_INLINE void block_of(const Block<hn::TFromD<D>>& j, std::index_sequence<R...>) {
  constexpr std::size_t rows = sizeof...(R);
  const std::size_t lanes = hn::Lanes(D());
  const Lane<D> zero = Lane<D>::constant(0.0);
  Lane<D> x[rows] = {((void)R, zero)...}, y[rows] = {((void)R, zero)...};
  const auto* a = j.a;
  const auto* b = j.b;
  for (std::size_t k = 0; k < j.k; ++k) {
    const Lane<D> b0 = {hn::Load(D(), b)}, b1 = {hn::Load(D(), b + lanes)};
    const auto add = [&](std::ptrdiff_t r, Lane<D>& x_r, Lane<D>& y_r) HWY_ATTR {
      const Lane<D> factor = {hn::Set(D(), a[r * j.a_row])};
      x_r = fused(factor, b0, x_r);
      y_r = fused(factor, b1, y_r);
    };
    (add(static_cast<std::ptrdiff_t>(R), x[R], y[R]), ...);
    a += j.a_k;
    b += 2 * lanes;
  }
  const auto finish = [&](Lane<D> sum, auto* c, const auto* start, auto at) HWY_ATTR {
    if (j.start != nullptr) sum = sum + read(start, at);
    write(sum, c, at);
  };
  const auto put = [&](std::ptrdiff_t r, Lane<D> x_r, Lane<D> y_r) HWY_ATTR {
    auto* c = j.c + r * j.c_row;
    const auto* start = j.start + r * j.start_row;
    if (HWY_LIKELY(j.columns == 2 * lanes)) {
      finish(x_r, c, start, Place<D, true>{0, lanes});
      finish(y_r, c, start, Place<D, true>{lanes, lanes});
      return;
    }
    finish(x_r, c, start, Place<D, false>{0, std::min(lanes, j.columns)});
    if (j.columns > lanes) finish(y_r, c, start, Place<D, false>{lanes, j.columns - lanes});
  };
  (put(static_cast<std::ptrdiff_t>(R), x[R], y[R]), ...);
}
template <class T, std::size_t rows>
HWY_ATTR void block(const Block<T>& j) {
  block_of<hn::ScalableTag<T>>(j, std::make_index_sequence<rows>());
}
template <class T, std::size_t... R>
HWY_INLINE void run_block(std::size_t rows, const Block<T>& j, std::index_sequence<R...>) {
  static constexpr void (*blocks[])(const Block<T>&) = {block<T, R + 1>...};
  blocks[rows - 1](j);
}

template <class T>
HWY_ATTR void multiply(const Product<T>& p, std::size_t first, std::size_t last) {
  const Packed<T>& b = *p.b;
  const std::size_t width = b.width();
  for (std::size_t k = 0; k < std::max<std::size_t>(b.rows(), 1); k += depth) {
    const std::size_t deep = std::min(depth, b.rows() - k);
    const T* const start = k == 0 ? p.start : p.c;
    const std::ptrdiff_t start_row = k == 0 ? p.start_stride : p.c_stride;
    for (std::size_t top = 0; top < p.m; top += tall) {
      const std::size_t end = std::min(p.m, top + tall);
      // Blocks of nearly the same height.
      const std::size_t blocks = (end - top + most_rows - 1) / most_rows, height = (end - top + blocks - 1) / blocks;
      for (std::size_t panel = first; panel < last; ++panel) {
        const std::size_t column = panel * width;
        for (std::size_t row = top; row < end; row += height) {
          const auto r = static_cast<std::ptrdiff_t>(row);
          const T* const from = start == nullptr ? nullptr : start + r * start_row + column;
          run_block<T>(
              std::min(height, end - row),
              {p.a.data + r * p.a.row_stride + static_cast<std::ptrdiff_t>(k) * p.a.column_stride, p.a.row_stride,
               p.a.column_stride, b.panel(panel) + k * width, deep, p.c + r * p.c_stride + column, p.c_stride, from,
               start_row, std::min(width, b.columns() - column)},
              std::make_index_sequence<most_rows>());
        }
      }
    }
  }
}

template <class T>
ProductTable<T> table() {
  return {2 * hn::Lanes(hn::ScalableTag<T>()), multiply<T>};
}

}  // namespace

ProductTable<float> float_products() { return table<float>(); }
ProductTable<double> double_products() { return table<double>(); }

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee {
HWY_EXPORT(float_products);
HWY_EXPORT(double_products);

namespace kernels::recurrent {
namespace {
template <class T>
ProductTable<T> products() {
  if constexpr (sizeof(T) == 4) {
    return HWY_DYNAMIC_DISPATCH(float_products)();
  } else {
    return HWY_DYNAMIC_DISPATCH(double_products)();
  }
}
}  // namespace

template <class T>
std::size_t Packed<T>::room(std::size_t rows, std::size_t columns) {
  const std::size_t width = products<T>().width;
  return rows * ((columns + width - 1) / width * width);
}

template <class T>
Packed<T>::Packed(T* memory, Matrix<T> m, std::size_t rows, std::size_t columns)
    : data_(memory), rows_(rows), columns_(columns), width_(products<T>().width) {
  T* out = memory;
  for (std::size_t left = 0; left < columns; left += width_, out += rows * width_) {
    const std::size_t count = std::min(width_, columns - left);
    const T* const from = m.data + static_cast<std::ptrdiff_t>(left) * m.column_stride;
    if (count < width_) std::fill_n(out, rows * width_, T{0});
    if (m.column_stride == 1) {
      for (std::size_t k = 0; k < rows; ++k) {
        std::copy_n(from + static_cast<std::ptrdiff_t>(k) * m.row_stride, count, out + k * width_);
      }
    } else {
      for (std::size_t j = 0; j < count; ++j) {
        const T* column = from + static_cast<std::ptrdiff_t>(j) * m.column_stride;
        for (std::size_t k = 0; k < rows; ++k)
          out[k * width_ + j] = column[static_cast<std::ptrdiff_t>(k) * m.row_stride];
      }
    }
  }
}

template <class T>
void multiply(const Product<T>& product, std::size_t first, std::size_t last) {
  products<T>().multiply(product, first, last);
}

template class Packed<float>;
template class Packed<double>;
template void multiply<float>(const Product<float>&, std::size_t, std::size_t);
template void multiply<double>(const Product<double>&, std::size_t, std::size_t);

}  // namespace kernels::recurrent
}  // namespace ogee
#endif
