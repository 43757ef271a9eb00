// LSTM (Hochreiter and Schmidhuber 1997, with Gers' forget gate) and GRU (Cho et al. 2014), `depth` layers of `width`
// units, with any activation where the cell has tanh; the gates stay sigmoids, which is what makes them gates. Tokens
// are embedded in `width` numbers. A text and recall get an answer after every step, all else one after the last, or,
// with head=mean, one from the mean over all steps by way of a layer of relu units.
//
//   LSTM  c = f*c + i*phi(candidate);  h = o*phi(c)       GRU  h = (1 - z)*phi(W x + r*(U h)) + z*h
//
// gates=all puts the activation's kin in the place of every sigmoid, too, as Gulcehre et al. (2016) do with noisy
// units; each gate is a layer of its own then. Such cells run fused (ogee::recurrent), and step by step while somebody
// looks.
//
// A gated function takes two candidates; an LSTM's output keeps tanh, as one cell state cannot be two inputs; a GRU
// normalises h before it is used (Network::tame), which nothing else would hold, and both what the layer below gives.
// The number of units, one more in some layers, is then the one whose parameter count is the nearest.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "models/announce.h"
#include "models/carrying.h"
#include "models/gates.h"
#include "models/network.h"
#include "ogee/torch_recurrent.h"
#include "torch/packed_linear.h"

namespace ogee::models {
namespace {

class Recurrent : public Network, public Carrying {
 public:
  // `gates`: how many sigmoid gates a cell has.
  Recurrent(const Settings& settings, const data::Dataset& data, at::Generator random, std::int64_t gates)
      : Network(settings, std::move(random)),
        gates_(gates),
        text_(data.text()),
        stepwise_(data.stepwise()),
        all_gates_(settings.all_gates),
        mean_head_(settings.mean_head ? settings.width : 0) {
    if (all_gates_) functions_ = gate_functions(settings.activation);
    features_ = text_ ? settings.width : sequence_features(data);
    units_.assign(static_cast<std::size_t>(settings.depth), settings.width);
    if (packed_ > 1 && settings.match_parameters) units_ = matched(data.outputs());
    if (text_) embedding_ = weights("embedding", {data.outputs(), settings.width}, std::sqrt(settings.width));
  }

  at::Tensor forward(at::Tensor x) override {
    // Step by step: [steps, n, features].
    x = text_ ? at::embedding(embedding_, x.t()) : as_sequence(x).transpose(0, 1);
    const bool on = carries && !recording;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      State state = on ? carried_into(i, x.size(1)) : State();
      const bool whole = stepwise_ || mean_head_ > 0 || i + 1 < cells_.size();
      if (all_gates_ && !recording) {
        const RecurrentOutput out = ogee::recurrent(fused(i), x, state.h, state.c);
        if (on) carry(i, {out.h, out.c});
        x = whole ? out.y : out.y.select(0, -1);
        continue;
      }
      if (i > 0 && packed_ > 1) x = tame(x.flatten(0, 1)).view_as(x);
      const std::vector<at::Tensor> inputs = at::linear(x, cells_[i].in.weight, cells_[i].in.bias).unbind(0);
      if (!state.h.defined())
        state.h = state.c = torch::zeros({x.size(1), units_[i]}, cells_[i].recurrent.options().requires_grad(false));
      std::vector<at::Tensor> states;
      for (const at::Tensor& input : inputs) {
        step(i, input, state);
        states.push_back(state.h);
      }
      if (on) carry(i, state);
      x = whole ? at::stack(states) : states.back();
    }
    end_steps();
    if (mean_head_ > 0) x = at::relu(at::linear(x.mean(0), head_.weight, head_.bias));
    x = answers(x);
    return stepwise_ ? x.transpose(0, 1) : x;
  }

 protected:
  struct Cell {
    Map in;                // [gates and candidates, features]
    at::Tensor recurrent;  // [gates and candidates, units]
  };
  struct State {
    at::Tensor h, c;  // [n, units]
  };
  // One step of layer `i`; `input` is what x gives to gates and candidates.
  virtual void step(std::size_t i, const at::Tensor& input, State& state) = 0;
  virtual ogee::Cell kind() const = 0;

