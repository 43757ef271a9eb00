// The contract between the driver, which knows shapes, types and threads, and the SIMD kernels, which know one
// contiguous row of float or double.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ogee/spec.h"

namespace ogee::kernels {

// A value per element, or, where data is null, one for the whole row.
template <class T>
struct Operand {
  const T* data;
  double value;
};

// One row of elements. Inputs, dy and outputs are contiguous; an output may be the same memory as an input of the same
// index.
template <class T>
struct Row {  // nothing has a default: `Row<T> row{}` clears it, a small call sets only what its kernel reads
  const T* input[max_inputs];
  Operand<T> parameter[max_parameters];
  Operand<T> noise;

  T* y;               // forward
  const T* dy;        // backward, second
  T* dx[max_inputs];  // backward: dy * dphi/dx; second: the gradient that flows into x
  // backward_all, backward_learned, second: what flows into each parameter. The row's sum is added to *sum, or, where
  // elements is not null, one value an element is written there. backward_learned serves the learned ones alone.
  double* sum[max_parameters];
  T* elements[max_parameters];

  // second: the directions, gradients of the loss with respect to dx (null: 0) and to the parameters' gradients.
  const T* ddx[max_inputs];
  Operand<T> ddp[max_parameters];
  T* ddy;  // second: the gradient that flows into dy

  // Forward, backward: write past the caches. Outputs must be aligned to vectors; a fence is the caller's to set.
  bool stream;
};

// A kernel over the first n elements of a row, n a multiple of the table's width (run_row serves any n).
template <class T>
using Kernel = void (*)(const Row<T>& row, std::size_t n);

// The same over bfloat16, arithmetic in float, n a multiple of twice the table's width, a parameter one value for the
// row; false where it does not serve these values, and nothing was done.
using Bfloat16Kernel = bool (*)(const Row<std::uint16_t>& row, std::size_t n);

template <class T>
struct RowKernels {
  Kernel<T> forward = nullptr;
  Kernel<T> backward = nullptr;      // inputs only
  Kernel<T> backward_all = nullptr;  // inputs and parameters
  Kernel<T> second = nullptr;
  Kernel<T> backward_learned = nullptr;  // inputs and learned parameters; null where that is all or nothing
  Bfloat16Kernel forward_bfloat16 = nullptr, backward_bfloat16 = nullptr;  // of float's; may be null
};

// The kernels of one function: in training, and at evaluation where that is a formula of its own.
template <class T>
struct ModeKernels {
  RowKernels<T> training;
  RowKernels<T> evaluation;  // null pointers: the training kernels with the noise's constant
};

// Within the contract's error, and in T's own arithmetic; the same where that is exact enough.
template <class T>
struct FunctionKernels {
  ModeKernels<T> exact, fast;
};

// One family's kernels, in the order of its list in src/functions/.
template <class T>
struct KernelTable {
  const FunctionKernels<T>* functions;
  std::size_t size;
  std::size_t width;  // elements a step
};

}  // namespace ogee::kernels
