// A block of rows times a panel of two vectors' width stays in registers while k runs; a panel's stretch of 256 rows
// stays in the first-level cache while the rows of the other factor, 96 at a time, go by. Where that stretch comes from
// memory, it is of 16 rows, each read from end to end before the next ones are, and all sums are fetched as often.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dense/products.cc"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <utility>

#include "kernels/dense/products.h"
#include "kernels/recurrent/vectors-inl.h"

#ifndef OGEE_DENSE_PRODUCTS_TABLE
#define OGEE_DENSE_PRODUCTS_TABLE
namespace ogee::kernels::dense {
template <class T>
struct ProductTable {
  std::size_t width;
  void (*multiply)(const Product<T>&, std::size_t, std::size_t);
  // `count` rows of `from`, each of `size` elements without gaps, as columns of `out`, whose rows have `width`
  // elements.
  void (*transpose)(const T* from, std::ptrdiff_t from_row, std::size_t count, std::size_t size, T* out,
                    std::size_t width);
};
}  // namespace ogee::kernels::dense
#endif

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {
namespace {

using kernels::dense::Panels;
using kernels::dense::Product;
using kernels::dense::ProductTable;

// As many sums as the registers hold beside a panel's row and a factor.
#if HWY_TARGET == HWY_AVX2
constexpr std::size_t most_rows = 6;
#else
constexpr std::size_t most_rows = 12;
#endif
constexpr std::size_t depth = 256, streams = 16, tall = 96;

// One block: rows of a from `a` on, a panel's rows from `b` on, `k` of them.
template <class T>
struct Block {
  const T* a;
  std::ptrdiff_t a_row, a_k;
  const T* b;
  std::ptrdiff_t b_row;
  std::size_t k;
  T* c;
  std::ptrdiff_t c_row;
  const T* start;
  std::ptrdiff_t start_row;
  std::size_t columns;  // of the panel that exist
  const T* ahead;       // what to fetch: as many rows of the panel as there are, or null
};

// Unrolled by hand (GCC's -O2 would not): everything stays in registers. whole: a row of b may be read to a panel's
// end.
template <class D, bool whole, std::size_t... R>
HWY_INLINE void block_of(const Block<hn::TFromD<D>>& j, std::index_sequence<R...>) {
  constexpr std::size_t rows = sizeof...(R);
  const std::size_t lanes = hn::Lanes(D());
  const Lane<D> zero = Lane<D>::constant(0.0);
  Lane<D> x[rows] = {((void)R, zero)...}, y[rows] = {((void)R, zero)...};
  const auto* a = j.a;
  const auto* b = j.b;
  const std::size_t in_first = std::min(lanes, j.columns), in_second = j.columns - in_first;
  if (j.ahead != nullptr) {
    const auto* next = j.ahead;
    for (std::size_t k = 0; k < j.k; ++k, next += j.b_row) {
      hwy::Prefetch(next);
      hwy::Prefetch(next + lanes);
    }
  }
  for (std::size_t k = 0; k < j.k; ++k) {
    const Lane<D> b0 = read(b, Place<D, whole>{0, in_first}), b1 = read(b, Place<D, whole>{lanes, in_second});
    const auto add = [&](std::ptrdiff_t r, Lane<D>& x_r, Lane<D>& y_r) HWY_ATTR {
      const Lane<D> factor = {hn::Set(D(), a[r * j.a_row])};
      x_r = fused(factor, b0, x_r);
      y_r = fused(factor, b1, y_r);
    };
    (add(static_cast<std::ptrdiff_t>(R), x[R], y[R]), ...);
    a += j.a_k;
    b += j.b_row;
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
template <class T, bool whole, std::size_t rows>
HWY_ATTR void block(const Block<T>& j) {
  block_of<hn::ScalableTag<T>, whole>(j, std::make_index_sequence<rows>());
}
template <class T, std::size_t... R>
HWY_INLINE void run_block(std::size_t rows, bool whole, const Block<T>& j, std::index_sequence<R...>) {
  static constexpr void (*blocks[2][sizeof...(R)])(const Block<T>&) = {{block<T, false, R + 1>...},
                                                                       {block<T, true, R + 1>...}};
  blocks[whole ? 1 : 0][rows - 1](j);
}

template <class T>
HWY_ATTR void multiply(const Product<T>& p, std::size_t first, std::size_t last) {
  const Panels<T>& b = *p.b;
  const std::size_t width = b.width(), step = b.is_from_memory() ? streams : depth;
  for (std::size_t k = 0; k < std::max<std::size_t>(b.rows(), 1); k += step) {
    const std::size_t deep = std::min(step, b.rows() - k);
    const bool fetching = b.is_from_memory() && k + step + deep <= b.rows();
    const T* const start = k == 0 ? p.start : p.c;
    const std::ptrdiff_t start_row = k == 0 ? p.start_stride : p.c_stride;
    for (std::size_t top = 0; top < p.m; top += tall) {
      const std::size_t end = std::min(p.m, top + tall);
      // Blocks of nearly the same height.
      const std::size_t blocks = (end - top + most_rows - 1) / most_rows, height = (end - top + blocks - 1) / blocks;
      for (std::size_t panel = first; panel < last; ++panel) {
        const std::size_t column = panel * width, columns = std::min(width, b.columns() - column);
        const bool whole = b.padded() || columns == width;
        for (std::size_t row = top; row < end; row += height) {
          const auto r = static_cast<std::ptrdiff_t>(row);
          const T* const from = start == nullptr ? nullptr : start + r * start_row + column;
          const auto k_now = static_cast<std::ptrdiff_t>(k);
          const T* const rows = b.panel(panel) + k_now * b.row_stride();
          const T* const next =
              fetching && row == top ? rows + static_cast<std::ptrdiff_t>(step) * b.row_stride() : nullptr;
          run_block<T>(
              std::min(height, end - row), whole,
              {p.a.data + r * p.a.row_stride + k_now * p.a.column_stride, p.a.row_stride, p.a.column_stride, rows,
               b.row_stride(), deep, p.c + r * p.c_stride + column, p.c_stride, from, start_row, columns, next},
              std::make_index_sequence<most_rows>());
        }
      }
    }
  }
}

#if HWY_TARGET != HWY_SCALAR
// A vector's blocks of 128 bits, each from a row of its own: block i from `row` + i*step.
template <class D>
HWY_INLINE hn::Vec<D> blocks_of_rows(D d, const hn::TFromD<D>* row, std::ptrdiff_t step) {
  constexpr std::size_t in_block = 16 / sizeof(hn::TFromD<D>);
  auto v = hn::LoadDup128(d, row);
  if constexpr (hn::MaxLanes(D()) > in_block) {
    v = hn::IfThenElse(hn::FirstN(d, in_block), v, hn::LoadDup128(d, row + step));
  }
  if constexpr (hn::MaxLanes(D()) > 2 * in_block) {
    v = hn::IfThenElse(hn::FirstN(d, 2 * in_block), v, hn::LoadDup128(d, row + 2 * step));
    v = hn::IfThenElse(hn::FirstN(d, 3 * in_block), v, hn::LoadDup128(d, row + 3 * step));
  }
  return v;
}
// As many columns as a block has elements, of as many rows as a vector has.
template <class D>
HWY_INLINE void transpose_strip(D d, const float* from, std::ptrdiff_t row, float* out, std::size_t width) {
  const hn::Repartition<double, D> pairs;
  const auto r0 = blocks_of_rows(d, from, 4 * row), r1 = blocks_of_rows(d, from + row, 4 * row);
  const auto r2 = blocks_of_rows(d, from + 2 * row, 4 * row), r3 = blocks_of_rows(d, from + 3 * row, 4 * row);
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, r0, r1)),
             low23 = hn::BitCast(pairs, hn::InterleaveLower(d, r2, r3)),
             high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, r0, r1)),
             high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, r2, r3));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23)), d, out);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23)), d, out + width);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23)), d, out + 2 * width);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23)), d, out + 3 * width);
}
template <class D>
HWY_INLINE void transpose_strip(D d, const double* from, std::ptrdiff_t row, double* out, std::size_t width) {
  const auto r0 = blocks_of_rows(d, from, 2 * row), r1 = blocks_of_rows(d, from + row, 2 * row);
  hn::StoreU(hn::InterleaveLower(d, r0, r1), d, out);
  hn::StoreU(hn::InterleaveUpper(d, r0, r1), d, out + width);
}
#endif
template <class T>
HWY_ATTR void transpose(const T* from, std::ptrdiff_t row, std::size_t count, std::size_t size, T* out,
                        std::size_t width) {
  std::size_t done = 0;  // rows of `from`
#if HWY_TARGET != HWY_SCALAR
  constexpr std::size_t strip = 16 / sizeof(T);
  const std::size_t strips = size / strip * strip;
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  for (; done + lanes <= count; done += lanes) {
    const T* const rows = from + static_cast<std::ptrdiff_t>(done) * row;
    for (std::size_t k = 0; k < strips; k += strip) transpose_strip(d, rows + k, row, out + k * width + done, width);
    for (std::size_t k = strips; k < size; ++k)
      for (std::size_t j = 0; j < lanes; ++j)
        out[k * width + done + j] = rows[static_cast<std::ptrdiff_t>(j) * row + static_cast<std::ptrdiff_t>(k)];
  }
#endif
  for (; done < count; ++done) {
    const T* const one = from + static_cast<std::ptrdiff_t>(done) * row;
    for (std::size_t k = 0; k < size; ++k) out[k * width + done] = one[k];
  }
}

