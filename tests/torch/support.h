// What the tests of the operators share: checks of derivatives by differences, inputs away from kinks, comparisons.
#pragma once

#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/version.h>

#include <functional>
#include <string>
#include <vector>

#include "ogee/libtorch.h"
#include "ogee/torch.h"

namespace ogee::testing {

using Tensors = std::vector<torch::Tensor>;
using TensorFunction = std::function<Tensors(const Tensors&)>;

// Random numbers at least 0.1 from every multiple of 1/2, where all kinks lie, in (-4, 4).
inline torch::Tensor inputs_off_kinks(at::IntArrayRef sizes, at::ScalarType type = at::kDouble) {
  return (torch::randint(-8, 8, sizes, at::kDouble) * 0.5 + 0.1 + 0.3 * torch::rand(sizes, at::kDouble)).to(type);
}

// Compares two tensors of one shape: |got - want| <= absolute + relative*|want|, and NaN where NaN.
inline ::testing::AssertionResult near(const torch::Tensor& got, const torch::Tensor& want, double relative,
                                       double absolute) {
  if (got.sizes() != want.sizes()) {
    return ::testing::AssertionFailure() << "shapes " << got.sizes() << " and " << want.sizes();
  }
  const torch::Tensor a = got.detach().to(at::kDouble).reshape(-1), b = want.detach().to(at::kDouble).reshape(-1);
  const torch::Tensor close = torch::isclose(a, b, relative, absolute, /*equal_nan=*/true);
  if (close.all().item<bool>()) return ::testing::AssertionSuccess();
  const torch::Tensor at = close.logical_not().nonzero().index({0, 0});
  return ::testing::AssertionFailure() << close.logical_not().sum().item<std::int64_t>() << " of " << a.numel()
                                       << " differ; element " << at.item<std::int64_t>() << " is "
                                       << a[at.item<std::int64_t>()].item<double>() << ", expected "
                                       << b[at.item<std::int64_t>()].item<double>();
}

// The first derivatives of f, in double, against central differences: of a random combination of all results by every
// element of every input that requires a gradient.
inline ::testing::AssertionResult check_gradient(const TensorFunction& f, const Tensors& inputs,
                                                 double tolerance = 1e-5) {
  const Tensors results = f(inputs);
  Tensors weights;
  for (const torch::Tensor& r : results) weights.push_back(torch::rand_like(r) + 0.5);
  const auto combined = [&](const Tensors& values) {
    const Tensors out = f(values);
    torch::Tensor sum = torch::zeros({}, at::kDouble);
    for (std::size_t i = 0; i < out.size(); ++i) sum = sum + (out[i] * weights[i]).sum();
    return sum;
  };
  Tensors asked;
  for (const torch::Tensor& t : inputs) {
    if (t.requires_grad()) asked.push_back(t);
  }
  const torch::Tensor total = combined(inputs);
  if (!total.requires_grad()) return ::testing::AssertionFailure() << "the result does not require a gradient";
  const Tensors analytic = torch::autograd::grad({total}, asked, {}, c10::nullopt, false, /*allow_unused=*/true);

  constexpr double step = 1e-6;
  std::size_t which = 0;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (!inputs[k].requires_grad()) continue;
    torch::Tensor numeric = torch::zeros_like(inputs[k]).contiguous();
    Tensors moved(inputs.begin(), inputs.end());
    moved[k] = inputs[k].detach().clone();  // clone keeps the strides
    moved[k].requires_grad_();
    for (std::int64_t i = 0; i < inputs[k].numel(); ++i) {
      // The i-th element in the order of indices, whatever the strides.
      torch::Tensor element = moved[k].detach();
      std::int64_t rest = i;
      for (std::int64_t d = element.dim() - 1, n = 0; d >= 0; --d, rest /= n) {
        n = inputs[k].size(d);
        element = element.select(d, rest % n);
      }
      const double at = element.item<double>();
      element.fill_(at + step);
      const double above = combined(moved).item<double>();
      element.fill_(at - step);
      const double below = combined(moved).item<double>();
      element.fill_(at);
      numeric.view(-1)[i] = (above - below) / (2 * step);
    }
    const torch::Tensor got = analytic[which].defined() ? analytic[which] : torch::zeros_like(inputs[k]);
    const auto close = near(got, numeric, tolerance, tolerance);
    if (!close) return ::testing::AssertionFailure() << "derivative by input " << k << ": " << close.message();
    ++which;
  }
  return ::testing::AssertionSuccess();
}

