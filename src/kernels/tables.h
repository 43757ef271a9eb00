// The families' kernel tables, one function per family and type (dispatch.cc.in).
#pragma once

#include "kernels/row.h"

namespace ogee::kernels {

#define OGEE_DECLARE(family)                 \
  KernelTable<float> family##_float_table(); \
  KernelTable<double> family##_double_table();
OGEE_DECLARE(rectified)
OGEE_DECLARE(exponential)
OGEE_DECLARE(smooth)
OGEE_DECLARE(learned)
OGEE_DECLARE(gated)
OGEE_DECLARE(channel)
OGEE_DECLARE(noisy)
#undef OGEE_DECLARE

template <class T>
KernelTable<T> table(std::size_t family);
template <>
inline KernelTable<float> table<float>(std::size_t family) {
  constexpr KernelTable<float> (*tables[])() = {rectified_float_table, exponential_float_table, smooth_float_table,
                                                learned_float_table,   gated_float_table,       channel_float_table,
                                                noisy_float_table};
  return tables[family]();
}
template <>
inline KernelTable<double> table<double>(std::size_t family) {
  constexpr KernelTable<double> (*tables[])() = {rectified_double_table, exponential_double_table, smooth_double_table,
                                                 learned_double_table,   gated_double_table,       channel_double_table,
                                                 noisy_double_table};
  return tables[family]();
}

}  // namespace ogee::kernels
