// A neural Turing machine (Graves, Wayne, Danihelka 2014, 1410.5401): `depth` layers of `width` units as controller,
// and a memory that it reads and writes by heads which find their places by content, by the places before, or beside
// them (ogee/torch_memory.h). The activations compared are the controller's: where an LSTM has tanh, with gates=all in
// the place of its sigmoids too, or every layer's of a feedforward one. What bounds and interprets the numbers for the
// heads stays as it is.
//
// The controller sees the input and what was read a step before; the answer is made from its last layer and what is
// read now. What is read first, and where heads look first, is learned; the memory starts with 1e-6 everywhere (Collier
// and Beel 2018, 1807.08518).
#include <cmath>

#include "models/gates.h"
#include "models/network.h"
#include "ogee/torch_memory.h"

namespace ogee::models {
namespace {

class Ntm : public Network {
 public:
  Ntm(const Settings& settings, const data::Dataset& data, at::Generator random)
      : Network(settings, std::move(random)),
        text_(data.text()),
        stepwise_(data.stepwise()),
        feedforward_(settings.memory.feedforward),
        all_gates_(settings.all_gates),
        units_(settings.width),
        shape_{settings.memory.locations, settings.memory.width, settings.memory.reads, settings.memory.writes} {
    if (all_gates_) functions_ = gate_functions(settings.activation);
    std::int64_t features = text_ ? units_ : sequence_features(data);
    if (text_) embedding_ = weights("embedding", {data.outputs(), units_}, std::sqrt(units_));
    const std::int64_t seen = shape_.reads * shape_.width;
    features += seen;
    for (std::int64_t i = 0; i < settings.depth; ++i, features = units_) add_controller(features);
    interface_ = map("interface", {shape_.interface_size(), units_}, gain_);
    output_ = map("output", {data.outputs(), units_ + seen}, gain_);
    first_reads_ = weights("first_reads", {seen}, 0.1);
    // Drawn wide: the locations must differ at first, as nothing else tells them apart in an empty memory.
    first_weights_ =
        weights("first_look", {shape_.heads(), shape_.locations}, std::sqrt(static_cast<double>(shape_.locations)));
  }

  at::Tensor forward(at::Tensor x) override {
    x = text_ ? at::embedding(embedding_, x.t()) : as_sequence(x).transpose(0, 1);  // [steps, n, features]
    const std::int64_t examples = x.size(1);
    std::vector<RecurrentLayer> fused;
    if (!feedforward_)
      for (std::size_t i = 0; i < controller_.size(); ++i) fused.push_back(fused_layer(i));
    std::vector<State> states(controller_.size());
    const at::TensorOptions plain = output_.weight.options().requires_grad(false);
    for (State& state : states) state.h = state.c = torch::zeros({examples, units_}, plain);
    MemoryState memory;
    memory.memory = at::full({examples, shape_.width, shape_.locations}, 1e-6, plain);
    memory.weights = at::softmax(first_weights_, 1).expand({examples, shape_.heads(), shape_.locations});
    at::Tensor read = first_reads_.expand({examples, first_reads_.size(0)});
    std::vector<at::Tensor> shown;
    for (const at::Tensor& step : x.unbind(0)) {
      at::Tensor h = at::cat({step, read}, 1);
      for (std::size_t i = 0; i < controller_.size(); ++i) {
        if (feedforward_) {
          const Map& in = controller_[i].in;
          h = recording ? activate_step(i, at::linear(h, in.weight, in.bias)) : activate_mapped(i, h, in);
        } else {
          h = lstm_step(i, fused[i], h, states[i]);
        }
      }
      memory = memory_step(shape_, at::linear(h, interface_.weight, interface_.bias), memory);
      read = memory.reads.flatten(1);
      if (stepwise_ || shown.empty())
        shown.push_back(at::cat({h, read}, 1));
      else
        shown[0] = at::cat({h, read}, 1);
    }
    end_steps();
    const at::Tensor y = at::linear(stepwise_ ? at::stack(shown) : shown[0], output_.weight, output_.bias);
    return stepwise_ ? y.transpose(0, 1) : y;
  }

