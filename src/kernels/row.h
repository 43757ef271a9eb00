// The contract between the driver, which knows shapes, types and threads, and the SIMD kernels, which know one
// contiguous row of float or double.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ogee/spec.h"

namespace ogee::kernels {

// A value per element (step 1) or one for the whole row (step 0).
template <class T>
struct Operand {
  const T* data = nullptr;
  std::size_t step = 0;
};

// One row of n elements. Inputs, dy and outputs are contiguous; an output may be the same memory as an input of the
// same index.
template <class T>
struct Row {
  std::size_t n = 0;
  const T* input[max_inputs] = {};
  Operand<T> parameter[max_parameters];
  Operand<T> noise;

  T* y = nullptr;          // forward
  const T* dy = nullptr;   // backward, second
  T* dx[max_inputs] = {};  // backward: dy * dphi/dx; second: the gradient that flows into x
  // backward_all, second: what flows into each parameter. Step 0: the row's sum is added to *sum. Step 1: one value an
  // element is written to elements.
  double* sum[max_parameters] = {};
  T* elements[max_parameters] = {};

  // second: the directions, gradients of the loss with respect to dx (null: 0) and to the parameters' gradients.
  const T* ddx[max_inputs] = {};
  Operand<T> ddp[max_parameters];
  T* ddy = nullptr;  // second: the gradient that flows into dy
};

template <class T>
struct RowKernels {
  void (*forward)(const Row<T>&) = nullptr;
  void (*backward)(const Row<T>&) = nullptr;      // inputs only
  void (*backward_all)(const Row<T>&) = nullptr;  // inputs and parameters
  void (*second)(const Row<T>&) = nullptr;
};

// The kernels of one function: in training, and at evaluation where that is a formula of its own.
template <class T>
struct FunctionKernels {
  RowKernels<T> training;
  RowKernels<T> evaluation;  // null pointers: the training kernels with the noise's constant
};

// One family's kernels, in the order of its list in src/functions/.
template <class T>
struct KernelTable {
  const FunctionKernels<T>* functions;
  std::size_t size;
};

}  // namespace ogee::kernels
