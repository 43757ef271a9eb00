// The core's products with packed matrices, on tensors.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>

#include "kernels/dense/products.h"
#include "torch/call.h"

namespace ogee::torch_call::recurrent {

template <class T>
kernels::dense::Matrix<T> matrix_of(const at::Tensor& t) {
  return {static_cast<const T*>(t.data_ptr()), t.stride(0), t.stride(1)};
}
template <class T>
struct PackedTensor {
  at::Tensor memory;
  kernels::dense::Panels<T> matrix;
};
// Two dimensions, any strides.
template <class T>
PackedTensor<T> packed(const at::Tensor& t) {
  const auto rows = static_cast<std::size_t>(t.size(0)), columns = static_cast<std::size_t>(t.size(1));
  const std::size_t room = kernels::dense::Panels<T>::room(rows, columns);
  const at::Tensor memory = at::empty({static_cast<std::int64_t>(room)}, t.options());
  return {memory,
          kernels::dense::Panels<T>::packed(static_cast<T*>(memory.data_ptr()), matrix_of<T>(t), rows, columns)};
}

// Two dimensions, contiguous: not packed, but as it lies in memory.
template <class T>
PackedTensor<T> from_memory(const at::Tensor& t) {
  const auto rows = static_cast<std::size_t>(t.size(0)), columns = static_cast<std::size_t>(t.size(1));
  return {t, kernels::dense::Panels<T>::from_memory(static_cast<const T*>(t.data_ptr()), t.stride(0), rows, columns)};
}

// out = start + a*b. out's rows have no gaps; start is undefined, a row, or out itself.
template <class T>
void multiply_into(const at::Tensor& out, const at::Tensor& a, const PackedTensor<T>& packed_b,
                   const at::Tensor& start = {}) {
  const kernels::dense::Panels<T>& b = packed_b.matrix;
  TORCH_INTERNAL_ASSERT(out.stride(1) == 1 || out.size(1) <= 1);
  const at::Tensor row = start.defined() && start.dim() == 1 ? start.contiguous() : at::Tensor();
  kernels::dense::Product<T> product{static_cast<std::size_t>(out.size(0)),
                                     matrix_of<T>(a),
                                     &b,
                                     static_cast<T*>(out.data_ptr()),
                                     out.stride(0),
                                     nullptr,
                                     0};
  if (row.defined()) {
    product.start = static_cast<const T*>(row.data_ptr());
  } else if (start.defined()) {
    product.start = product.c;
    product.start_stride = product.c_stride;
  }
  const std::size_t panels = b.panels(), threads = static_cast<std::size_t>(at::get_num_threads());
  // Below this many multiplications threads cost more than they do.
  constexpr std::size_t few = 1 << 20;
  const std::size_t shares =
      product.m * b.rows() * b.columns() < few || at::in_parallel_region() ? 1 : std::min(threads, panels);
  if (shares <= 1) return kernels::dense::multiply(product, 0, panels);
  on_torch_threads()(shares, [&](std::size_t i) {
    kernels::dense::multiply(product, i * panels / shares, (i + 1) * panels / shares);
  });
}

// a*b, in memory of its own.
template <class T>
at::Tensor multiplied(const at::Tensor& a, const PackedTensor<T>& b) {
  at::Tensor out = at::empty({a.size(0), static_cast<std::int64_t>(b.matrix.columns())}, a.options());
  multiply_into(out, a, b);
  return out;
}

}  // namespace ogee::torch_call::recurrent
