// The contract between the driver of attention (step.h) and the SIMD kernels, which know the rows of one example: its
// places, one below the other without gaps.
#pragma once

#include <cstddef>

namespace ogee::kernels::attention {

// For one instruction set and type.
template <class T>
struct RowTable {
  // z[t][j] = x[t][j] + row[j].
  void (*add_row)(std::size_t rows, std::size_t units, const T* x, const T* row, T* z);
  // out[t] = the sum over j of x[t][j]*row[j].
  void (*dots)(std::size_t rows, std::size_t units, const T* x, const T* row, T* out);
  // out[j] += the sum over t of weight[t]*x[t][j].
  void (*add_weighted)(std::size_t rows, std::size_t units, const T* weight, const T* x, T* out);
  // by_value[t][j] = weight[t]*row[j]; d = by_value*slope is added to every row of dx, unless null, and to sum[j].
  // by_value may be slope.
  void (*spread)(std::size_t rows, std::size_t units, const T* weight, const T* row, const T* slope, T* by_value, T* dx,
                 T* sum);
};

template <class T>
const RowTable<T>& table();

}  // namespace ogee::kernels::attention
