// What the modules use of the operators, besides the public header.
#pragma once

#include <vector>

#include "ogee/torch.h"
#include "torch/call.h"

namespace ogee::torch_call {

// Through LibTorch's dispatcher: recorded by autograd, cast by autocast, traced, and run where the tensors are.
at::Tensor call_forward(const Request& request);
std::vector<at::Tensor> call_backward(const at::Tensor& dy, const Request& request, bool want_parameters);
std::vector<at::Tensor> call_second(const Second& directions, const Request& request);

// The generator that noise and random initial values come from on this thread.
at::Generator current_generator();

}  // namespace ogee::torch_call