 private:
  struct Controller {
    Map in;
    at::Tensor recurrent;     // lstm: in the order of its gates: i, f, g, o
    std::size_t layers_from;  // of Network::layers
  };
  struct State {
    at::Tensor h, c;  // [n, units]
  };

  void add_controller(std::int64_t features) {
    const bool first = controller_.empty();
    const std::string name = "controller" + std::to_string(controller_.size() + 1);
    Controller controller;
    controller.layers_from = layers.size();
    if (feedforward_) {
      controller.in = map(name, {units_, features}, first ? 1 : gain_);
      add_layer(name, units_);
    } else {
      // As models/recurrent.cc has it: two maps feed each sum, and cells remember at first.
      const double half = std::sqrt(0.5);
      controller.in = map(name + "_in", {4 * units_, features}, half * (first ? 1 : gain_));
      controller.recurrent = weights(name + "_recurrent", {4 * units_, units_}, half * gain_);
      {
        const torch::NoGradGuard no_gradients;
        controller.in.bias.narrow(0, units_, units_).fill_(1);
      }
      for (const std::string gate : {"input_gate", "forget_gate", "candidate", "output_gate", "cell_output"}) {
        const bool is_gate = gate.ends_with("_gate");
        if (all_gates_)
          add_gate(name + "_" + gate, is_gate ? functions_.sigmoid : functions_.tanh, units_);
        else if (!is_gate)
          add_layer(name + "_" + gate, units_);
      }
    }
    controller_.push_back(std::move(controller));
  }

  // Which of Network::layers is the k-th activation of an LSTM; none is a plain sigmoid.
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::size_t layer_of(std::size_t i, std::size_t k) const {
    const std::size_t from = controller_[i].layers_from;
    return all_gates_ ? from + k : k == 2 ? from : k == 4 ? from + 1 : none;
  }

  RecurrentLayer fused_layer(std::size_t i) const {
    RecurrentLayer layer;
    layer.cell = Cell::lstm;
    layer.weight_ih = controller_[i].in.weight;
    layer.bias_ih = controller_[i].in.bias;
    layer.weight_hh = controller_[i].recurrent;
    layer.training = is_training();
    for (std::size_t k = 0; k < 5; ++k) {
      if (layer_of(i, k) == none) {
        layer.activations.emplace_back("sigmoid");
        continue;
      }
      const auto& unit = layers[layer_of(i, k)].unit;
      const auto& parameters = unit->activation().spec().parameters;
      layer.activations.push_back(unit->activation());
      for (std::size_t p = 0; p < parameters.size(); ++p)
        if (parameters[p].role == Role::learned) layer.learned.push_back(unit->parameter_tensors()[p]);
    }
    return layer;
  }

  at::Tensor lstm_step(std::size_t i, const RecurrentLayer& fused, const at::Tensor& input, State& state) {
    if (!recording) {
      const RecurrentOutput out = ogee::recurrent(fused, input.unsqueeze(0), state.h, state.c);
      state = {out.h, out.c};
      return state.h;
    }
    const Map& in = controller_[i].in;
    const at::Tensor sums = at::addmm(at::linear(input, in.weight, in.bias), state.h, controller_[i].recurrent.t());
    const auto part = [&](std::int64_t k) { return sums.narrow(1, k * units_, units_); };
    const auto act = [&](std::size_t k, const at::Tensor& z) {
      return layer_of(i, k) == none ? at::sigmoid(z) : activate_step(layer_of(i, k), z);
    };
    state.c = act(1, part(1)) * state.c + act(0, part(0)) * act(2, part(2));
    state.h = act(3, part(3)) * act(4, state.c);
    return state.h;
  }

  const bool text_, stepwise_, feedforward_, all_gates_;
  const std::int64_t units_;
  const MemoryShape shape_;
  GateFunctions functions_;
  std::vector<Controller> controller_;
  at::Tensor embedding_, first_reads_, first_weights_;
  Map interface_, output_;
};

}  // namespace

std::shared_ptr<Network> make_ntm(const Settings& settings, const data::Dataset& data, at::Generator random) {
  return std::make_shared<Ntm>(settings, data, std::move(random));
}

}  // namespace ogee::models
