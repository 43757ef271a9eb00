// Ogee for LibTorch: operators torch.ops.ogee.*, and modules.
//
//   auto y = ogee::apply(ogee::Activation("mish"), x);                     // differentiable, twice
//   ogee::nn::Activation prelu(ogee::nn::ActivationOptions("prelu").channels(64));
//   ogee::nn::GatedFeedForward ffn(ogee::nn::GatedFeedForwardOptions(512).unit("swiglu"));
//
// Errors: c10::Error or ogee::Error, saying what was expected.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ogee/libtorch.h"
#include "ogee/ogee.h"

namespace ogee {

// What autograd keeps of a function of one input.
enum class Save {
  // The input: nothing of its own where that lives anyway, as it does when the layer before needs it for its backward.
  input,
  // One bit an element where the slope takes two values at most, as for relu, leaky_relu, relu6, hardtanh, threshold
  // and hard_sigmoid: it frees the input only where nothing else keeps it, and costs 1/8 byte an element where
  // something does. Where the slopes at hand are more than two (or NaN, or differ by channel), where a parameter wants
  // a gradient, with noise, off the CPU and in memory with gaps, the input is kept all the same.
  mask
};

struct ApplyOptions {
  // Draw noise (noisy functions only). The stream's key comes from the generator: see GeneratorGuard.
  bool training = false;
  // The dimension along which a parameter tensor of more than one element varies (negative counts from the end).
  std::int64_t channel_dim = 1;
  Layout layout = Layout::two;
  // The dimension that holds the two inputs of a gated function when packed.
  std::int64_t gate_dim = -1;
  Save save = Save::input;
};

// phi(x). `parameters`: one tensor per parameter of the spec, of one element or one per channel; an undefined tensor
// (or a missing one) means the activation's own value. Gradients flow to x and to every parameter that asks for one.
// x: any shape; float32, float64, bfloat16 or float16, on the CPU; on other devices the definition is composed from
// LibTorch's operators. Any layout of strides; dense ones keep it. The result has x's type and shape.
at::Tensor apply(const Activation& activation, const at::Tensor& x, const std::vector<at::Tensor>& parameters = {},
                 const ApplyOptions& options = {});
at::Tensor apply_to_two(const Activation& activation, const at::Tensor& a, const at::Tensor& b,
                        const std::vector<at::Tensor>& parameters, const ApplyOptions& options);
// phi(a, b), two tensors of one shape. (A template, so that apply(prelu, x, {slope}) means parameters.)
template <std::same_as<at::Tensor> B>
at::Tensor apply(const Activation& activation, const at::Tensor& a, const B& b,
                 const std::vector<at::Tensor>& parameters = {}, const ApplyOptions& options = {}) {
  return apply_to_two(activation, a, b, parameters, options);
}

// phi(x W^T + b) as one node of the graph: fewer of autograd's steps, which is what a small layer's time goes to, and
// the same numbers, bit for bit, as apply(at::linear(x, weight, bias)). x: [..., features]; weight: [units, features],
// of a gated function [2*units, features], packed as options.layout and gate_dim say; bias: [rows of weight], or
// undefined. Where LibTorch's observers (a monitor, a profiler) look at operators, on other devices and without
// gradients the two run apart.
at::Tensor apply_linear(const Activation& activation, const at::Tensor& x, const at::Tensor& weight,
                        const at::Tensor& bias, const std::vector<at::Tensor>& parameters = {},
                        const ApplyOptions& options = {});

// phi(x) into x, for functions of one input; returns x. Where x requires a gradient a mask is kept (Save::mask), and
// what has no mask is an error; nothing is written then. On the CPU.
at::Tensor& apply_(const Activation& activation, at::Tensor& x, const std::vector<at::Tensor>& parameters = {},
                   const ApplyOptions& options = {});

// The same (one input or two), with value and derivatives composed from LibTorch's operators, on any device; slower.
// Used off the CPU, and as a second opinion in tests. The noise is the kernels', drawn on the CPU and copied.
at::Tensor compose(const Activation& activation, const std::vector<at::Tensor>& inputs,
                   const std::vector<at::Tensor>& parameters = {}, const ApplyOptions& options = {});

// dphi/dx at evaluation, without autograd: what a monitor asks for. One-input functions.
at::Tensor slope(const Activation& activation, const at::Tensor& x, const std::vector<at::Tensor>& parameters = {},
                 std::int64_t channel_dim = 1);

// While it lives, noise drawn on this thread takes its keys from `generator` instead of the default CPU generator
// (which torch.manual_seed seeds). Lets several networks train at once, each reproducibly.
class GeneratorGuard {
 public:
  explicit GeneratorGuard(at::Generator generator);
  ~GeneratorGuard();
  GeneratorGuard(const GeneratorGuard&) = delete;
  GeneratorGuard& operator=(const GeneratorGuard&) = delete;

