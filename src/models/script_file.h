// TorchScript files: reading one, and asking its model about examples.
#pragma once

#include <torch/script.h>

#include <cstdint>
#include <string>

#include "data/dataset.h"

namespace ogee::models {

// Whether a model's name means such a file rather than a network of ours: it ends in .pt, .pth or .ts.
bool names_a_script(const std::string& model);

// The file's bytes, so that every later model is made of the same ones. Throws Error.
std::string read_script(const std::string& path);
// A model of its own: code, weights and all. From any thread; `path` is for messages. Throws Error on what is no
// TorchScript file.
torch::jit::Module parse_script(const std::string& bytes, const std::string& path);

// What went wrong, in a line: LibTorch's message without its traceback.
std::string reason_of(const std::exception& error);
// "[64, 1, 28, 28]"
std::string shape_text(at::IntArrayRef shape);

// The model's result for `examples` examples as a task takes it: [examples, classes], [examples, 1] for a regression,
// [examples, tokens, vocabulary] for a text, [examples, answers] for a forecast; of a tuple, its first part. Throws
// Error where it fits the data's answers no way.
at::Tensor fitted_output(const c10::IValue& result, std::int64_t examples, const data::Dataset& data);
// Whether the model takes pictures as rows of pixels. Tries it in evaluation mode, on a copy; throws what the model or
// `fitted_output` throws where neither form will do.
bool wants_rows(torch::jit::Module& model, const data::Dataset& data);

}  // namespace ogee::models
