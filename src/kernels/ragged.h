// Rows of any length through kernels that take whole vectors.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "kernels/row.h"

namespace ogee::kernels {

inline constexpr std::size_t most_width = 64;

// At most `width` elements from `begin` on: copied to whole vectors, the missing elements as copies of the first, so
// that no lane computes on memory that is not there.
//
// Missing elements must not be summed. What flows back through them is 0, and so is their share in a parameter's
// gradient, as long as the derivative is finite. Where it is not, the kernel runs once more, giving one share an
// element.
template <class T>
class Few {
 public:
  Few(Kernel<T> kernel, const Row<T>& row, std::size_t begin, std::size_t n, std::size_t width)
      : kernel_(kernel), row_(row), few_(row), begin_(begin), n_(n), width_(width) {
    few_.stream = false;
    for (std::size_t k = 0; k < max_inputs; ++k) {
      few_.input[k] = take(row.input[k]);
      few_.ddx[k] = take(row.ddx[k]);
      few_.dx[k] = give(row.dx[k]);
    }
    for (std::size_t k = 0; k < max_parameters; ++k) {
      few_.parameter[k].data = take(row.parameter[k].data);
      few_.ddp[k].data = take(row.ddp[k].data);
      few_.elements[k] = give(row.elements[k]);
      if (row.elements[k] == nullptr && row.sum[k] != nullptr) summed_[summing_++] = k;
    }
    few_.noise.data = take(row.noise.data);
    few_.dy = take(row.dy, summing_ > 0);
    few_.y = give(row.y);
    few_.ddy = give(row.ddy);
  }

  void run() {
    double sum[max_parameters] = {};
    for (std::size_t s = 0; s < summing_; ++s) few_.sum[summed_[s]] = &sum[s];
    kernel_(few_, width_);
    for (std::size_t r = 0; r < results_; ++r) std::copy_n(result_[r].from, n_, result_[r].to);
    const bool finite = std::all_of(sum, sum + summing_, [](double s) { return std::isfinite(s); });
    if (!finite) sum_elements(sum);
    for (std::size_t s = 0; s < summing_; ++s) *row_.sum[summed_[s]] += sum[s];
  }

 private:
  static constexpr std::size_t arrays = 4 * max_inputs + 4 * max_parameters + 4;
  struct Result {
    T* from;
    T* to;
  };

  const T* take(const T* from, bool without_flow = false) {
    if (from == nullptr) return nullptr;
    T* to = buffer_[used_++];
    std::copy_n(from + begin_, n_, to);
    std::fill(to + n_, to + width_, without_flow ? T(0) : to[0]);
    return to;
  }
  T* give(T* to) {
    if (to == nullptr) return nullptr;
    T* from = buffer_[used_++];
    result_[results_++] = {from, to + begin_};
    return from;
  }
  void sum_elements(double* sum) {
    for (std::size_t s = 0; s < summing_; ++s) few_.elements[summed_[s]] = buffer_[used_++];
    kernel_(few_, width_);
    for (std::size_t s = 0; s < summing_; ++s) {
      sum[s] = 0;
      for (std::size_t j = 0; j < n_; ++j) sum[s] += static_cast<double>(few_.elements[summed_[s]][j]);
    }
  }

  Kernel<T> kernel_;
  const Row<T>& row_;
  Row<T> few_;
  std::size_t begin_, n_, width_;
  std::size_t used_ = 0, results_ = 0, summing_ = 0;
  Result result_[arrays];
  std::size_t summed_[max_parameters];
  alignas(64) T buffer_[arrays][most_width];
};
template <class T>
void run_few(Kernel<T> kernel, const Row<T>& row, std::size_t begin, std::size_t n, std::size_t width) {
  Few<T>(kernel, row, begin, n, width).run();
}

// The same row from element `begin` on.
template <class T>
Row<T> from(const Row<T>& row, std::size_t begin) {
  Row<T> rest = row;
  const auto move = [begin](auto*& p) {
    if (p != nullptr) p += begin;
  };
  for (std::size_t k = 0; k < max_inputs; ++k) {
    move(rest.input[k]);
    move(rest.ddx[k]);
    move(rest.dx[k]);
  }
  for (std::size_t k = 0; k < max_parameters; ++k) {
    move(rest.parameter[k].data);
    move(rest.ddp[k].data);
    move(rest.elements[k]);
  }
  move(rest.noise.data);
  move(rest.dy);
  move(rest.y);
  move(rest.ddy);
  return rest;
}

// Any number of elements. Where the row streams, `ahead` elements come first, after which its outputs are aligned.
template <class T>
void run_row(Kernel<T> kernel, const Row<T>& row, std::size_t n, std::size_t width, std::size_t ahead = 0) {
  if (ahead > 0) {
    run_few(kernel, row, 0, ahead, width);
    return run_row(kernel, from(row, ahead), n - ahead, width);
  }
  const std::size_t whole = n - n % width;
  if (whole > 0) kernel(row, whole);
  if (whole < n) run_few(kernel, row, whole, n - whole, width);
}

}  // namespace ogee::kernels