 private:
  std::optional<at::Generator> previous_;
};

namespace nn {

// Which activation, and how its learned parameters are held.
struct ActivationOptions {
  ActivationOptions(std::string text) : text_(std::move(text)) {}  // NOLINT: "gelu" should do
  ActivationOptions(const char* text) : text_(text) {}             // NOLINT
  TORCH_ARG(std::string, text);
  // One value of each learned parameter per channel, or one for the layer if 1.
  TORCH_ARG(std::int64_t, channels) = 1;
  TORCH_ARG(std::int64_t, channel_dim) = 1;
  // False holds learned parameters fixed, as buffers.
  TORCH_ARG(bool, learn) = true;
  TORCH_ARG(Layout, layout) = Layout::gate_first;
  TORCH_ARG(std::int64_t, gate_dim) = -1;
};

// An activation as a module: learned parameters are its own (saved and loaded with ordinary checkpoints), noise is on
// in training mode and off in evaluation.
class ActivationImpl : public torch::nn::Cloneable<ActivationImpl> {
 public:
  explicit ActivationImpl(ActivationOptions options);
  // Learned parameters back to their initial values (spread drawn from the current generator; a noisy unit's p in
  // U(-1, 1), unless another value than its default was given).
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  // One-input functions; gated ones of two tensors, or of one that packs both inputs as options.layout says.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& b = {});
  // The same of x weight^T + bias, as ogee::apply_linear does it; bias may be undefined.
  torch::Tensor after_linear(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);
  // dphi/dx at evaluation, without autograd (one-input functions).
  torch::Tensor slope(const torch::Tensor& x);
  const ogee::Activation& activation() const { return activation_; }
  // The value of a fixed parameter from the next call on: the c of nah, say, as it is annealed. Throws ogee::Error on
  // an unknown or learned parameter and a value out of range.
  void set(const std::string& parameter, double value);
  // One per parameter of the spec: the learned ones' tensors; undefined for the others.
  const std::vector<torch::Tensor>& parameter_tensors() const { return tensors_; }

  ActivationOptions options;

 protected:
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(torch::Tensor())})  // Sequential gives x alone

 private:
  ogee::Activation activation_;
  std::vector<torch::Tensor> tensors_;
};
TORCH_MODULE(Activation);

struct GatedFeedForwardOptions {
  explicit GatedFeedForwardOptions(std::int64_t dim) : dim_(dim) {}
  TORCH_ARG(std::int64_t, dim);
  // The width that an ungated block would have; 0: 4*dim.
  TORCH_ARG(std::int64_t, width) = 0;
  // The gated width; 0: two thirds of `width`, rounded up to `multiple`, so that three matrices cost what two did.
  TORCH_ARG(std::int64_t, hidden) = 0;
  TORCH_ARG(std::int64_t, multiple) = 8;
  TORCH_ARG(std::string, unit) = "swiglu";
  TORCH_ARG(bool, bias) = false;
};

// y = unit(x Wg^T, x Wv^T) Wo^T (Shazeer 2020, 2002.05202). x: [..., dim]. The two input matrices are one parameter
// [2*hidden, dim], gate first. Backward keeps x and the packed pre-activation; the gated product is computed again.
class GatedFeedForwardImpl : public torch::nn::Cloneable<GatedFeedForwardImpl> {
 public:
  explicit GatedFeedForwardImpl(GatedFeedForwardOptions options);
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  torch::Tensor forward(const torch::Tensor& x);

  GatedFeedForwardOptions options;
  std::int64_t hidden = 0;
  torch::Tensor weight_in, bias_in, weight_out, bias_out;
  Activation unit = nullptr;
};
TORCH_MODULE(GatedFeedForward);

// [relu(x), relu(-x)] along `dim` (Shang et al. 2016, 1603.05201): twice the channels.
class ConcatenatedReluImpl : public torch::nn::Cloneable<ConcatenatedReluImpl> {
 public:
  explicit ConcatenatedReluImpl(std::int64_t along = 1) : dim(along) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  torch::Tensor forward(const torch::Tensor& x);
  std::int64_t dim;
};
TORCH_MODULE(ConcatenatedRelu);

// The largest of `pieces` linear maps (Goodfellow et al. 2013, 1302.4389): [..., in] to [..., out].
class MaxoutImpl : public torch::nn::Cloneable<MaxoutImpl> {
 public:
  MaxoutImpl(std::int64_t in, std::int64_t out, std::int64_t pieces = 2);
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  torch::Tensor forward(const torch::Tensor& x);
  std::int64_t in, out, pieces;
  torch::nn::Linear linear = nullptr;
};
TORCH_MODULE(Maxout);

}  // namespace nn
}  // namespace ogee
