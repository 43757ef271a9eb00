// The laboratory for networks written in C++: trains one with each of several activations, fairly, and says which to
// use and how sure that is.
//
//   const auto build = [](const ogee::lab::ActivationFactory& activation) {
//     return torch::nn::Sequential(torch::nn::Linear(64, 32 * activation.packed()), activation(),
//                                  torch::nn::Linear(32, 10));
//   };
//   const auto result = ogee::lab::compare(build, ogee::lab::CompareOptions().data("digits.csv").seeds(5));
//
// It is what `ogee compare` does: learning rates tuned for each activation with the same budget, the same order of
// examples, first weights by each function's own gain, noise off at evaluation, the test part seen once, at the end.
// Runs are kept in the folder `out`; the same comparison again goes on where it was stopped.
//
// Errors: ogee::Error, in one line, on what the caller can mend.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ogee/libtorch.h"
#include "ogee/torch.h"

namespace ogee::lab {

// What a builder makes its activations with.
class ActivationFactory {
 public:
  explicit ActivationFactory(std::string name);

  // A new activation, with learned parameters of its own: `channels` values of each, along `channel_dim`. Gated ones
  // take both inputs packed in one tensor, gate first, along `gate_dim`; the result is half as wide.
  nn::Activation operator()(std::int64_t gate_dim = -1, std::int64_t channels = 1, std::int64_t channel_dim = 1) const;
  // How many inputs it takes: 2 for gated functions. The layer before makes so many times as many outputs.
  std::int64_t packed() const { return packed_; }
  // The width that gives linear(n, packed()*width), activation, linear(width, n) as many parameters as an ungated block
  // of `ungated` has: two thirds of it for gated functions (rounded), the same for all others.
  std::int64_t width(std::int64_t ungated) const;
  // As ogee::Activation reads it.
  const std::string& name() const { return name_; }
  // Those made so far, by this factory and its copies.
  const std::vector<nn::Activation>& made() const { return *made_; }

 private:
  std::string name_;
  std::int64_t packed_;
  std::shared_ptr<std::vector<nn::Activation>> made_ = std::make_shared<std::vector<nn::Activation>>();
};

enum class FirstWeights {
  // Linear layers and convolutions from N(0, gain^2/fan_in), where the gain is the activation's own, and 1 in the first
  // of them; biases 0. Other layers are reset.
  by_gain,
  as_built  // what the builder leaves
};

struct CompareOptions {
  // Of `compare` without tensors: what `ogee compare --data` takes.
  TORCH_ARG(std::string, data) = "optdigits";
  TORCH_ARG(std::string, target) = "";       // of a CSV file: the column to predict; "": the last
  TORCH_ARG(std::int64_t, train_limit) = 0;  // at most so many training examples; 0: all
  // Names with attributes; empty: ten well-known ones.
  TORCH_ARG(std::vector<std::string>, activations) = {};
  TORCH_ARG(std::int64_t, epochs) = 0;  // 0: 30; 5 from 10,000 examples on
  TORCH_ARG(std::int64_t, batch) = 64;
  TORCH_ARG(std::int64_t, seeds) = 5;    // runs of each activation
  TORCH_ARG(double, learning_rate) = 0;  // one for all; 0: tuned for each
  TORCH_ARG(FirstWeights, first_weights) = FirstWeights::by_gain;
  // Runs at a time; 0: one for each core. A network that draws from LibTorch's default generator while it trains
  // (dropout) gives the same results every time only with 1.
  TORCH_ARG(int, workers) = 0;
  TORCH_ARG(std::string, out) = "ogee-compare";  // the folder of results.db, results.json and report.html
  TORCH_ARG(std::string, name) = "network";      // of the network, in the report
};

// Of one activation, over its seeds.
struct ArmResult {
  std::string activation;
  std::string verdict;       // "lowest", "no difference seen", "worse", "diverged"...
  double error = 0;          // the mean on the test part: a share of wrong answers, or the RMSE in the target's unit
  double low = 0, high = 0;  // its 95 % interval; NaN with fewer than two seeds
  double loss = 0;           // the mean on the test part
  double learning_rate = 0;
  double milliseconds_per_step = 0;
  std::int64_t parameters = 0;
  std::vector<double> errors;  // one for each seed that finished
};

struct CompareResult {
  bool complete = false;        // false: some runs are missing
  std::string recommended;      // an activation; "" if none learned anything of use
  std::string recommendation;   // in words, with how sure it is
  std::vector<ArmResult> arms;  // in the order asked for
  std::string report;           // the path of report.html
  std::string json;             // results.json, which has everything
};

// A network of any class, and its forward.
struct BuiltNetwork {
  std::shared_ptr<torch::nn::Module> module;
  std::function<at::Tensor(const at::Tensor&)> forward;
};
template <class Module>
BuiltNetwork built(const std::shared_ptr<Module>& module) {
  return {module, [module](const at::Tensor& x) -> at::Tensor { return module->forward(x); }};
}
template <class Holder>
requires requires(const Holder& holder) { holder.ptr(); }
BuiltNetwork built(const Holder& holder) { return built(holder.ptr()); }

using NetworkBuilder = std::function<BuiltNetwork(const ActivationFactory&)>;
// The forward of what `build` makes takes a batch, float32 [n, features] or [n, channels, height, width], standardised,
// and returns scores [n, classes], or [n, 1] for a regression. It is called for every run, one at a time, on several
// threads; the networks then train at once, so they must share nothing.
CompareResult compare_networks(const NetworkBuilder& build, const CompareOptions& options);
// The same on tensors: x as above (any numbers; they are standardised here), y: class numbers from 0 (int64 [n]), or
// values (float [n]). A fifth is held out to validate, a fifth to test.
CompareResult compare_networks(const NetworkBuilder& build, const at::Tensor& x, const at::Tensor& y,
                               const CompareOptions& options);

// `build` returns a module holder (torch::nn::Sequential, say) or a shared pointer to a module.
template <class Build>
CompareResult compare(Build build, const CompareOptions& options = {}) {
  return compare_networks([build](const ActivationFactory& a) { return built(build(a)); }, options);
}
template <class Build>
CompareResult compare(Build build, const at::Tensor& x, const at::Tensor& y, const CompareOptions& options = {}) {
  return compare_networks([build](const ActivationFactory& a) { return built(build(a)); }, x, y, options);
}

}  // namespace ogee::lab
