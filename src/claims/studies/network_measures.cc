#include "claims/studies/network_measures.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/recording.h"
#include "ogee/ogee.h"

namespace ogee::claims {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

data::Part first_of(const data::Part& part) {
  const std::int64_t size = std::min(measured_examples, part.size());
  return {part.x.narrow(0, 0, size), part.y.narrow(0, 0, size)};
}

at::Tensor noisy(const at::Tensor& x, double deviation, std::uint64_t seed) {
  at::Generator random = at::detail::createCPUGenerator(seed);
  return x + deviation * torch::randn(x.sizes(), random).to(x.device());
}

}  // namespace

Outputs outputs_of(models::Network& network, const data::Part& part) {
  const torch::NoGradGuard no_gradients;
  models::Recording recording(network);
  const std::vector<at::Tensor> z = recording.pre_activations(first_of(part).x);
  double zeros = 0, outputs = 0, means = 0, units = 0, layer_means = 0;
  for (std::size_t i = 0; i < z.size(); ++i) {
    const at::Tensor y = network.layers[i].unit->forward(z[i]);
    zeros += y.eq(0).sum().item<double>();
    outputs += static_cast<double>(y.numel());
    const at::Tensor by_unit = y.transpose(0, 1).flatten(1).mean(1);
    means += by_unit.abs().sum().item<double>();
    units += static_cast<double>(by_unit.numel());
    layer_means += std::abs(by_unit.mean().item<double>());
  }
  return {zeros / outputs, means / units, layer_means / static_cast<double>(z.size())};
}

NoiseResponse noise_response(models::Network& network, const tasks::Task& task, const data::Part& part,
                             double deviation, std::uint64_t seed) {
  const torch::NoGradGuard no_gradients;
  NoiseResponse response{tasks::evaluate(task, network, {noisy(part.x, deviation, seed), part.y}).error, unknown};
  if (network.layers.at(0).unit->activation().spec().inputs > 1) return response;
  models::Recording recording(network);
  const at::Tensor x = first_of(part).x;
  const std::vector<at::Tensor> clean = recording.pre_activations(x);
  const std::vector<at::Tensor> moved = recording.pre_activations(noisy(x, deviation, seed));
  double sum = 0, layers = 0;
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const at::Tensor off = clean[i].lt(0);
    const at::Tensor in = (moved[i] - clean[i]).masked_select(off);
    nn::Activation& unit = network.layers[i].unit;
    const at::Tensor out = (unit->forward(moved[i]) - unit->forward(clean[i])).masked_select(off);
    const double ratio = std::sqrt(out.square().sum().item<double>() / in.square().sum().item<double>());
    if (!std::isfinite(ratio)) continue;
    sum += ratio;
    ++layers;
  }
  if (layers > 0) response.off_units = sum / layers;
  return response;
}

Learned learned_of(const models::Network& network) {
  const torch::NoGradGuard no_gradients;
  std::vector<at::Tensor> all;
  for (const auto& layer : network.layers) {
    const auto& parameters = layer.unit->activation().spec().parameters;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (parameters[i].role != Role::learned) continue;
      all.push_back(layer.unit->parameter_tensors().at(i).flatten().to(torch::kDouble));
      break;
    }
  }
  if (all.empty()) return {unknown, unknown, unknown, unknown};
  const at::Tensor values = at::cat(all);
  return {values.mean().item<double>(), values.std(/*unbiased=*/false).item<double>(),
          all.front().mean().item<double>(), all.back().mean().item<double>()};
}

double steps_to(const std::vector<CoursePoint>& course, double target, double never) {
  const CoursePoint* before = nullptr;
  for (const CoursePoint& point : course) {
    if (std::isnan(point.value)) continue;
    if (point.value <= target) {
      if (!before) return point.steps;
      return before->steps + (point.steps - before->steps) * (before->value - target) / (before->value - point.value);
    }
    before = &point;
  }
  return never;
}

}  // namespace ogee::claims
