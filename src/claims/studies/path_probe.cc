#include "claims/studies/path_probe.h"

#include <cmath>

#include "ogee/libtorch.h"
#include "claims/studies/common.h"

namespace ogee::claims {

at::Tensor sign_agreement(const at::Tensor& rows) {
  const at::Tensor positive = rows.gt(0).sum(-1).to(torch::kDouble), negative = rows.lt(0).sum(-1).to(torch::kDouble);
  const at::Tensor all = positive + negative;
  return at::maximum(positive, negative).div(all).masked_select(all.gt(0));
}

void PathProbe::Mean::add(const at::Tensor& values) {
  if (values.numel() == 0) return;
  sum += values.to(torch::kDouble).sum().item<double>();
  count += values.numel();
}

void PathProbe::Mean::put(std::map<std::string, double>& into, const char* name) const {
  if (count > 0) into[name] = sum / static_cast<double>(count);
}

PathProbe::PathProbe(models::Network& network) : network_(network), weights_(weights_of(network)) {
  weights_.erase(weights_.begin());
  for (const at::Tensor& weight : weights_) start_.push_back(weight.detach().clone());
}

void PathProbe::look(const tasks::Task& task, const data::Part& examples) {
  network_.recording = true;
  at::Tensor output = network_.forward(examples.x);
  output.retain_grad();
  task.loss(output, examples.y).backward();
  network_.recording = false;
  const torch::NoGradGuard no_gradients;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    // A neuron's gradient of one example is what comes back to the neuron times what the example sends to it.
    const bool last = i + 1 == weights_.size();
    const at::Tensor back = last ? output.grad() : network_.layers[i + 1].z.grad();
    const at::Tensor in = network_.layers[i].unit->forward(network_.layers[i].z.detach());
    example_.add(sign_agreement(back.unsqueeze(2) * in.unsqueeze(1)));
  }
  for (auto& layer : network_.layers) layer.z = at::Tensor();
}

void PathProbe::before_step() {
  const torch::NoGradGuard no_gradients;
  before_.clear();
  for (const at::Tensor& weight : weights_) {
    batch_.add(sign_agreement(weight.grad()));
    before_.push_back(weight.detach().clone());
  }
}

void PathProbe::after_step() {
  const torch::NoGradGuard no_gradients;
  std::vector<at::Tensor> steps;
  double square = 0;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const at::Tensor step = weights_[i].detach() - before_[i];
    square += step.square().sum().item<double>();
    if (!last_.empty()) {
      const at::Tensor norms = step.norm(2, 1) * last_[i].norm(2, 1);
      const at::Tensor cosine = (step * last_[i]).sum(1).div(norms).masked_select(norms.gt(0));
      reversals_.add(cosine.lt(0));
      zigzag_.add(cosine.neg().clamp_min(0));
      alignment_.add(cosine.abs());
    }
    steps.push_back(step);
  }
  length_ += std::sqrt(square);
  last_ = std::move(steps);
}

std::map<std::string, double> PathProbe::measures() const {
  std::map<std::string, double> seen;
  example_.put(seen, "example_agreement");
  batch_.put(seen, "batch_agreement");
  reversals_.put(seen, "reversals");
  zigzag_.put(seen, "zigzag");
  alignment_.put(seen, "alignment");
  double square = 0;
  for (std::size_t i = 0; i < weights_.size(); ++i)
    square += (weights_[i].detach() - start_[i]).square().sum().item<double>();
  if (square > 0) seen["path_ratio"] = length_ / std::sqrt(square);
  return seen;
}

}  // namespace ogee::claims
