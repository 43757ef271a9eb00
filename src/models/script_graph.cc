#include "models/script_graph.h"

#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/remove_mutation.h>

#include <algorithm>
#include <map>
#include <set>

#include "ogee/ogee.h"
#include "torch/aten.h"

namespace ogee::models {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;
namespace prim = c10::prim;

// An operator's name without namespace and the underscore of its in-place form; "" outside of aten.
std::string plain_name(const Node* node) {
  if (!node->kind().is_aten()) return "";
  std::string name = node->kind().toUnqualString();
  if (name.ends_with('_') && !name.ends_with("__")) name.pop_back();
  return name;
}

bool is_one_of(const std::string& name, std::initializer_list<const char*> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_aten(const Value* value, const char* name) { return plain_name(value->node()) == name; }

std::optional<double> constant_number(const Value* value) {
  const auto known = torch::jit::toIValue(value);
  if (!known) return std::nullopt;
  if (known->isDouble()) return known->toDouble();
  if (known->isInt()) return static_cast<double>(known->toInt());
  if (known->isTensor() && known->toTensor().numel() == 1) return known->toTensor().item<double>();
  return std::nullopt;
}

std::vector<c10::IValue> known_arguments(const Node* node) {
  std::vector<c10::IValue> arguments;
  for (const Value* input : node->inputs()) arguments.push_back(torch::jit::toIValue(input).value_or(c10::IValue()));
  return arguments;
}

// x*sigmoid(beta*x), x*tanh(softplus(x)) and x*hardsigmoid(x): what people write who know silu by another name.
struct Composition {
  std::string activation;
  Value* input;
  std::vector<Value*> parts;  // what is computed on the way
};
std::optional<Composition> composition_at(Node* node) {
  if (plain_name(node) != "mul" || node->inputs().size() != 2) return std::nullopt;
  for (const std::size_t i : {0U, 1U}) {
    Value *x = node->input(i), *factor = node->input(1 - i);
    if (factor->node()->inputs().empty()) continue;
    Value* inner = factor->node()->input(0);
    if (is_aten(factor, "sigmoid")) {
      if (inner == x) return Composition{"silu", x, {factor}};
      if (!is_aten(inner, "mul")) continue;
      for (const std::size_t k : {0U, 1U}) {
        const auto beta = constant_number(inner->node()->input(1 - k));
        if (inner->node()->input(k) == x && beta)
          return Composition{Activation("swish").set("beta", *beta).text(), x, {inner, factor}};
      }
    } else if (is_aten(factor, "hardsigmoid") && inner == x) {
      return Composition{"hard_swish", x, {factor}};
    } else if (is_aten(factor, "tanh") && is_aten(inner, "softplus") && inner->node()->input(0) == x) {
      return Composition{"mish", x, {inner, factor}};
    }
  }
  return std::nullopt;
}

// "features.2" from the modules through which a node was inlined, and whether the last of them is more than a cover of
// one operator, so that the operator needs a name of its own.
std::pair<std::string, bool> path_of(const Node* node) {
  std::string path;
  bool code_of_ones_own = true;
  if (!node->callstack()) return {path, code_of_ones_own};
  for (const auto& entry : (*node->callstack())->vec()) {
    const auto& module = std::get<torch::jit::kModuleInstanceInfo>(entry);
    if (!module || module->instance_name() == "SELF") continue;
    path += (path.empty() ? "" : ".") + module->instance_name();
    const auto type = module->class_type();
    code_of_ones_own = !type || type->name()->prefix().find("torch.nn.modules") == std::string::npos;
  }
  return {path, code_of_ones_own};
}

// Visits what is computed from `value`: each user, and through the ends of blocks, until `visit` returns false.
template <class Visit>
void follow(const Value* value, std::set<const Value*>& seen, const Visit& visit) {
  if (!seen.insert(value).second) return;
  for (const torch::jit::Use& use : value->uses()) {
    const Node* user = use.user;
    if (!visit(user, value)) continue;
    if (user->kind() == prim::Return) {
      const Node* owner = user->owningBlock()->owningNode();
      if (!owner) continue;                                             // the graph's own end
      const std::size_t skipped = owner->kind() == prim::Loop ? 1 : 0;  // whether to go on
      if (use.offset >= skipped && use.offset - skipped < owner->outputs().size())
        follow(owner->output(use.offset - skipped), seen, visit);
    } else {
      for (const Value* output : user->outputs()) follow(output, seen, visit);
    }
  }
}

bool is_gate(const Value* output, const std::string& name) {
  if (!is_one_of(name, {"sigmoid", "hardsigmoid", "tanh", "hardtanh", "softplus", "log_sigmoid"})) return false;
  bool found = false;
  std::set<const Value*> seen;
  follow(output, seen, [&](const Node* user, const Value* value) {
    const std::string operation = plain_name(user);
    if (!is_one_of(operation, {"mul", "div", "add", "sub", "rsub", "neg", "lerp", "addcmul", "chunk", "split",
                               "unsqueeze", "expand_as"}))
      return user->kind() == prim::Return || user->kind() == prim::ListConstruct || user->kind() == prim::ListUnpack;
    if (is_one_of(operation, {"mul", "div", "lerp", "addcmul"})) {
      for (const Value* other : user->inputs()) {
        if (other == value || !other->type()->isSubtypeOf(*c10::TensorType::get())) continue;
        if (!attribute_of(other) && !constant_number(other)) found = true;
      }
    }
    return !found;
  });
  return found;
}

bool reaches_the_end(const Value* output) {
  bool found = false;
  std::set<const Value*> seen;
  follow(output, seen, [&](const Node* user, const Value*) {
    if (weight_of(user) >= 0) return false;
    if (user->kind() == prim::Return && !user->owningBlock()->owningNode()) found = true;
    for (const Value* made : user->outputs()) {
      const auto type = made->type();
      if (type->isSubtypeOf(*c10::TensorType::get()) || type->kind() == c10::TypeKind::TupleType ||
          type->kind() == c10::TypeKind::ListType || type->kind() == c10::TypeKind::OptionalType)
        return true;
    }
    return user->kind() == prim::Return || !user->blocks().empty();
  });
  return found;
}

bool holds(const Block* block, c10::Symbol kind) {
  for (const Node* node : block->nodes()) {
    if (node->kind() == kind) return true;
    for (const Block* inner : node->blocks())
      if (holds(inner, kind)) return true;
  }
  return false;
}

// A transformer's encoder layer has a second way, for evaluation only, through one operator that computes layer and
// activation at once. It would go past a replaced activation; the way through single operators is the one to take.
void close_fused_ways(torch::jit::Graph& graph, Block* block) {
  static const c10::Symbol fused = c10::Symbol::fromQualString("aten::_transformer_encoder_layer_fwd");
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) close_fused_ways(graph, inner);
    if (node->kind() != prim::If) continue;
    const bool first = holds(node->blocks()[0], fused), second = holds(node->blocks()[1], fused);
    if (first == second) continue;
    const torch::jit::WithInsertPoint here(node);
    node->replaceInput(0, graph.insertConstant(second));
  }
}

}  // namespace

