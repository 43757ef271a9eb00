// A linear layer by the core's own products, for layers as large as a vocabulary's: Debian's OpenBLAS, which does not
// know every processor, takes six times as long for them on one that it does not know.
#pragma once

#include "ogee/libtorch.h"

namespace ogee::torch_call {

// at::linear(x, weight, bias): x [..., features], weight [units, features], bias [units] or undefined. float32 on the
// CPU takes the core's products, one node of the graph; all else is at::linear.
at::Tensor packed_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace ogee::torch_call
