// What the operators and modules use of one another, besides the public header.
#pragma once

#include <vector>

#include "ogee/torch.h"
#include "torch/call.h"

namespace ogee::torch_call {

// Through LibTorch's dispatcher: recorded by autograd, cast by autocast, traced, and run where the tensors are.
at::Tensor call_forward(const Request& request);
std::vector<at::Tensor> call_backward(const at::Tensor& dy, const Request& request, Wanted wanted);
std::vector<at::Tensor> call_second(const Second& directions, const Request& request);

// Draws the noise's key, if there is noise, and calls forward.
at::Tensor run_entry(const Entry& entry, const at::Tensor& a, const c10::optional<at::Tensor>& b,
                     at::TensorList parameters, at::IntArrayRef slots, at::ArrayRef<double> values,
                     std::int64_t channel_dim, Layout layout, std::int64_t gate_dim, bool training, bool composed);

// The key of a new stream of noise, from the current generator.
at::Tensor run_linear(const Entry& entry, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      at::TensorList parameters, at::IntArrayRef slots, at::ArrayRef<double> values,
                      const ApplyOptions& options);

at::Tensor draw_key(const at::Tensor& a);
// The generator that noise and random initial values come from on this thread.
at::Generator current_generator();

}  // namespace ogee::torch_call
