#include "lab/optimiser.h"

#include <cmath>
#include <string>
#include <unordered_set>

#include "lab/adam_pass.h"
#include "ogee/torch.h"
#include "ogee/torch_attention.h"
#include "ogee/torch_memory.h"
#include "ogee/torch_recurrent.h"

namespace ogee::lab {
namespace {

// Whether the module names its gates' parameters GATE_p, those of its layers GATE_p_l0.
bool has_gates(const torch::nn::Module& module) {
  return module.as<nn::LSTMImpl>() || module.as<nn::GRUImpl>() || module.as<nn::MGUImpl>() ||
         module.as<nn::NTMImpl>() || module.as<nn::AttentionEncoderImpl>() || module.as<nn::AttentionDecoderImpl>();
}

// The p of every noisy unit in any module of Ogee's that the network holds.
std::unordered_set<const at::TensorImpl*> noise_parameters(const torch::nn::Module& network) {
  std::unordered_set<const at::TensorImpl*> found;
  for (const auto& module : network.modules(/*include_self=*/false)) {
    const auto* const unit = module->as<nn::ActivationImpl>();
    const bool noisy = unit && unit->activation().spec().noise != Noise::none;
    if (!noisy && !has_gates(*module)) continue;
    for (const auto& held : module->named_parameters(/*recurse=*/false)) {
      const std::string& name = held.key();
      if (noisy ? name == "p" : name.ends_with("_p") || name.find("_p_l") != std::string::npos)
        found.insert(held.value().unsafeGetTensorImpl());
    }
  }
  return found;
}

// Weight decay is decoupled from the gradient, as Loshchilov and Hutter (2019) have it: AdamW.
class FlatAdam : public FlatOptimiser {
 public:
  FlatAdam(torch::nn::Module& network, const OptimiserSettings& settings) : FlatOptimiser(network, settings) {
    moments_ = {torch::zeros_like(values_), torch::zeros_like(values_)};
  }

 private:
  void update(double rate) override {
    constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    const auto t = static_cast<double>(steps);
    const double correction1 = 1 - std::pow(beta1, t), correction2 = 1 - std::pow(beta2, t);
    // Both corrections folded into the rate and epsilon.
    const double scale = std::sqrt(correction2), folded_rate = rate * scale / correction1;
    double keep = 1 - rate * weight_decay_;
    if (weight_decay_ > 0 && !all_decay()) {
      but_for_noise(values_, [&] { values_.mul_(keep); });
      keep = 1;
    }
    if (values_.is_cpu() && values_.scalar_type() == torch::kFloat) {
      const AdamPass pass{static_cast<float>(keep),           static_cast<float>(beta1),
                          static_cast<float>(1 - beta1),      static_cast<float>(beta2),
                          static_cast<float>(1 - beta2),      static_cast<float>(folded_rate),
                          static_cast<float>(epsilon * scale)};
      adam_pass(pass, static_cast<std::size_t>(values_.numel()), gradients_.data_ptr<float>(),
                moments_[0].data_ptr<float>(), moments_[1].data_ptr<float>(), values_.data_ptr<float>());
      return;
    }
    if (keep != 1) values_.mul_(keep);
    moments_[0].mul_(beta1).add_(gradients_, 1 - beta1);
    moments_[1].mul_(beta2).addcmul_(gradients_, gradients_, 1 - beta2);
    values_.addcdiv_(moments_[0], moments_[1].sqrt().add_(epsilon * scale), -folded_rate);
  }
};

class FlatSgd : public FlatOptimiser {
 public:
  FlatSgd(torch::nn::Module& network, const OptimiserSettings& settings)
      : FlatOptimiser(network, settings), momentum_(settings.momentum) {
    if (momentum_ > 0) moments_ = {torch::zeros_like(values_)};
  }

 private:
  void update(double rate) override {
    add_decay();
    if (momentum_ > 0) moments_[0].mul_(momentum_).add_(gradients_);
    values_.add_(momentum_ > 0 ? moments_[0] : gradients_, -rate);
  }

  const double momentum_;
};

// In Graves' form (2013, 1308.0850, equations 38 to 41): over the deviation of a gradient, not its mean square.
class FlatRmsprop : public FlatOptimiser {
 public:
  FlatRmsprop(torch::nn::Module& network, const OptimiserSettings& settings)
      : FlatOptimiser(network, settings), momentum_(settings.momentum) {
    moments_ = {torch::zeros_like(values_), torch::zeros_like(values_), torch::zeros_like(values_)};
  }

 private:
  void update(double rate) override {
    constexpr double decay = 0.95, epsilon = 1e-4;
    add_decay();
    at::Tensor &square = moments_[0], &mean = moments_[1], &delta = moments_[2];
    square.mul_(decay).addcmul_(gradients_, gradients_, 1 - decay);
    mean.mul_(decay).add_(gradients_, 1 - decay);
    // Rounding may make the variance a little negative.
    const at::Tensor deviation = square.addcmul(mean, mean, -1).clamp_min_(0).add_(epsilon).sqrt_();
    delta.mul_(momentum_).addcdiv_(gradients_, deviation, -rate);
    values_.add_(delta);
  }

  const double momentum_;
};

}  // namespace

FlatOptimiser::FlatOptimiser(torch::nn::Module& network, const OptimiserSettings& settings)
    : weight_decay_(settings.weight_decay), clip_norm_(settings.clip_norm), clip_value_(settings.clip_value) {
  const torch::NoGradGuard no_gradients;
  const std::unordered_set<const at::TensorImpl*> of_noise = noise_parameters(network);
  std::vector<at::Tensor> flat;
  for (const at::Tensor& parameter : network.parameters()) flat.push_back(parameter.detach().reshape({-1}));
  values_ = torch::cat(flat);
  exchanged_ = torch::zeros({values_.numel() + spare}, values_.options());
  gradients_ = exchanged_.narrow(0, 0, values_.numel());
  std::int64_t offset = 0;
  for (at::Tensor parameter : network.parameters()) {
    const auto size = parameter.numel();
    if (of_noise.contains(parameter.unsafeGetTensorImpl())) without_decay_.push_back({offset, size});
    const auto shape = parameter.sizes().vec();
    parameter.set_data(values_.narrow(0, offset, size).view(shape));
    // Backward adds to a gradient that is there already, in place, so the views stay.
    parameter.mutable_grad() = gradients_.narrow(0, offset, size).view(shape);
    offset += size;
  }
}

void FlatOptimiser::add_decay() {
  if (weight_decay_ > 0) but_for_noise(gradients_, [&] { gradients_.add_(values_, weight_decay_); });
}

void FlatOptimiser::step(double rate) {
  const torch::NoGradGuard no_gradients;
  ++steps;
  if (clip_value_ > 0) gradients_.clamp_(-clip_value_, clip_value_);
  if (clip_norm_ > 0)
    if (const double norm = gradients_.norm().item<double>(); norm > clip_norm_) gradients_.mul_(clip_norm_ / norm);
  update(rate);
}

std::vector<at::Tensor> FlatOptimiser::state() const {
  std::vector<at::Tensor> all{values_};
  all.insert(all.end(), moments_.begin(), moments_.end());
  return all;
}

std::unique_ptr<FlatOptimiser> make_optimiser(const OptimiserSettings& settings, torch::nn::Module& network) {
  if (settings.name == "sgd") return std::make_unique<FlatSgd>(network, settings);
  if (settings.name == "rmsprop") return std::make_unique<FlatRmsprop>(network, settings);
  return std::make_unique<FlatAdam>(network, settings);
}

}  // namespace ogee::lab
