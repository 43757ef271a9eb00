#include "models/network.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <cmath>

#include "models/gain.h"

namespace ogee::models {

Network::Network(std::string activation, at::Generator random)
    : activation_(activation),
      gain_(models::gain(activation_)),
      packed_(static_cast<std::int64_t>(activation_.spec().inputs)),
      random_(std::move(random)) {}

std::int64_t Network::parameter_count() const {
  std::int64_t count = 0;
  for (const at::Tensor& parameter : parameters()) count += parameter.numel();
  return count;
}

Network::Map Network::map(const std::string& name, at::IntArrayRef shape, double gain) {
  std::int64_t fan_in = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) fan_in *= shape[i];
  at::Tensor weight = torch::empty(shape);
  weight.normal_(0, gain / std::sqrt(static_cast<double>(fan_in)), random_);
  Map map;
  map.weight = register_parameter(name + "_weight", weight);
  map.bias = register_parameter(name + "_bias", torch::zeros({shape[0]}));
  return map;
}

void Network::add_layer(const std::string& name) {
  const bool images = name.starts_with("conv");
  nn::Activation unit(nn::ActivationOptions(activation_.text()).layout(Layout::gate_first).gate_dim(images ? 1 : -1));
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

at::Tensor Network::tame(const at::Tensor& x) const {
  if (packed_ == 1) return x;
  std::vector<std::int64_t> all_but_first;
  for (std::int64_t i = 1; i < x.dim(); ++i) all_but_first.push_back(i);
  return x * x.square().mean(all_but_first, /*keepdim=*/true).add(1e-6).rsqrt();
}

Settings resolve(Settings settings, const data::Dataset& data) {
  if (settings.design) return settings;
  const bool mlp = settings.model == "mlp";
  if (!mlp && settings.model != "convnet")
    throw Error(fmt::format("--model {}: expected mlp or convnet", settings.model));
  if (!mlp && !data.images())
    throw Error(
        fmt::format("--model convnet needs images, and {} has {} columns: use --model mlp", data.name, data.shape[0]));
  if (settings.depth == 0) settings.depth = mlp ? 12 : 2;
  if (settings.width == 0) settings.width = mlp ? 64 : 16;
  return settings;
}

std::shared_ptr<Network> build(const Settings& settings, const data::Dataset& data, std::uint64_t seed) {
  if (settings.design) return settings.design->build(settings.activation, seed);
  const Settings resolved = resolve(settings, data);
  at::Generator random = at::detail::createCPUGenerator(seed);
  GeneratorGuard guard(random);  // learned parameters may start at random, too
  return resolved.model == "mlp" ? make_mlp(resolved, data, random) : make_convnet(resolved, data, random);
}

}  // namespace ogee::models
