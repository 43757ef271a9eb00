// What autograd finds behind the general operators.
#pragma once

#include <vector>

#include "torch/call.h"

namespace ogee::torch_call {

at::Tensor autograd_forward(const Request& request);
std::vector<at::Tensor> autograd_backward(const at::Tensor& dy, const Request& request, Wanted wanted);
std::vector<at::Tensor> autograd_second(const Second& directions, const Request& request);

// Whether autograd has anything to do, in either mode.
bool is_recorded(const Request& request);
bool is_recorded(const at::Tensor& dy, const Request& request);
// Whether forward mode is at work on it.
bool has_tangent(const at::Tensor& tensor);

}  // namespace ogee::torch_call