// The second derivatives, likewise: the first ones of f's gradients by the inputs and by the upstream gradient.
inline ::testing::AssertionResult check_second_gradient(const TensorFunction& f, const Tensors& inputs,
                                                        double tolerance = 2e-5) {
  Tensors all(inputs.begin(), inputs.end());
  std::size_t results = 0;
  for (const torch::Tensor& r : f(inputs)) {
    all.push_back(torch::randn_like(r.detach()).requires_grad_());
    ++results;
  }
  const auto gradients = [&](const Tensors& values) {
    const Tensors given(values.begin(), values.end() - static_cast<std::ptrdiff_t>(results));
    const Tensors upstream(values.end() - static_cast<std::ptrdiff_t>(results), values.end());
    Tensors asked;
    for (const torch::Tensor& t : given) {
      if (t.requires_grad()) asked.push_back(t);
    }
    Tensors found;
    for (const torch::Tensor& t : torch::autograd::grad(f(given), asked, upstream, true, /*create_graph=*/true)) {
      if (t.defined()) found.push_back(t);
    }
    return found;
  };
  return check_gradient(gradients, all, tolerance);
}

// An activation with what a test gives it: inputs and one tensor for every learned parameter.
struct Case {
  Activation activation;
  Tensors inputs, parameters;
  ApplyOptions options;

  const Spec& spec() const { return activation.spec(); }
  // Inputs, then the tensors of parameters.
  Tensors leaves() const {
    Tensors all = inputs;
    for (const torch::Tensor& p : parameters) {
      if (p.defined()) all.push_back(p);
    }
    return all;
  }
  // apply() or compose() as a function of leaves(), always with the same noise.
  TensorFunction function(bool composed = false) const {
    return [this, composed](const Tensors& leaves) {
      torch::manual_seed(7);
      Tensors given = parameters;
      std::size_t next = inputs.size();
      for (torch::Tensor& p : given) {
        if (p.defined()) p = leaves[next++];
      }
      if (composed) {
        return Tensors{compose(activation, Tensors(leaves.begin(), leaves.begin() + inputs.size()), given, options)};
      }
      if (inputs.size() == 2) return Tensors{apply(activation, leaves[0], leaves[1], given, options)};
      return Tensors{apply(activation, leaves[0], given, options)};
    };
  }
};

// channels: of parameters, 1 for one value each. Parameters are near their defaults, all different.
inline Case make_case(const Function& function, at::IntArrayRef sizes, std::int64_t channels, bool training,
                      at::ScalarType type = at::kDouble) {
  torch::manual_seed(11);
  Case c{Activation(function), {}, {}, {}};
  c.options.training = training;
  for (std::size_t k = 0; k < c.spec().inputs; ++k) {
    c.inputs.push_back(inputs_off_kinks(sizes, type).requires_grad_());
  }
  c.parameters.resize(c.spec().parameters.size());
  for (std::size_t k = 0; k < c.parameters.size(); ++k) {
    if (c.spec().parameters[k].role != Role::learned) continue;
    const torch::Tensor moved = c.spec().parameters[k].value + 0.1 * (torch::rand({channels}, at::kDouble) - 0.5);
    c.parameters[k] = moved.to(type).requires_grad_();
  }
  return c;
}

inline bool has_learned(const Spec& spec) {
  for (const Parameter& p : spec.parameters) {
    if (p.role == Role::learned) return true;
  }
  return false;
}

// Training and evaluation, where they differ.
inline std::vector<bool> modes(const Spec& spec) {
  return spec.noise == Noise::none ? std::vector<bool>{false} : std::vector<bool>{false, true};
}

class AutocastOnCpu {
 public:
  AutocastOnCpu() { set(true); }
  ~AutocastOnCpu() { set(false); }

 private:
  static void set(bool on) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    at::autocast::set_autocast_enabled(at::kCPU, on);
#else
    at::autocast::set_cpu_enabled(on);
#endif
  }
};

// What a call throws, as text.
inline std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing was thrown";
}

}  // namespace ogee::testing
