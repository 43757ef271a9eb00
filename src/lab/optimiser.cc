#include "lab/optimiser.h"

#include <cmath>

namespace ogee::lab {

FlatAdam::FlatAdam(torch::nn::Module& network) {
  const torch::NoGradGuard no_gradients;
  std::vector<at::Tensor> flat;
  for (const at::Tensor& parameter : network.parameters()) flat.push_back(parameter.detach().reshape({-1}));
  values_ = torch::cat(flat);
  gradients_ = torch::zeros_like(values_);
  first_ = torch::zeros_like(values_);
  second_ = torch::zeros_like(values_);
  std::int64_t offset = 0;
  for (at::Tensor parameter : network.parameters()) {
    const auto size = parameter.numel();
    const auto shape = parameter.sizes().vec();
    parameter.set_data(values_.narrow(0, offset, size).view(shape));
    // Backward adds to a gradient that is there already, in place, so the views stay.
    parameter.mutable_grad() = gradients_.narrow(0, offset, size).view(shape);
    offset += size;
  }
}

void FlatAdam::step(double rate) {
  constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  const torch::NoGradGuard no_gradients;
  ++steps_;
  const auto t = static_cast<double>(steps_);
  const double correction1 = 1 - std::pow(beta1, t), correction2 = 1 - std::pow(beta2, t);
  first_.mul_(beta1).add_(gradients_, 1 - beta1);
  second_.mul_(beta2).addcmul_(gradients_, gradients_, 1 - beta2);
  // Both corrections folded into the rate and epsilon save two passes.
  const double scale = std::sqrt(correction2);
  values_.addcdiv_(first_, second_.sqrt().add_(epsilon * scale), -rate * scale / correction1);
}

}  // namespace ogee::lab
