// How an arm's training went, over its seeds: parts of results.json.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>

#include "lab/arm.h"

namespace ogee::lab {

// Epoch by epoch: losses and errors as {mean, low, high} of 95 %, and the gradient's norm at the first activation over
// that at the last; attributes that follow a schedule likewise, by name under "scheduled".
nlohmann::ordered_json curve_of(const Arm& arm);

// Layer by layer, at no more than a dozen epochs and layers, evenly chosen, the first and last among them:
// {epochs, layers (from 1), gradients: [epoch][layer] geometric means over seeds, low, high, histograms:
// [epoch][layer][bin] shares of what goes into the activation in the run of seed 1, in thousandths}.
nlohmann::ordered_json layers_of(const Arm& arm);

// JSON has no infinities, and no NaN.
inline nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

}  // namespace ogee::lab
