// Hearing what a linear layer and its activation made from the one node that runs both (ogee::apply_linear): without
// LibTorch's callbacks, for which the two would have to be taken apart, and which cost something for every operator.
#pragma once

#include <memory>

#include "torch/call.h"

namespace ogee::torch_call {

// A forward pass: y = f(z), z = x weight^T + bias.
struct LinearHeard {
  const Request& request;  // of f: its input is z
  const at::Tensor& weight;
  const at::Tensor& y;
};

// Called on whatever thread the node runs.
struct Listener {
  // What it returns, if anything, goes with the node to `gradients`.
  std::shared_ptr<void> (*applied)(const LinearHeard& heard);
  // The loss's gradients by y and by z.
  void (*gradients)(const std::shared_ptr<void>& of, const at::Tensor& dy, const at::Tensor& dz);
  // The two run apart, as somebody looks at operators: nothing else was in the way of one node.
  void (*apart)();
};

// One in a process; nullptr: nobody. It must stay alive.
void listen(const Listener* listener);
const Listener* listening();

}  // namespace ogee::torch_call
