// Products of small matrices. A BLAS packs both factors at every call, and for matrices that the first-level cache
// holds that takes as long as the product. Here a factor is packed once and used often (a recurrent network multiplies
// few rows with the same weights at every time step), or not at all, where its rows have no gaps.
#pragma once

#include <cstddef>

namespace ogee::kernels::dense {

// Element (i, j) lies at data[i*row_stride + j*column_stride].
template <class T>
struct Matrix {
  const T* data;
  std::ptrdiff_t row_stride, column_stride;
  Matrix transposed() const { return {data, column_stride, row_stride}; }
};

// The second factor of a product: a matrix of `rows` x `columns` cut into panels of as many columns as two vectors
// hold. For the instruction set that was in use when it was made.
template <class T>
class Panels {
 public:
  // How many elements of memory packing takes, which must begin where 64 bytes do.
  static std::size_t room(std::size_t rows, std::size_t columns);
  // Panel by panel, padded with zeros, in memory that is somebody else's.
  static Panels packed(T* memory, Matrix<T> matrix, std::size_t rows, std::size_t columns);
  // As it lies: rows have no gaps between their elements.
  static Panels in_place(const T* data, std::ptrdiff_t row_stride, std::size_t rows, std::size_t columns);
  // Likewise, of a matrix that no cache holds: in a product a few of its rows go by at a time, each to its end, so that
  // the processor follows them, and the next ones are fetched ahead. Sums are then in another order.
  static Panels from_memory(const T* data, std::ptrdiff_t row_stride, std::size_t rows, std::size_t columns);

  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return columns_; }
  std::size_t width() const { return width_; }
  std::size_t panels() const { return (columns_ + width_ - 1) / width_; }
  const T* panel(std::size_t i) const { return data_ + static_cast<std::ptrdiff_t>(i) * panel_stride_; }
  std::ptrdiff_t row_stride() const { return row_stride_; }
  bool padded() const { return padded_; }
  bool is_from_memory() const { return from_memory_; }

 private:
  Panels(const T* data, std::size_t rows, std::size_t columns, std::size_t width)
      : data_(data), rows_(rows), columns_(columns), width_(width) {}

  const T* data_;
  std::size_t rows_, columns_, width_;
  std::ptrdiff_t row_stride_ = 0, panel_stride_ = 0;
  bool padded_ = false, from_memory_ = false;
};

// c = start + a*b, of m rows. start may be c itself, a row (stride 0), or null for zeros; rows of c and start have no
// gaps between their elements.
template <class T>
struct Product {
  std::size_t m;
  Matrix<T> a;  // m x b.rows()
  const Panels<T>* b;
  T* c;
  std::ptrdiff_t c_stride;
  const T* start;
  std::ptrdiff_t start_stride;
};
// Panels [first, last) of the result. An element's sum is in the same order however the panels are shared out, and on
// every instruction set with fused multiply-adds.
template <class T>
void multiply(const Product<T>& product, std::size_t first, std::size_t last);
template <class T>
void multiply(const Product<T>& product) {
  multiply(product, 0, product.b->panels());
}

}  // namespace ogee::kernels::dense
