#include "lab/builder.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/modules/conv.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "data/bytes.h"
#include "models/gain.h"
#include "models/script_file.h"
#include "ogee/ogee.h"
#include "torch/witness.h"

namespace ogee::lab {
namespace {

// The builder draws from LibTorch's one default generator: so one network is built at a time, from its own seed.
lab::BuiltNetwork build_alone(const NetworkBuilder& build, const ActivationFactory& factory, std::uint64_t seed) {
  static std::mutex building;
  const std::lock_guard lock(building);
  torch::manual_seed(seed);
  return build(factory);
}

// Draws the weights of linear layers and convolutions in the order in which modules were registered.
class Drawing {
 public:
  Drawing(double gain, at::Generator random) : gain_(gain), random_(std::move(random)) {}

  void visit(torch::nn::Module& module) {
    if (auto* linear = module.as<torch::nn::Linear>())
      weigh(linear->weight, linear->bias, 0);
    else if (auto* conv1 = module.as<torch::nn::Conv1d>())
      weigh(conv1->weight, conv1->bias, 0);
    else if (auto* conv2 = module.as<torch::nn::Conv2d>())
      weigh(conv2->weight, conv2->bias, 0);
    else if (auto* conv3 = module.as<torch::nn::Conv3d>())
      weigh(conv3->weight, conv3->bias, 0);
    else if (auto* transposed = module.as<torch::nn::ConvTranspose2d>())
      weigh(transposed->weight, transposed->bias, 1);
    for (const auto& child : module.children()) visit(*child);
  }

 private:
  void weigh(at::Tensor& weight, at::Tensor& bias, std::int64_t outputs_dim) {
    const auto fan_in = static_cast<double>(weight.numel() / weight.size(outputs_dim));
    weight.normal_(0, 1, random_).mul_((first_ ? 1 : gain_) / std::sqrt(fan_in));
    if (bias.defined()) bias.zero_();
    first_ = false;
  }

  const double gain_;
  at::Generator random_;
  bool first_ = true;
};

class ComparedNetwork final : public models::Network {
 public:
  struct Plan {
    NetworkBuilder build;
    FirstWeights first_weights;
    at::Tensor examples;
    data::Dataset outline;  // of the data, without its examples
  };

  ComparedNetwork(std::shared_ptr<const Plan> plan, const std::string& activation, std::uint64_t seed,
                  at::Generator random)
      : Network(activation, random), plan_(std::move(plan)) {
    const ActivationFactory factory(activation);
    network_ = build_alone(plan_->build, factory, seed);
    register_module("network", network_.module);
    if (plan_->first_weights == FirstWeights::by_gain) {
      const torch::NoGradGuard no_gradients;
      Drawing(gain_, random).visit(*network_.module);
    }
    witness_ = [this](const nn::ActivationImpl& unit, const at::Tensor& x) { return seen(unit, x); };
    find_layers(factory);
  }

  at::Tensor forward(at::Tensor x) override {
    const std::int64_t examples = x.size(0);
    const auto run = [&] { return models::fitted_output(network_.forward(x), examples, plan_->outline); };
    if (!recording) return run();
    const torch_call::ActivationWitnessGuard guard(witness_);
    return run();
  }

 private:
  // The factory's activations in the order in which a run passes them; those that it does not pass are none.
  void find_layers(const ActivationFactory& factory) {
    const torch::NoGradGuard no_gradients;
    for (const nn::Activation& unit : factory.made()) layers.push_back({unit, {}});
    std::vector<const nn::ActivationImpl*> order;
    const torch_call::ActivationWitness note = [&](const nn::ActivationImpl& unit, const at::Tensor& x) {
      if (std::find(order.begin(), order.end(), &unit) == order.end()) order.push_back(&unit);
      return x;
    };
    {
      const torch_call::ActivationWitnessGuard guard(note);
      eval();
      forward(plan_->examples);
      train();
    }
    std::vector<Layer> passed;
    for (const nn::ActivationImpl* unit : order)
      for (const Layer& layer : layers)
        if (layer.unit.get() == unit) passed.push_back(layer);
    layers = std::move(passed);
    if (layers.empty())
      throw Error("it applies none of the factory's activations (gated ones are to get one packed tensor)");
  }

  at::Tensor seen(const nn::ActivationImpl& unit, const at::Tensor& x) {
    const auto layer =
        std::find_if(layers.begin(), layers.end(), [&](const Layer& l) { return l.unit.get() == &unit; });
    if (layer == layers.end()) return x;
    at::Tensor input = x;
    if (at::GradMode::is_enabled()) {
      // Below frozen weights there is no gradient to keep: it then ends here.
      if (!input.requires_grad()) input = input.detach().requires_grad_();
      input.retain_grad();
    }
    layer->z = input;
    return input;
  }

  const std::shared_ptr<const Plan> plan_;
  lab::BuiltNetwork network_;
  torch_call::ActivationWitness witness_;
};

class BuilderDesign final : public models::Design {
 public:
  BuilderDesign(const NetworkBuilder& build, FirstWeights first_weights, const std::vector<std::string>& activations,
                const data::Dataset& data) {
    ComparedNetwork::Plan plan{build, first_weights, {}, data};
    plan.examples = data.train.x.narrow(0, 0, std::min<std::int64_t>(2, data.train.size())).clone();
    plan.outline.train = plan.outline.validation = plan.outline.test = {};
    plan.outline.levels = {};
    plan_ = std::make_shared<const ComparedNetwork::Plan>(std::move(plan));
    name_ = data.name;
    // Code cannot be told from other code, but what it builds can, in part.
    std::string shapes = first_weights == FirstWeights::by_gain ? "by gain" : "as built";
    for (const std::string& activation : activations)
      for (const auto& parameter : try_with(activation)->named_parameters())
        shapes += fmt::format(" {}{}", parameter.key(), models::shape_text(parameter.value().sizes()));
    fingerprint_ = data::checksum(shapes);
  }

  std::string fingerprint() const override { return fingerprint_; }
  std::vector<std::string> notes(const std::vector<std::string>&) const override { return {}; }
  void check(const std::string& activation) const override { try_with(activation); }

  std::shared_ptr<models::Network> build(const std::string& activation, std::uint64_t seed) const override {
    at::Generator random = at::detail::createCPUGenerator(seed);
    const GeneratorGuard guard(random);  // learned parameters may start at random, too
    return std::make_shared<ComparedNetwork>(plan_, activation, seed, random);
  }

 private:
  std::shared_ptr<models::Network> try_with(const std::string& activation) const {
    try {
      return build(activation, 1);
    } catch (const std::exception& e) {
      throw Error(fmt::format("the network with {} does not fit {} (examples of shape {}): {}", activation, name_,
                              models::shape_text(plan_->outline.shape), models::reason_of(e)));
    }
  }

  std::shared_ptr<const ComparedNetwork::Plan> plan_;
  std::string name_, fingerprint_;
};

}  // namespace

std::shared_ptr<const models::Design> builder_design(const NetworkBuilder& build, FirstWeights first_weights,
                                                     const std::vector<std::string>& activations,
                                                     const data::Dataset& data) {
  return std::make_shared<const BuilderDesign>(build, first_weights, activations, data);
}

}  // namespace ogee::lab
