#include "models/gain.h"

#include <algorithm>
#include <cmath>

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

}  // namespace

double gain(const Activation& activation) {
  const double value =
      activation.spec().inputs == 1 ? properties(activation).gain : 1 / std::sqrt(gated_second_moment(activation));
  return std::isfinite(value) ? std::clamp(value, 0.25, 4.0) : 1.0;
}

}  // namespace ogee::models
