// The graph of a TorchScript model: everything it calls inlined, and the places in it where activations are.
#pragma once

#include <torch/script.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ogee::models {

enum class PlaceRole {
  hidden,  // between layers
  gate,  // a bounded function whose result multiplies another tensor, as in recurrent cells and attention over channels
  output  // no weight comes after it
};
const char* words_of(PlaceRole role);

// One call of an activation in the inlined graph. A module that is called twice has two.
struct Place {
  std::string name;        // the module's path ("features.2"); in code of one's own the operator's name follows
                           // ("block.relu"), and a number where that is not unique ("block.relu#2")
  std::string operators;   // "aten::relu", or "aten::sigmoid, aten::mul" of a composition
  std::string activation;  // as ogee::Activation reads it; "" if Ogee has no such function
  PlaceRole role = PlaceRole::hidden;
  std::size_t inputs = 1;  // 2: a gated unit, whose input packs the value first and then the gate, along gate_dim
  std::int64_t gate_dim = -1;
  bool units_last = false;       // units lie along the last dimension, not along the second
  bool repeated = false;         // inside a loop
  bool writes_in_place = false;  // into memory that is read otherwise, too
  std::string weight;            // of the layer that makes its input, as the model names it; "" if that is not known
  torch::jit::Value *input = nullptr, *output = nullptr;
};

class ScriptGraph {
 public:
  // Throws Error on a model whose forward takes anything but one tensor.
  explicit ScriptGraph(const torch::jit::Module& model);

  const std::shared_ptr<torch::jit::Graph>& graph() const { return graph_; }
  const std::vector<Place>& places() const { return places_; }
  // What bears on a comparison and is no place: activations inside of other operators, say.
  const std::vector<std::string>& notes() const { return notes_; }
  // Of forward's arguments after the first, their default values.
  const std::vector<c10::IValue>& defaults() const { return defaults_; }

 private:
  void find_places(torch::jit::Block* block, bool repeated);
  void name_places();

  std::shared_ptr<torch::jit::Graph> graph_;
  std::vector<Place> places_;
  std::vector<std::string> notes_;
  std::vector<c10::IValue> defaults_;
};

// The attribute that a value is ("conv1.weight"), also where it is transposed or cast first; nullopt if it is none.
std::optional<std::string> attribute_of(const torch::jit::Value* value);
// Where the operator multiplies by a weight: its position among the inputs. -1: it does not.
int weight_of(const torch::jit::Node* node);
// Whether some operator is this one ("aten::batch_norm"), in inner blocks, too.
bool has_operator(const torch::jit::Block* block, const std::string& name);
// What comes before a value, through operators that only pick, move or average elements, or drop some.
const torch::jit::Value* through_shapes(const torch::jit::Value* value);

}  // namespace ogee::models
