#include "models/script_widen.h"

#include <torch/csrc/jit/ir/constants.h>

#include <fmt/format.h>

#include <set>

#include "ogee/ogee.h"

namespace ogee::models {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;

bool is_normalisation(const Node* node) { return node->kind() == c10::Symbol::fromQualString("aten::batch_norm"); }

// The layer's own node, before the normalisation if there is one.
const Node* layer_of(const Place& place) {
  const Node* node = place.input->node();
  return is_normalisation(node) ? node->input(0)->node() : node;
}

// The attributes whose first dimension is the layer's outputs.
std::vector<const Value*> widened_values(const Place& place) {
  const Node* layer = layer_of(place);
  std::vector<const Value*> values{layer->input(1), layer->input(2)};
  if (const Node* node = place.input->node(); is_normalisation(node))
    for (std::size_t i = 1; i <= 4; ++i) values.push_back(node->input(i));
  return values;
}

bool makes_tensors(const Node* node) {
  for (const Value* output : node->outputs()) {
    const auto kind = output->type()->kind();
    if (kind == c10::TypeKind::TensorType || kind == c10::TypeKind::TupleType) return true;
  }
  return false;
}

// Whether a use only asks questions, such as the number of dimensions, that end in no tensor.
bool only_asks(const Node* user) {
  if (user->kind() == c10::prim::Return) {  // of a block: on it goes where the block's owner does
    const Node* owner = user->owningBlock()->owningNode();
    return owner && only_asks(owner);
  }
  if (makes_tensors(user)) return false;
  for (const Value* output : user->outputs())
    for (const auto& use : output->uses())
      if (!only_asks(use.user)) return false;
  return true;
}

// Whether `value` goes to `node` alone, be it through the parts of a composition, which go nowhere else.
bool goes_only_to(const Value* value, const Node* node) {
  for (const auto& use : value->uses()) {
    if (use.user == node || only_asks(use.user)) continue;
    if (use.user->outputs().size() != 1 || use.user->output()->uses().size() != 1) return false;
    if (!goes_only_to(use.user->output(), node)) return false;
  }
  return true;
}

int uses_of_attribute(const Block* block, const std::string& name) {
  int uses = 0;
  for (const Node* node : block->nodes()) {
    if (node->kind() != c10::prim::GetAttr)
      for (const Value* input : node->inputs())
        if (input->node()->kind() == c10::prim::GetAttr && attribute_of(input) == name) ++uses;
    for (const Block* inner : node->blocks()) uses += uses_of_attribute(inner, name);
  }
  return uses;
}

bool is_none(const Value* value) {
  const auto known = torch::jit::toIValue(value);
  return known && known->isNone();
}

}  // namespace

std::string why_not_widened(const ScriptGraph& script, const Place& place) {
  const Node* layer = layer_of(place);
  const std::string kind = layer->kind().toQualString();
  const bool linear = kind == "aten::linear";
  const int groups_at = kind == "aten::_convolution" ? 8 : kind.starts_with("aten::conv") ? 6 : -1;
  const bool convolution = groups_at > 0 && kind.find("transpose") == std::string::npos;
  if (!linear && !convolution)
    return "what makes its input is no linear layer or convolution, possibly with a batch normalisation in between";
  if (convolution) {
    if (kind == "aten::_convolution" && torch::jit::toIValue(layer->input(6)).value_or(true).toBool())
      return "the convolution before it is transposed";
    if (torch::jit::toIValue(layer->input(static_cast<std::size_t>(groups_at))).value_or(0) != c10::IValue(1))
      return "the convolution before it has groups";
  }
  if (!goes_only_to(place.input, place.output->node()) ||
      (layer != place.input->node() && !goes_only_to(layer->output(), place.input->node())))
    return "something else uses what the layer before it makes";
  for (const Value* value : widened_values(place)) {
    if (is_none(value)) continue;
    const auto name = attribute_of(value);
    if (!name || value->node()->kind() != c10::prim::GetAttr) return "the weights of the layer before it are computed";
    if (uses_of_attribute(script.graph()->block(), *name) != 1) return *name + " has other uses, too";
  }
  return "";
}

void widen(torch::jit::Module& model, const Place& place) {
  const torch::NoGradGuard no_gradients;
  for (const Value* value : widened_values(place)) {
    if (is_none(value)) continue;
    std::string name = *attribute_of(value);
    torch::jit::Module owner = model;
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.')) {
      owner = owner.attr(name.substr(0, dot)).toModule();
      name = name.substr(dot + 1);
    }
    const c10::IValue held = owner.attr(name);
    if (held.isNone()) continue;  // an optional bias
    const at::Tensor narrow = held.toTensor();
    owner.setattr(name, at::cat({narrow, narrow}).set_requires_grad(narrow.requires_grad()));
  }
}

std::int64_t widened_dim(const Place& place) {
  return layer_of(place)->kind() == c10::Symbol::fromQualString("aten::linear") ? -1 : 1;
}

}  // namespace ogee::models