const char* words_of(PlaceRole role) {
  switch (role) {
    case PlaceRole::hidden: return "hidden";
    case PlaceRole::gate: return "gate";
    case PlaceRole::output: return "output";
  }
  return "";
}

std::optional<std::string> attribute_of(const Value* value) {
  const Node* node = value->node();
  while (is_one_of(plain_name(node), {"t", "transpose", "to", "detach"}) || node->kind() == prim::unchecked_cast ||
         node->kind() == prim::unchecked_unwrap_optional)
    node = node->input(0)->node();
  if (node->kind() != prim::GetAttr) return std::nullopt;
  std::string path;
  for (; node->kind() == prim::GetAttr; node = node->input(0)->node())
    path = node->s(c10::attr::name) + (path.empty() ? "" : "." + path);
  return path;
}

int weight_of(const Node* node) {
  const std::string name = plain_name(node);
  if (is_one_of(name, {"linear", "conv1d", "conv2d", "conv3d", "convolution", "_convolution", "conv_transpose1d",
                       "conv_transpose2d", "conv_transpose3d"}))
    return 1;
  if (is_one_of(name, {"addmm", "baddbmm", "bilinear"})) return 2;
  if (is_one_of(name, {"matmul", "mm", "bmm"})) return attribute_of(node->input(0)) ? 0 : 1;
  if (is_one_of(name, {"lstm", "gru", "rnn_tanh", "rnn_relu"})) return 2;
  return -1;
}

const Value* through_shapes(const Value* value) {
  while (is_one_of(plain_name(value->node()), {"max_pool1d",
                                               "max_pool2d",
                                               "max_pool3d",
                                               "avg_pool1d",
                                               "avg_pool2d",
                                               "avg_pool3d",
                                               "adaptive_avg_pool1d",
                                               "adaptive_avg_pool2d",
                                               "adaptive_avg_pool3d",
                                               "adaptive_max_pool2d",
                                               "dropout",
                                               "feature_dropout",
                                               "alpha_dropout",
                                               "flatten",
                                               "view",
                                               "reshape",
                                               "permute",
                                               "transpose",
                                               "contiguous",
                                               "squeeze",
                                               "unsqueeze",
                                               "mean",
                                               "select",
                                               "slice",
                                               "upsample_nearest2d",
                                               "pad",
                                               "constant_pad_nd",
                                               "to",
                                               "detach",
                                               "clone"}))
    value = value->node()->input(0);
  return value;
}

