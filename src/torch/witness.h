// Seeing what goes into nn::Activation modules, on one thread.
#pragma once

#include <functional>

#include "ogee/torch.h"

namespace ogee::torch_call {

// Told of the one tensor that an activation is about to be applied to (of gated ones, of packed inputs); returns what
// is to take its place, as a rule the same. Not told where a gated activation gets two tensors.
using ActivationWitness = std::function<at::Tensor(const nn::ActivationImpl& unit, const at::Tensor& x)>;

class ActivationWitnessGuard {
 public:
  explicit ActivationWitnessGuard(const ActivationWitness& witness);
  ~ActivationWitnessGuard();
  ActivationWitnessGuard(const ActivationWitnessGuard&) = delete;
  ActivationWitnessGuard& operator=(const ActivationWitnessGuard&) = delete;

 private:
  const ActivationWitness* previous_;
};

}  // namespace ogee::torch_call
