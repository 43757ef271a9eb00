// Products of matrices with a factor that is packed once and used often: a recurrent network multiplies few rows with
// the same weights at every time step, where a BLAS that must pack them each time spends most of its time on that.
#pragma once

#include <cstddef>

namespace ogee::kernels::recurrent {

// Element (i, j) lies at data[i*row_stride + j*column_stride].
template <class T>
struct Matrix {
  const T* data;
  std::ptrdiff_t row_stride, column_stride;
  Matrix transposed() const { return {data, column_stride, row_stride}; }
};

// A matrix of `rows` x `columns` cut into panels of as many columns as two vectors hold, padded with zeros; each panel
// row by row. For the instruction set that was in use when it was made, in memory that is somebody else's.
template <class T>
class Packed {
 public:
  // How many elements of memory it takes, which must begin where 64 bytes do.
  static std::size_t room(std::size_t rows, std::size_t columns);
  Packed(T* memory, Matrix<T> matrix, std::size_t rows, std::size_t columns);
  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return columns_; }
  std::size_t width() const { return width_; }
  std::size_t panels() const { return (columns_ + width_ - 1) / width_; }
  const T* panel(std::size_t i) const { return data_ + i * rows_ * width_; }

 private:
  const T* data_;
  std::size_t rows_, columns_, width_;
};

// c = start + a*b, of m rows. start may be c itself, a row (stride 0), or null for zeros; rows of c and start have no
// gaps between their elements.
template <class T>
struct Product {
  std::size_t m;
  Matrix<T> a;  // m x b.rows()
  const Packed<T>* b;
  T* c;
  std::ptrdiff_t c_stride;
  const T* start;
  std::ptrdiff_t start_stride;
};
// Panels [first, last) of the result. An element's sum is in the same order however the panels are shared out.
template <class T>
void multiply(const Product<T>& product, std::size_t first, std::size_t last);

}  // namespace ogee::kernels::recurrent
