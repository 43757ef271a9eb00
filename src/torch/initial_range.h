// Where the learned parameters of a module start.
#pragma once

#include <cstddef>

#include "ogee/ogee.h"

namespace ogee::torch_call {

struct Range {
  double low, high;
};

// The activation's value of parameter k, give or take its spread. A noisy unit's p starts around 0 instead, in U(-1, 1)
// (Gulcehre et al. 2016, the authors' program), unless another value than the default was given.
inline Range initial_range(const Activation& activation, std::size_t k) {
  const Spec& spec = activation.spec();
  const Parameter& p = spec.parameters[k];
  const double given = activation.parameters()[k];
  const double centre = spec.noise != Noise::none && p.name == "p" && given == p.value ? 0 : given;
  return {centre - p.spread, centre + p.spread};
}

}  // namespace ogee::torch_call
