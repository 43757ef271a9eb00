// The part of `ogee show` that needs LibTorch: a TorchScript file's activations, parameters and inputs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ogee::cli {

// Whether the argument of `ogee show` means a model file and not a function.
bool names_a_model(const std::string& text);
// `input`: the shape of an input to run the model on once, for the shapes and counts of what it passes; empty: not run.
// Throws Error.
void show_model(const std::string& path, const std::vector<std::int64_t>& input, bool json);

}  // namespace ogee::cli
