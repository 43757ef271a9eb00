// Rows of any length through kernels that take whole vectors.
#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/row.h"

namespace ogee::kernels {

inline constexpr std::size_t most_width = 64;

// At most `width` elements from `begin` on: copied to whole vectors, the missing elements as copies of the first, so
// that no lane computes on memory that is not there.
template <class T>
void run_few(Kernel<T> kernel, const Row<T>& row, std::size_t begin, std::size_t n, std::size_t width) {
  constexpr std::size_t arrays = 4 * max_inputs + 3 * max_parameters + 4;
  alignas(64) T buffer[arrays][most_width];
  std::size_t used = 0;
  Row<T> few = row;
  few.stream = false;
  const auto take = [&](const T* from) -> const T* {
    if (from == nullptr) return nullptr;
    T* to = buffer[used++];
    for (std::size_t j = 0; j < width; ++j) to[j] = from[begin + (j < n ? j : 0)];
    return to;
  };
  struct Result {
    T* from;
    T* to;
  };
  Result results[arrays];
  std::size_t count = 0;
  const auto give = [&](T* to) -> T* {
    if (to == nullptr) return nullptr;
    T* from = buffer[used++];
    results[count++] = {from, to + begin};
    return from;
  };
  struct Sum {
    const T* from;
    double* to;
  };
  Sum sums[max_parameters];
  std::size_t summed = 0;
  for (std::size_t k = 0; k < max_inputs; ++k) {
    few.input[k] = take(row.input[k]);
    few.ddx[k] = take(row.ddx[k]);
    few.dx[k] = give(row.dx[k]);
  }
  for (std::size_t k = 0; k < max_parameters; ++k) {
    few.parameter[k].data = take(row.parameter[k].data);
    few.ddp[k].data = take(row.ddp[k].data);
    few.elements[k] = give(row.elements[k]);
    if (row.elements[k] == nullptr && row.sum[k] != nullptr) {  // only the elements that exist may be summed
      few.elements[k] = buffer[used++];
      sums[summed++] = {few.elements[k], row.sum[k]};
    }
  }
  few.noise.data = take(row.noise.data);
  few.dy = take(row.dy);
  few.y = give(row.y);
  few.ddy = give(row.ddy);
  kernel(few, width);
  for (std::size_t r = 0; r < count; ++r) std::copy_n(results[r].from, n, results[r].to);
  for (std::size_t k = 0; k < summed; ++k) {
    for (std::size_t j = 0; j < n; ++j) *sums[k].to += static_cast<double>(sums[k].from[j]);
  }
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