  // Two maps feed each sum, of x and of h, so that each has half of its variance. Gated functions get both normalised.
  void add_cell(const std::string& name) {
    const std::size_t i = cells_.size();
    const std::int64_t rows = (gates_ + packed_) * units_[i];
    const double half = std::sqrt(0.5), gain = packed_ > 1 ? 1 : gain_;
    Cell cell;
    cell.in = map(name + "_in", {rows, i ? units_[i - 1] : features_}, half * (i ? gain : 1));
    cell.recurrent = weights(name + "_recurrent", {rows, units_[i]}, half * gain);
    cells_.push_back(cell);
  }
  void add_output(std::int64_t outputs) {
    if (mean_head_ == 0) {
      output_ = map("output", {outputs, units_.back()}, gain_);
      return;
    }
    head_ = map("head", {mean_head_, units_.back()}, gain_);
    output_ = map("output", {outputs, mean_head_}, std::sqrt(2.0));
  }
  // In the fused cell's order.
  void add_gates(const std::string& cell, std::initializer_list<const char*> names, std::int64_t units) {
    for (const std::string name : names)
      add_gate(cell + "_" + name, name.ends_with("gate") ? functions_.sigmoid : functions_.tanh, units);
    activations_ = names.size();
  }

  std::vector<std::int64_t> units_;  // by layer
  std::vector<Cell> cells_;
  const std::int64_t gates_;
  const bool text_, stepwise_, all_gates_;
  std::size_t activations_ = 0;  // of a cell; gates=all

 private:
  // Undefined where nothing came before.
  State carried_into(std::size_t i, std::int64_t rows) const {
    if (carried.empty()) return {};
    const auto first = [&](const at::Tensor& t) { return t.defined() ? t.narrow(0, 0, rows) : t; };
    return {first(carried[2 * i]), first(carried[2 * i + 1])};
  }
  at::Tensor answers(const at::Tensor& x) const {
    constexpr std::int64_t many = 512;  // as many as there are words
    if (output_.weight.size(0) < many) return at::linear(x, output_.weight, output_.bias);
    // A monitor, which knows a network by its operators, sees none in fused cells: it tells steps by this one's weight.
    at::Tensor y;
    announced(linear_schema(), {x, output_.weight, output_.bias}, y,
              [&] { y = torch_call::packed_linear(x, output_.weight, output_.bias); });
    return y;
  }

  // A cell without a state c carries h alone.
  void carry(std::size_t i, const State& state) {
    carried.resize(2 * cells_.size());
    carried[2 * i] = state.h.detach();
    carried[2 * i + 1] = kind() == ogee::Cell::lstm ? state.c.detach() : at::Tensor();
  }

  RecurrentLayer fused(std::size_t i) const {
    RecurrentLayer layer;
    layer.cell = kind();
    layer.weight_ih = cells_[i].in.weight;
    layer.bias_ih = cells_[i].in.bias;
    layer.weight_hh = cells_[i].recurrent;
    layer.training = is_training();
    for (std::size_t k = i * activations_; k < (i + 1) * activations_; ++k) {
      const auto& unit = layers[k].unit;
      const auto& parameters = unit->activation().spec().parameters;
      layer.activations.push_back(unit->activation());
      for (std::size_t p = 0; p < parameters.size(); ++p)
        if (parameters[p].role == Role::learned) layer.learned.push_back(unit->parameter_tensors()[p]);
    }
    return layer;
  }

  std::int64_t count(const std::vector<std::int64_t>& units, std::int64_t outputs, std::int64_t packed) const {
    std::int64_t total = (units.back() + 1) * outputs, in = features_;
    if (mean_head_ > 0) total = (units.back() + 1) * mean_head_ + (mean_head_ + 1) * outputs;
    for (const std::int64_t each : units) {
      total += (gates_ + packed) * each * (in + each + 1);
      in = each;
    }
    return total;
  }

  std::vector<std::int64_t> matched(std::int64_t outputs) const {
    const std::int64_t wanted = count(units_, outputs, 1);
    std::vector<std::int64_t> best = units_, units = units_;
    // From 1 in every layer up, one layer at a time.
    std::fill(units.begin(), units.end(), 1);
    for (std::size_t next = 0; units.back() < units_.back(); next = (next + 1) % units.size()) {
      if (std::abs(count(units, outputs, packed_) - wanted) < std::abs(count(best, outputs, packed_) - wanted))
        best = units;
      ++units[next];
    }
    return best;
  }

