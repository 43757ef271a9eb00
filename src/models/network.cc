#include "models/network.h"

#include <cmath>

#include "models/gain.h"

namespace ogee::models {

Network::Network(std::string activation, at::Generator random)
    : activation_(activation),
      gain_(models::gain(activation_)),
      packed_(static_cast<std::int64_t>(activation_.spec().inputs)),
      random_(std::move(random)) {}

Network::Network(const Settings& settings, at::Generator random) : Network(settings.activation, std::move(random)) {
  per_channel_ = settings.per_channel;
}

at::Tensor Network::generate(at::Tensor) { throw Error("this network gives no sequences of its own"); }

std::int64_t Network::parameter_count() const {
  std::int64_t count = 0;
  for (const at::Tensor& parameter : parameters()) count += parameter.numel();
  return count;
}

at::Tensor Network::weights(const std::string& name, at::IntArrayRef shape, double gain) {
  std::int64_t fan_in = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) fan_in *= shape[i];
  at::Tensor weight = torch::empty(shape);
  weight.normal_(0, gain / std::sqrt(static_cast<double>(fan_in)), random_);
  return register_parameter(name + "_weight", weight);
}

Network::Map Network::map(const std::string& name, at::IntArrayRef shape, double gain) {
  Map map;
  map.weight = weights(name, shape, gain);
  map.bias = register_parameter(name + "_bias", torch::zeros({shape[0]}));
  return map;
}

void Network::add_layer(const std::string& name, std::int64_t units) {
  const bool images = name.starts_with("conv");
  nn::Activation unit(nn::ActivationOptions(activation_.text())
                          .layout(Layout::gate_first)
                          .gate_dim(images ? 1 : -1)
                          .channels(per_channel_ ? units : 1)
                          .channel_dim(images ? 1 : -1));
  layers.push_back({register_module(name + "_activation", unit), {}});
}

void Network::add_gate(const std::string& name, const std::string& activation, std::int64_t units) {
  nn::Activation unit(nn::ActivationOptions(activation).channels(units).channel_dim(-1));
  layers.push_back({register_module(name + "_activation", unit), {}});
}

at::Tensor Network::activate(std::size_t index, at::Tensor z) {
  Layer& layer = layers[index];
  if (recording) {
    layer.z = z;
    if (z.requires_grad()) z.retain_grad();
  }
  return layer.unit->forward(z);
}

at::Tensor Network::activate_mapped(std::size_t index, const at::Tensor& x, const Map& map) {
  if (recording) return activate(index, at::linear(x, map.weight, map.bias));
  return layers[index].unit->after_linear(x, map.weight, map.bias);
}

at::Tensor Network::activate_step(std::size_t index, at::Tensor z) {
  if (recording) {
    steps_.resize(layers.size());
    steps_[index].push_back(z);
  }
  return layers[index].unit->forward(z);
}

void Network::end_steps() {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    std::vector<at::Tensor>& steps = steps_[i];
    if (steps.empty()) continue;
    at::Tensor all = at::cat(steps).detach();
    if (steps[0].requires_grad()) {
      // The steps lie in the graph, their union does not: each hands its gradient on.
      all.requires_grad_().mutable_grad() = torch::zeros_like(all);
      std::int64_t from = 0;
      for (at::Tensor& z : steps) {
        z.register_hook(
            [place = all.grad().narrow(0, from, z.size(0))](const at::Tensor& gradient) { place.copy_(gradient); });
        from += z.size(0);
      }
    }
    layers[i].z = all;
    steps.clear();
  }
}

at::Tensor Network::as_sequence(const at::Tensor& x) { return x.dim() == 4 ? x.transpose(1, 2).flatten(2) : x; }

std::int64_t sequence_features(const data::Dataset& data) {
  return data.images() ? data.shape[0] * data.shape[2] : data.shape[1];
}

at::Tensor Network::tame(const at::Tensor& x) const {
  if (packed_ == 1) return x;
  std::vector<std::int64_t> all_but_first;
  for (std::int64_t i = 1; i < x.dim(); ++i) all_but_first.push_back(i);
  return x * x.square().mean(all_but_first, /*keepdim=*/true).add(1e-6).rsqrt();
}

}  // namespace ogee::models
