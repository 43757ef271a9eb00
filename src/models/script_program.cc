#include "models/script_program.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <algorithm>

#include "torch/apply.h"

namespace ogee::models {
namespace {

using torch::jit::Block;
using torch::jit::NamedValue;
using torch::jit::Node;
using torch::jit::Operator;
using torch::jit::Stack;
using torch::jit::Value;

constexpr const char* layout_names[] = {"two", "gate_first", "gate_last", "interleaved"};

thread_local const Witness* current_witness = nullptr;

class WitnessGuard {
 public:
  explicit WitnessGuard(const Witness* witness) : previous_(current_witness) { current_witness = witness; }
  ~WitnessGuard() { current_witness = previous_; }
  WitnessGuard(const WitnessGuard&) = delete;
  WitnessGuard& operator=(const WitnessGuard&) = delete;

 private:
  const Witness* previous_;
};

void see(Stack& stack) {
  const auto place = static_cast<std::size_t>(torch::jit::pop(stack).toInt());
  if (current_witness) {
    at::Tensor input = torch::jit::pop(stack).toTensor();
    stack.emplace_back((*current_witness)(place, std::move(input)));
  }
}

void drop_out(Stack& stack) {
  const bool feature_wise = torch::jit::pop(stack).toBool();
  const bool training = torch::jit::pop(stack).toBool();
  const double probability = torch::jit::pop(stack).toDouble();
  const at::Tensor x = torch::jit::pop(stack).toTensor();
  if (!training || probability == 0) {
    stack.emplace_back(x);
    return;
  }
  std::vector<std::int64_t> shape = x.sizes().vec();
  if (feature_wise)
    for (std::size_t i = 2; i < shape.size(); ++i) shape[i] = 1;
  at::Tensor mask = at::empty(shape, at::TensorOptions().dtype(x.dtype()));
  mask.bernoulli_(1 - probability, torch_call::current_generator());
  if (probability < 1) mask.div_(1 - probability);
  stack.emplace_back(x * mask.to(x.device()));
}

const torch::jit::RegisterOperators registered({
    Operator("ogee_model::see(Tensor z, int place) -> Tensor", see, c10::AliasAnalysisKind::CONSERVATIVE),
    Operator("ogee_model::drop_out(Tensor x, float p, bool training, bool feature_wise) -> Tensor", drop_out,
             c10::AliasAnalysisKind::CONSERVATIVE),
});

void own_dropouts(torch::jit::Graph& graph, Block* block) {
  for (auto iterator = block->nodes().begin(); iterator != block->nodes().end();) {
    Node* node = *iterator++;
    for (Block* inner : node->blocks()) own_dropouts(graph, inner);
    const std::string name = node->kind().toQualString();
    if (name != "aten::dropout" && name != "aten::feature_dropout") continue;
    const torch::jit::WithInsertPoint here(node);
    Value* result = graph.insert(c10::Symbol::fromQualString("ogee_model::drop_out"),
                                 {node->input(0), node->input(1), node->input(2), name == "aten::feature_dropout"});
    result->setType(node->output()->type());
    node->output()->replaceAllUsesWith(result);
    node->destroy();
  }
}

Value* insert_see(torch::jit::Graph& graph, const Place& place, std::size_t seen_as) {
  return graph.insert(c10::Symbol::fromQualString("ogee_model::see"),
                      {place.input, static_cast<std::int64_t>(seen_as)});
}

}  // namespace

Value* training_switch(ScriptGraph& script) {
  return script.graph()->addInput("training")->setType(c10::BoolType::get());
}

void replace(ScriptGraph& script, std::size_t index, const nn::Activation& unit, std::size_t seen_as, Value* training) {
  const Place& place = script.places()[index];
  torch::jit::Graph& graph = *script.graph();
  const Activation& activation = unit->activation();
  const Spec& spec = activation.spec();
  // The arguments by their order in the operator's schema (src/torch/operators.cc).
  const torch::jit::WithInsertPoint here(place.output->node());
  std::vector<NamedValue> arguments{insert_see(graph, place, seen_as)};
  if (spec.inputs == 2) arguments.emplace_back(c10::IValue());
  bool learned = false;
  for (const Parameter& parameter : spec.parameters) {
    const bool tensor = parameter.role == Role::learned;
    learned = learned || tensor;
    Value* input = graph.addInput();
    input->setType(tensor ? c10::TypePtr(c10::TensorType::get()) : c10::TypePtr(c10::FloatType::get()));
    arguments.emplace_back(input);
  }
  if (learned) arguments.emplace_back(c10::IValue(unit->options.channel_dim()));
  if (spec.inputs == 2) {
    arguments.emplace_back(c10::IValue(layout_names[static_cast<std::size_t>(unit->options.layout())]));
    arguments.emplace_back(c10::IValue(unit->options.gate_dim()));
  }
  if (spec.noise != Noise::none) arguments.emplace_back(training);
  Value* result = graph.insert(c10::Symbol::fromQualString("ogee::" + std::string(spec.name)), arguments);
  place.output->replaceAllUsesWith(result);
}

void append_parameters(const nn::Activation& unit, std::vector<c10::IValue>& inputs) {
  const Spec& spec = unit->activation().spec();
  for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
    if (spec.parameters[k].role == Role::learned)
      inputs.emplace_back(unit->parameter_tensors()[k]);
    else
      inputs.emplace_back(unit->activation().parameters()[k]);
  }
}

ScriptProgram::ScriptProgram(torch::jit::Module model, ScriptGraph& script)
    : model_(std::move(model)), defaults_(script.defaults()) {
  own_dropouts(*script.graph(), script.graph()->block());
  torch::jit::EliminateDeadCode(script.graph());
  code_ = torch::jit::Code(script.graph(), "forward");
}

c10::IValue ScriptProgram::run(const at::Tensor& x, const std::vector<c10::IValue>& further,
                               const Witness* witness) const {
  Stack stack{model_._ivalue(), x};
  stack.insert(stack.end(), defaults_.begin(), defaults_.end());
  stack.insert(stack.end(), further.begin(), further.end());
  const WitnessGuard guard(witness);
  torch::jit::InterpreterState(code_).run(stack);
  return torch::jit::pop(stack);
}

std::vector<Sighting> sightings(torch::jit::Module model, const at::Tensor& x, bool training) {
  model.train(training);
  ScriptGraph script(model);
  for (std::size_t i = 0; i < script.places().size(); ++i) {
    const Place& place = script.places()[i];
    const torch::jit::WithInsertPoint here(place.output->node());
    insert_see(*script.graph(), place, i);
  }
  std::vector<Sighting> seen;
  const Witness witness = [&](std::size_t place, at::Tensor input) {
    const auto known = std::find_if(seen.begin(), seen.end(), [&](const auto& s) { return s.place == place; });
    if (known == seen.end())
      seen.push_back({place, input.sizes().vec(), 1});
    else
      ++known->times;
    return input;
  };
  const torch::NoGradGuard no_gradients;
  ScriptProgram(model, script).run(x, {}, &witness);
  return seen;
}

}  // namespace ogee::models
