// ogee::nn::NTM.
#include <cmath>
#include <utility>

#include "torch/apply.h"
#include "torch/gates.h"
#include "torch/initial_range.h"
#include "torch/memory/step.h"
#include "torch/recurrent/sequence.h"

namespace ogee::nn {
namespace {

constexpr const char* module_name = "ogee::nn::NTM";

std::vector<std::string> gates_of(const NTMOptions& o) {
  if (o.controller() == "feedforward") return {"units"};
  return torch_call::recurrent::gate_names(Cell::lstm);
}

}  // namespace

NTMImpl::NTMImpl(NTMOptions how) : options(std::move(how)) {
  TORCH_CHECK(options.controller() == "lstm" || options.controller() == "feedforward", module_name, ": controller is ",
              options.controller(), ", expected lstm or feedforward");
  for (const auto& [what, size] : {std::pair("input_size", options.input_size()),
                                   {"output_size", options.output_size()},
                                   {"controller_size", options.controller_size()},
                                   {"locations", options.locations()},
                                   {"width", options.width()},
                                   {"read_heads", options.read_heads()},
                                   {"write_heads", options.write_heads()}})
    TORCH_CHECK(size >= 1, module_name, ": ", what, " must be at least 1, not ", size);
  for (const std::string& gate : gates_of(options)) {
    activations_.emplace_back(gate.ends_with("_gate") ? options.sigmoid() : options.tanh());
    const Spec& spec = activations_.back().spec();
    TORCH_CHECK(spec.inputs == 1, module_name, ": ", gate, ": ", spec.name, " takes two inputs; expected one");
    for (std::size_t i = 0; i < spec.parameters.size(); ++i) {
      if (spec.parameters[i].role != Role::learned) continue;
      const auto [low, high] = torch_call::initial_range(activations_.back(), i);
      learned_.push_back({gate + "_" + std::string(spec.parameters[i].name), low, high});
    }
  }
  reset();
}

MemoryShape NTMImpl::shape() const {
  return {options.locations(), options.width(), options.read_heads(), options.write_heads()};
}

void NTMImpl::reset() {
  const auto there = named_parameters(false);
  const auto make = [&](const std::string& what, std::vector<std::int64_t> sizes) {
    if (!there.contains(what)) register_parameter(what, torch::empty(sizes));
  };
  const MemoryShape memory = shape();
  const std::int64_t units = options.controller_size(), seen = memory.reads * memory.width;
  const bool lstm = options.controller() == "lstm";
  const std::int64_t rows = (lstm ? 4 : 1) * units;
  make("weight_ih", {rows, options.input_size() + seen});
  if (lstm) make("weight_hh", {rows, units});
  make("bias_ih", {rows});
  for (const Learned& p : learned_) make(p.name, {units});
  make("weight_interface", {memory.interface_size(), units});
  make("bias_interface", {memory.interface_size()});
  make("weight_output", {options.output_size(), units + seen});
  make("bias_output", {options.output_size()});
  make("first_reads", {memory.reads, memory.width});
  make("first_weights", {memory.heads(), memory.locations});
  reset_parameters();
}

void NTMImpl::reset_parameters() {
  const torch::NoGradGuard no_grad;
  const at::Generator random = torch_call::current_generator();
  const double bound = 1 / std::sqrt(static_cast<double>(options.controller_size()));
  for (auto& entry : named_parameters(false)) {
    double low = -bound, high = bound;
    for (const Learned& p : learned_)
      if (entry.key() == p.name) std::tie(low, high) = std::pair(p.low, p.high);
    // The locations must differ at first: nothing else tells them apart, in a memory that is the same everywhere.
    if (entry.key() == "first_weights")
      entry.value().normal_(0, 1, random);
    else if (low < high)
      entry.value().uniform_(low, high, random);
    else
      entry.value().fill_(low);
  }
}

void NTMImpl::pretty_print(std::ostream& stream) const {
  stream << module_name << "(" << options.input_size() << ", " << options.output_size() << ", " << options.controller()
         << " of " << options.controller_size() << ", memory=" << options.locations() << "x" << options.width()
         << ", read_heads=" << options.read_heads() << ", write_heads=" << options.write_heads();
  const std::vector<std::string> gates = gates_of(options);
  for (std::size_t k = 0; k < gates.size(); ++k) stream << ", " << gates[k] << "=" << activations_[k].text();
  stream << ")";
}

void NTMImpl::set(const std::string& parameter, double value) {
  torch_call::set_parameter(activations_, module_name, parameter, value);
}

torch::Tensor NTMImpl::held(const std::string& what) const { return named_parameters(false)[what]; }

RecurrentLayer NTMImpl::controller() const {
  RecurrentLayer layer;
  layer.activations = activations_;
  layer.weight_ih = held("weight_ih");
  layer.weight_hh = held("weight_hh");
  layer.bias_ih = held("bias_ih");
  for (const Learned& p : learned_) layer.learned.push_back(held(p.name));
  layer.training = is_training();
  return layer;
}

NTMState NTMImpl::initial_state(std::int64_t batch) const {
  const MemoryShape s = shape();
  const torch::Tensor reads = held("first_reads");
  NTMState state;
  state.memory.memory = at::full({batch, s.width, s.locations}, 1e-6, reads.options().requires_grad(false));
  state.memory.weights = at::softmax(held("first_weights"), 1).expand({batch, s.heads(), s.locations});
  state.memory.reads = reads.expand({batch, s.reads, s.width});
  return state;
}

std::tuple<torch::Tensor, NTMState> NTMImpl::forward(const torch::Tensor& x, torch::optional<NTMState> given) {
  TORCH_CHECK(x.defined() && x.dim() == 3, module_name, ": x must have 3 dimensions",
              x.defined() ? ", not " + std::to_string(x.dim()) : std::string(", but is undefined"));
  TORCH_CHECK(x.size(2) == options.input_size(), module_name, ": the last dimension of x must be ",
              options.input_size(), ", but its shape is ", x.sizes());
  const torch::Tensor steps = options.batch_first() ? x.transpose(0, 1) : x;
  TORCH_CHECK(steps.size(0) >= 1, module_name, ": x has no time steps");
  const MemoryShape memory = shape();
  NTMState state = given.has_value() ? *given : initial_state(steps.size(1));
  TORCH_CHECK(state.memory.reads.defined() &&
                  state.memory.reads.sizes() == at::IntArrayRef({steps.size(1), memory.reads, memory.width}),
              module_name, ": the state's reads must have the shape ",
              at::IntArrayRef({steps.size(1), memory.reads, memory.width}));
  const bool lstm = options.controller() == "lstm";
  const torch::Tensor w_in = held("weight_ih"), b_in = held("bias_ih"), w_interface = held("weight_interface"),
                      b_interface = held("bias_interface");
  const RecurrentLayer layer = lstm ? controller() : RecurrentLayer();
  std::vector<torch::Tensor> learned;  // by the spec's parameters; undefined: fixed
  if (!lstm)
    for (const Parameter& p : activations_[0].spec().parameters)
      learned.push_back(p.role == Role::learned ? held("units_" + std::string(p.name)) : torch::Tensor());
  std::vector<torch::Tensor> shown;
  for (const torch::Tensor& step : steps.unbind(0)) {
    const torch::Tensor input = at::cat({step, state.memory.reads.flatten(1)}, 1);
    torch::Tensor h;
    if (lstm) {
      const RecurrentOutput out = recurrent(layer, input.unsqueeze(0), state.h, state.c);
      h = state.h = out.h;
      state.c = out.c;
    } else {
      ApplyOptions how;
      how.training = is_training();
      how.channel_dim = -1;
      h = ogee::apply(activations_[0], at::linear(input, w_in, b_in), learned, how);
    }
    state.memory = memory_step(memory, at::linear(h, w_interface, b_interface), state.memory);
    shown.push_back(at::cat({h, state.memory.reads.flatten(1)}, 1));
  }
  // Nothing of a step waits for its answer: all are one product.
  const torch::Tensor y = at::linear(at::stack(shown), held("weight_output"), held("bias_output"));
  return {options.batch_first() ? y.transpose(0, 1) : y, state};
}

}  // namespace ogee::nn
