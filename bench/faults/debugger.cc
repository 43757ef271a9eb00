#include "bench/faults/debugger.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ogee::faults {
namespace {

// As published.
constexpr double vanishing = 1e-7;     // VanishingGradient: mean of |gradient|
constexpr double inactive = 0.01;      // DeadRelu, SaturatedActivation: threshold_inactivity, 1 %
constexpr double layer_share = 0.5;    // and threshold_layer, 50 %
constexpr double tanh_limit = 9.4999;  // SaturatedActivation
constexpr double sigmoid_low = -23, sigmoid_high = 16.99999;
constexpr double variance_ratio = 10;                     // PoorWeightInitialization: between layers' inputs
constexpr double distribution_range = 1e-3;               // and between the 5th and 95th percentile of a gradient
constexpr double update_small = 1e-8, update_large = 10;  // WeightUpdateRatio

// Read without LibTorch's operators, which the monitor would see.
std::vector<float> numbers(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  const at::Tensor dense = tensor.is_contiguous() ? tensor : tensor.contiguous();
  const float* data = dense.data_ptr<float>();
  return {data, data + dense.numel()};
}

double mean_size(const std::vector<float>& values) {
  double sum = 0;
  for (const float v : values) sum += std::abs(static_cast<double>(v));
  return values.empty() ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(values.size());
}

double variance(const std::vector<float>& values) {
  double sum = 0, square = 0;
  for (const float v : values) sum += v, square += static_cast<double>(v) * v;
  const auto n = static_cast<double>(values.size());
  return square / n - sum / n * (sum / n);
}

bool finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

// The share of a layer's units that `holds` for fewer than 1 % of the examples.
template <class Holds>
double idle_units(const at::Tensor& z, const std::vector<float>& values, Holds holds) {
  const std::int64_t dimension = z.dim() == 4 ? 1 : z.dim() - 1;
  const std::int64_t units = z.size(dimension), inner = dimension == 1 && z.dim() == 4 ? z.size(2) * z.size(3) : 1;
  std::vector<double> active(static_cast<std::size_t>(units));
  for (std::size_t i = 0; i < values.size(); ++i)
    if (holds(values[i])) active[static_cast<std::size_t>(static_cast<std::int64_t>(i) / inner % units)] += 1;
  const double each = static_cast<double>(values.size()) / static_cast<double>(units);
  const auto idle = std::count_if(active.begin(), active.end(), [&](double n) { return n < inactive * each; });
  return static_cast<double>(idle) / static_cast<double>(units);
}

}  // namespace

void Debugger::weights_at_the_start() {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const Site& site : net_.sites) {
    if (!site.z.defined()) continue;
    const double v = variance(numbers(site.z));
    low = std::min(low, v);
    high = std::max(high, v);
  }
  if (high > variance_ratio * low) fired_.insert("PoorWeightInitialization");
}

void Debugger::before_update() {
  weights_.clear();
  ++looks_;
  if (looks_ == 1) weights_at_the_start();
  for (const Site& site : net_.sites) {
    const auto gradient = numbers(site.weight.grad()), weight = numbers(site.weight), z = numbers(site.z);
    if (!finite(gradient) || !finite(weight) || !finite(z)) fired_.insert("ExplodingTensor");
    if (mean_size(gradient) < vanishing) fired_.insert("VanishingGradient");
    if (std::all_of(gradient.begin(), gradient.end(), [](float v) { return v == 0; })) fired_.insert("AllZero");
    if (looks_ == 1 && finite(gradient) && !gradient.empty()) {
      auto sorted = gradient;
      std::sort(sorted.begin(), sorted.end());
      const auto at = [&](double share) {
        return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
      };
      if (at(0.95) - at(0.05) < distribution_range) fired_.insert("PoorWeightInitialization");
    }
    weights_.push_back(weight);
    if (z.empty()) continue;
    if (site.activation == "relu" && idle_units(site.z, z, [](float v) { return v > 0; }) > layer_share)
      fired_.insert("DeadRelu");
    if (site.activation == "tanh" &&
        idle_units(site.z, z, [](float v) { return std::abs(v) < tanh_limit; }) > layer_share)
      fired_.insert("SaturatedActivation");
    if (site.activation == "sigmoid" &&
        idle_units(site.z, z, [](float v) { return v > sigmoid_low && v < sigmoid_high; }) > layer_share)
      fired_.insert("SaturatedActivation");
  }
}

void Debugger::after_update(double loss) {
  for (std::size_t i = 0; i < net_.sites.size() && i < weights_.size(); ++i) {
    auto change = numbers(net_.sites[i].weight);
    for (std::size_t k = 0; k < change.size(); ++k) change[k] -= weights_[i][k];
    const double ratio = mean_size(change) / (mean_size(weights_[i]) + 1e-9);
    if (ratio < update_small || ratio > update_large) fired_.insert("WeightUpdateRatio");
  }
  if (!std::isfinite(loss)) fired_.insert("ExplodingTensor");
}

std::set<std::string> debugger_rules_for(const std::string& fault) {
  if (fault == "vanishing_gradient") return {"VanishingGradient", "PoorWeightInitialization", "AllZero"};
  if (fault == "exploding_gradient") return {"ExplodingTensor", "PoorWeightInitialization"};
  if (fault == "poor_initialisation")
    return {"PoorWeightInitialization", "VanishingGradient", "ExplodingTensor", "SaturatedActivation"};
  if (fault == "saturated") return {"SaturatedActivation"};
  if (fault == "dead_units" || fault == "dying" || fault == "too_sparse") return {"DeadRelu", "AllZero"};
  if (fault == "update_too_small") return {"WeightUpdateRatio"};
  if (fault == "update_too_large") return {"WeightUpdateRatio", "ExplodingTensor"};
  if (fault == "non_finite") return {"ExplodingTensor"};
  return {};  // it has no rule for the others
}

}  // namespace ogee::faults
