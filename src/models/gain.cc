#include "models/gain.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace ogee::models {
namespace {

// E[phi(a, b)^2] by the trapezoidal rule, which converges faster than any power under a Gaussian weight.
double gated_second_moment(const Activation& activation) {
  constexpr double reach = 8, step = 0.1;
  constexpr int points = static_cast<int>(2 * reach / step) + 1;
  double sum = 0, weights = 0;
  for (int i = 0; i < points; ++i) {
    for (int j = 0; j < points; ++j) {
      const double inputs[] = {-reach + i * step, -reach + j * step};
      const double weight = std::exp(-0.5 * (inputs[0] * inputs[0] + inputs[1] * inputs[1]));
      const double value = exact(activation, inputs, activation.spec().noise_at_evaluation, Mode::evaluation).value;
      sum += weight * value * value;
      weights += weight;
    }
  }
  return sum / weights;
}

double gated_gain(const Activation& activation) {
  static std::mutex mutex;
  static std::map<std::pair<const Function*, std::vector<double>>, double> known;
  const std::span<const double> parameters = activation.parameters();
  const std::pair key(&activation.function(), std::vector<double>(parameters.begin(), parameters.end()));
  {
    const std::lock_guard lock(mutex);
    if (const auto found = known.find(key); found != known.end()) return found->second;
  }
  const double made = 1 / std::sqrt(gated_second_moment(activation));
  constexpr std::size_t most = 256;
  const std::lock_guard lock(mutex);
  if (known.size() >= most) known.clear();
  return known.emplace(key, made).first->second;
}

}  // namespace

double gain(const Activation& activation) {
  const double value = activation.spec().inputs == 1 ? properties(activation).gain : gated_gain(activation);
  return std::isfinite(value) ? std::clamp(value, 0.25, 4.0) : 1.0;
}

}  // namespace ogee::models
