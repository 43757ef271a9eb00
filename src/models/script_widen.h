// Room for gated activations in a TorchScript model.
#pragma once

#include <torch/script.h>

#include <string>

#include "models/script_graph.h"

namespace ogee::models {

// Why the layer before an ungated place cannot be made twice as wide; "" if it can: it must be a linear layer or a
// convolution in one group, with nothing but a batch normalisation in between, and nothing else may use what it makes
// or its weights.
std::string why_not_widened(const ScriptGraph& script, const Place& place);
// Doubles that layer's outputs, and the normalisation's. New weights repeat the old ones: they are to be drawn anew.
void widen(torch::jit::Module& model, const Place& place);
// The dimension along which the widened layer's outputs lie.
std::int64_t widened_dim(const Place& place);

}  // namespace ogee::models