template <class T>
ProductTable<T> table() {
  return {2 * hn::Lanes(hn::ScalableTag<T>()), multiply<T>, transpose<T>};
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

namespace kernels::dense {
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
std::size_t Panels<T>::room(std::size_t rows, std::size_t columns) {
  const std::size_t width = products<T>().width;
  return rows * ((columns + width - 1) / width * width);
}

template <class T>
Panels<T> Panels<T>::packed(T* memory, Matrix<T> m, std::size_t rows, std::size_t columns) {
  const ProductTable<T> kernels = products<T>();
  const std::size_t width = kernels.width;
  Panels panels(memory, rows, columns, width);
  panels.row_stride_ = static_cast<std::ptrdiff_t>(width);
  panels.panel_stride_ = static_cast<std::ptrdiff_t>(rows * width);
  panels.padded_ = true;
  T* out = memory;
  for (std::size_t left = 0; left < columns; left += width, out += rows * width) {
    const std::size_t count = std::min(width, columns - left);
    const T* const from = m.data + static_cast<std::ptrdiff_t>(left) * m.column_stride;
    if (count < width) std::fill_n(out, rows * width, T{0});
    if (m.column_stride == 1) {
      for (std::size_t k = 0; k < rows; ++k)
        std::copy_n(from + static_cast<std::ptrdiff_t>(k) * m.row_stride, count, out + k * width);
      continue;
    }
    if (m.row_stride == 1) {
      kernels.transpose(from, m.column_stride, count, rows, out, width);
      continue;
    }
    for (std::size_t k = 0; k < rows; ++k) {
      const T* const row = from + static_cast<std::ptrdiff_t>(k) * m.row_stride;
      for (std::size_t j = 0; j < count; ++j)
        out[k * width + j] = row[static_cast<std::ptrdiff_t>(j) * m.column_stride];
    }
  }
  return panels;
}

template <class T>
Panels<T> Panels<T>::in_place(const T* data, std::ptrdiff_t row_stride, std::size_t rows, std::size_t columns) {
  Panels panels(data, rows, columns, products<T>().width);
  panels.row_stride_ = row_stride;
  panels.panel_stride_ = static_cast<std::ptrdiff_t>(panels.width_);
  return panels;
}

template <class T>
Panels<T> Panels<T>::from_memory(const T* data, std::ptrdiff_t row_stride, std::size_t rows, std::size_t columns) {
  Panels panels = in_place(data, row_stride, rows, columns);
  panels.from_memory_ = true;
  return panels;
}

template <class T>
void multiply(const Product<T>& product, std::size_t first, std::size_t last) {
  products<T>().multiply(product, first, last);
}

template class Panels<float>;
template class Panels<double>;
template void multiply<float>(const Product<float>&, std::size_t, std::size_t);
template void multiply<double>(const Product<double>&, std::size_t, std::size_t);

}  // namespace kernels::dense
}  // namespace ogee
#endif
