// A model's graph, changed as a comparison needs it, and run.
#pragma once

#include <torch/csrc/jit/runtime/interpreter.h>
#include <torch/script.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "models/script_graph.h"
#include "ogee/torch.h"

namespace ogee::models {

// Appends an input to the graph: whether noise is on.
torch::jit::Value* training_switch(ScriptGraph& script);
// Puts `unit` in a place of the graph: the operator ogee::NAME, with the unit's parameters as further inputs of the
// graph, noise as `training` says, and witnesses told of place `seen_as`.
void replace(ScriptGraph& script, std::size_t place, const nn::Activation& unit, std::size_t seen_as,
             torch::jit::Value* training);
// The values of these inputs as they are now.
void append_parameters(const nn::Activation& unit, std::vector<c10::IValue>& inputs);

// Told of the input of every place with an operator of ours that is passed, on the thread that runs the program;
// returns what goes on.
using Witness = std::function<at::Tensor(std::size_t place, at::Tensor input)>;

// Runs operators one by one, in the graph's order, without the optimisations of LibTorch's executors: those keep
// statistics of what they ran, and hide from a monitor which weights an operator belongs to.
class ScriptProgram {
 public:
  // Takes the graph over. Dropout draws from the thread's generator (GeneratorGuard), so that a run is the same
  // whatever runs beside it.
  ScriptProgram(torch::jit::Module model, ScriptGraph& script);

  // `further`: the graph's inputs after the model's own.
  c10::IValue run(const at::Tensor& x, const std::vector<c10::IValue>& further = {},
                  const Witness* witness = nullptr) const;

 private:
  torch::jit::Module model_;
  std::vector<c10::IValue> defaults_;
  torch::jit::Code code_;
};

// What a place saw in one run of the model on `x`, in the order in which they were first passed.
struct Sighting {
  std::size_t place = 0;
  std::vector<std::int64_t> shape;  // the first time
  std::int64_t times = 0;
};
// Without gradients; `model` is used up, as its normalisations may move. Throws what the model throws.
std::vector<Sighting> sightings(torch::jit::Module model, const at::Tensor& x, bool training);

}  // namespace ogee::models
