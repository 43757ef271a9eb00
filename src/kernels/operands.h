// A call's arrays: how they lie, which of them are staged, and whether results are written past the caches.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "kernels/driver.h"
#include "kernels/staging.h"

namespace ogee::kernels {

inline constexpr std::size_t short_row = 64;  // rows below this are gathered rather than run one by one

// Which array of the call an operand is, in this order.
enum Operands : std::size_t {
  input_0,
  input_1,
  dy_in,
  ddx_0,
  ddx_1,  // read
  y_out,
  dx_0,
  dx_1,
  ddy_out,  // written
  operand_count
};

struct Shape {
  std::size_t rows, length;
};

struct Array {
  const void* data = nullptr;
  std::ptrdiff_t row_stride = 0, step = 1;
  bool staged = false;
};

class OperandArrays {
 public:
  // own: the size of the arithmetic's type
  OperandArrays(Pass pass, const Spec& spec, const Call& call, std::size_t own);

  const Array& operator[](std::size_t which) const { return arrays_[which]; }
  const Shape& shape() const { return shape_; }
  bool any_staged() const { return any_staged_; }
  bool cut_at_rows() const { return cut_at_rows_; }
  bool contiguous() const;

  // Whether results, none of them staged, are written past the caches: whole vectors, aligned for all alike.
  bool stream(std::size_t own, std::size_t width) const;
  // The same for results of a 16-bit type, which the conversion writes.
  bool stream_narrow() const;

  const char* address(const Array& a, std::size_t i) const {
    const std::size_t r = i / shape_.length, j = i % shape_.length;
    const std::ptrdiff_t offset =
        static_cast<std::ptrdiff_t>(r) * a.row_stride + static_cast<std::ptrdiff_t>(j) * a.step;
    return static_cast<const char*>(a.data) + offset * static_cast<std::ptrdiff_t>(size_of(type_));
  }

  // Calls piece(address, offset in the block, count) for each stretch of a block within one row.
  template <class Piece>
  void for_pieces(const Array& a, std::size_t begin, std::size_t n, Piece piece) const {
    if (shape_.rows == 1) {  // spared the divisions
      const auto offset = static_cast<std::ptrdiff_t>(begin) * a.step * static_cast<std::ptrdiff_t>(size_of(type_));
      return piece(static_cast<const char*>(a.data) + offset, 0, n);
    }
    std::size_t done = 0;
    while (done < n) {
      const std::size_t left = shape_.length - (begin + done) % shape_.length;
      const std::size_t count = std::min(left, n - done);
      piece(address(a, begin + done), done, count);
      done += count;
    }
  }

 private:
  template <class Pointer>
  void add(std::size_t which, const Strided<Pointer>& s) {
    if (s.data == nullptr) return;
    arrays_[which] = {s.data, s.row_stride, s.step, false};
  }

  Type type_;
  Shape shape_;
  bool any_staged_ = false, cut_at_rows_ = false;
  std::array<Array, operand_count> arrays_;
};

}  // namespace ogee::kernels
