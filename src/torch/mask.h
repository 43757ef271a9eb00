// Keeping one bit an element for backward, where the slope takes two values only.
#pragma once

#include <optional>

#include "torch/call.h"

namespace ogee::torch_call {

// The slopes of every element, told apart by a bit. In the order of memory; x was dense.
struct SlopeMask {
  at::Tensor bits;  // uint8
  double low = 0, high = 0;
  // Shape, strides and type of x.
  at::Tensor like;  // on the meta device
};

// Of the Request's function at its input; nothing where there are more than two slopes, a NaN, parameters along a
// dimension, noise, two inputs, or memory with gaps, or off the CPU.
std::optional<SlopeMask> mask_of(const Request& request);

// phi as an entry of autograd's graph that keeps the mask alone: y is the result computed without autograd.
void attach_mask(SlopeMask mask, const at::Tensor& x, at::Tensor& y);

// phi(x) into x's memory, keeping a mask where a gradient is wanted; throws where none is possible.
at::Tensor& apply_in_place(const Request& request, at::Tensor& x);

}  // namespace ogee::torch_call