  const std::int64_t mean_head_;  // its units; 0: the last state's
  GateFunctions functions_;       // gates=all
  std::int64_t features_ = 0;
  at::Tensor embedding_;
  Map head_, output_;
};

class Lstm : public Recurrent {
 public:
  Lstm(const Settings& settings, const data::Dataset& data, at::Generator random)
      : Recurrent(settings, data, std::move(random), 3) {
    for (std::int64_t i = 0; i < settings.depth; ++i) {
      const std::string name = "lstm" + std::to_string(i + 1);
      add_cell(name);
      // Cells remember at first (Jozefowicz et al. 2015).
      const torch::NoGradGuard no_gradients;
      const std::int64_t units = units_[cells_.size() - 1];
      cells_.back().in.bias.narrow(0, units, units).fill_(1);
      if (all_gates_) {
        add_gates(name, {"input_gate", "forget_gate", "candidate", "output_gate", "cell_output"}, units);
        continue;
      }
      add_layer(name + "_candidate", units);
      if (packed_ == 1) add_layer(name + "_output", units);
    }
    add_output(data.outputs());
  }

 private:
  ogee::Cell kind() const override { return ogee::Cell::lstm; }
  void step(std::size_t i, const at::Tensor& input, State& state) override {
    const std::int64_t units = units_[i];
    const at::Tensor sums = at::addmm(input, state.h, cells_[i].recurrent.t());
    if (all_gates_) {
      const auto gate = [&](std::size_t k) {
        return activate_step(activations_ * i + k, sums.narrow(1, static_cast<std::int64_t>(k) * units, units));
      };
      const at::Tensor written = gate(0) * gate(2);
      state.c = gate(1) * state.c + written;
      state.h = gate(3) * activate_step(activations_ * i + 4, state.c);
      return;
    }
    const at::Tensor gates = at::sigmoid(sums.narrow(1, 0, 3 * units));
    const std::size_t layer = packed_ == 1 ? 2 * i : i;
    const at::Tensor candidate = activate_step(layer, sums.narrow(1, 3 * units, packed_ * units));
    state.c = gates.narrow(1, units, units) * state.c + gates.narrow(1, 0, units) * candidate;
    const at::Tensor shown = packed_ == 1 ? activate_step(layer + 1, state.c) : at::tanh(state.c);
    state.h = gates.narrow(1, 2 * units, units) * shown;
  }
};

class Gru : public Recurrent {
 public:
  Gru(const Settings& settings, const data::Dataset& data, at::Generator random)
      : Recurrent(settings, data, std::move(random), 2) {
    for (std::int64_t i = 0; i < settings.depth; ++i) {
      const std::string name = "gru" + std::to_string(i + 1);
      add_cell(name);
      const std::int64_t units = units_[cells_.size() - 1];
      if (all_gates_)
        add_gates(name, {"reset_gate", "update_gate", "candidate"}, units);
      else
        add_layer(name + "_candidate", units);
    }
    add_output(data.outputs());
  }

 private:
  ogee::Cell kind() const override { return ogee::Cell::gru; }
  void step(std::size_t i, const at::Tensor& input, State& state) override {
    const std::int64_t units = units_[i], width = packed_ * units;
    const at::Tensor sums = at::linear(tame(state.h), cells_[i].recurrent);
    const at::Tensor opening = input.narrow(1, 0, 2 * units) + sums.narrow(1, 0, 2 * units);
    at::Tensor reset, update;
    if (all_gates_) {
      reset = activate_step(activations_ * i, opening.narrow(1, 0, units));
      update = activate_step(activations_ * i + 1, opening.narrow(1, units, units));
    } else {
      const at::Tensor gates = at::sigmoid(opening);
      reset = gates.narrow(1, 0, units);
      update = gates.narrow(1, units, units);
    }
    if (packed_ > 1) reset = reset.repeat({1, packed_});
    const at::Tensor candidate =
        activate_step(all_gates_ ? activations_ * i + 2 : i,
                      input.narrow(1, 2 * units, width) + reset * sums.narrow(1, 2 * units, width));
    state.h = at::lerp(candidate, state.h, update);
  }
};

}  // namespace

std::shared_ptr<Network> make_lstm(const Settings& settings, const data::Dataset& data, at::Generator random) {
  return std::make_shared<Lstm>(settings, data, std::move(random));
}

std::shared_ptr<Network> make_gru(const Settings& settings, const data::Dataset& data, at::Generator random) {
  return std::make_shared<Gru>(settings, data, std::move(random));
}

}  // namespace ogee::models
