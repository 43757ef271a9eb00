// New first weights for a TorchScript model.
#pragma once

#include <torch/script.h>

#include <functional>
#include <string>
#include <vector>

#include "models/script_graph.h"

namespace ogee::models {

// Draws every weight that the graph multiplies by from N(0, gain^2/fan_in), in the order of their first use. The gain
// is that of what feeds the layer: `gain_of(place)` behind an activation (through pooling, flattening and dropout), 1
// behind anything else (the input, a normalisation, a sum). Biases become 0; normalisations start as the identity, with
// statistics of mean 0 and variance 1; embeddings come from N(0, 1); recurrent layers from U(-1/sqrt(h), 1/sqrt(h)).
// Returns the names of the parameters that are none of these and keep their values, sorted.
std::vector<std::string> draw_weights(torch::jit::Module& model, const ScriptGraph& script,
                                      const std::function<double(const Place&)>& gain_of, at::Generator random);

}  // namespace ogee::models