ScriptGraph::ScriptGraph(const torch::jit::Module& model) {
  const auto method = model.find_method("forward");
  if (!method) throw Error("it has no method forward");
  const auto& arguments = method->function().getSchema().arguments();
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    if (!arguments[i].default_value())
      throw Error(fmt::format("its forward takes {} arguments ({}), expected one tensor", arguments.size() - 1,
                              arguments[i].name()));
    defaults_.push_back(*arguments[i].default_value());
  }
  if (arguments.size() < 2 || !arguments[1].type()->isSubtypeOf(*c10::TensorType::get()))
    throw Error("its forward takes no tensor, expected one");
  graph_ = method->graph()->copy();
  torch::jit::Inline(*graph_);
  torch::jit::ConstantPropagationImmutableTypes(graph_);
  close_fused_ways(*graph_, graph_->block());
  torch::jit::ConstantPropagationImmutableTypes(graph_);
  torch::jit::EliminateDeadCode(graph_);
  // Where that changes nothing but memory, x.relu_() becomes y = x.relu().
  torch::jit::RemoveTensorMutation(graph_);
  find_places(graph_->block(), false);
  name_places();
}

void ScriptGraph::find_places(Block* block, bool repeated) {
  std::map<const Value*, bool> part;  // of a composition further down
  for (Node* node : block->nodes()) {
    if (const auto found = composition_at(node))
      for (const Value* value : found->parts) part[value] = true;
  }
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) find_places(inner, repeated || node->kind() == prim::Loop);
    const std::string name = plain_name(node);
    if (is_one_of(name,
                  {"lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"}))
      notes_.push_back(fmt::format("{}: aten::{} has its activations inside of one operator, and keeps them",
                                   path_of(node).first, name));
    if (is_one_of(name, {"rand", "randn", "rand_like", "randn_like", "randint", "bernoulli", "normal", "uniform",
                         "rrelu", "multinomial"}))
      notes_.push_back(
          fmt::format("aten::{} draws from the process's one generator: with several workers the same "
                      "command may give other results",
                      name));
    Place place;
    place.repeated = repeated;
    place.name = name;
    if (const auto found = composition_at(node)) {
      place.activation = found->activation;
      place.input = found->input;
      for (const Value* value : found->parts)
        place.operators += std::string(value->node()->kind().toQualString()) + ", ";
      place.name = Activation(found->activation).spec().name;
    } else if (torch_call::is_aten_activation(name) && !node->outputs().empty() && !part.contains(node->output(0))) {
      const std::vector<c10::IValue> arguments = known_arguments(node);
      const auto text =
          torch_call::aten_activation(name, c10::ArrayRef<const c10::IValue>(arguments.data(), arguments.size()));
      if (!text) continue;
      place.activation = *text;
      place.input = node->input(0);
      if (name == "glu") {
        place.inputs = 2;
        place.gate_dim = static_cast<std::int64_t>(constant_number(node->input(1)).value_or(-1));
      }
    } else {
      continue;
    }
    if (!place.activation.empty()) place.activation = Activation(place.activation).text();
    place.output = node->output(0);
    place.operators += node->kind().toQualString();
    place.writes_in_place = std::string(node->kind().toUnqualString()) != name;
    place.role = is_gate(place.output, name)     ? PlaceRole::gate
                 : reaches_the_end(place.output) ? PlaceRole::output
                                                 : PlaceRole::hidden;
    const Node* before = through_shapes(place.input)->node();
    place.units_last = is_one_of(plain_name(before), {"linear", "addmm", "matmul", "layer_norm"});
    if (is_one_of(plain_name(before), {"batch_norm", "layer_norm", "group_norm", "instance_norm"}))
      before = through_shapes(before->input(0))->node();
    if (const int at = weight_of(before); at >= 0)
      place.weight = attribute_of(before->input(static_cast<std::size_t>(at))).value_or("");
    places_.push_back(std::move(place));
  }
}

void ScriptGraph::name_places() {
  std::map<std::string, int> used;
  for (Place& place : places_) {
    const auto [path, code_of_ones_own] = path_of(place.output->node());
    if (path.empty() || code_of_ones_own)
      place.name = path + (path.empty() ? "" : ".") + place.name;
    else
      place.name = path;
    if (const int times = ++used[place.name]; times > 1) place.name += fmt::format("#{}", times);
  }
}

bool has_operator(const torch::jit::Block* block, const std::string& name) {
  for (const torch::jit::Node* node : block->nodes()) {
    if (name == node->kind().toQualString()) return true;
    for (const torch::jit::Block* inner : node->blocks())
      if (has_operator(inner, name)) return true;
  }
  return false;
}

}  // namespace ogee::models
