// LSTM (Hochreiter and Schmidhuber 1997, with Gers' forget gate) and GRU (Cho et al. 2014), `depth` layers of `width`
// units, with any activation where the cell has tanh; the gates stay sigmoids, which is what makes them gates. Tokens
// are embedded in `width` numbers. A text gets an answer after every token, all else one after the last step.
//
//   LSTM  c = f*c + i*phi(candidate);  h = o*phi(c)       GRU  h = (1 - z)*phi(W x + r*(U h)) + z*h
//
// A gated function takes two candidates; an LSTM's output keeps tanh, as one cell state cannot be two inputs; a GRU
// normalises what h gives to the candidates (Network::tame), which nothing else would hold. The units' number is then
// the one whose parameter count is the nearest.
#include <cmath>
#include <cstdlib>

#include "models/network.h"

namespace ogee::models {
namespace {

class Recurrent : public Network {
 public:
  // `gates`: how many sigmoid gates a cell has.
  Recurrent(const Settings& settings, const data::Dataset& data, at::Generator random, std::int64_t gates)
      : Network(settings.activation, std::move(random)), gates_(gates), text_(data.text()) {
    const std::int64_t features = text_ ? settings.width : sequence_features(data);
    units_ = settings.width;
    if (packed_ > 1 && settings.match_parameters) {
      const std::int64_t wanted = count(features, settings.depth, settings.width, data.outputs(), 1);
      const auto miss = [&](std::int64_t units) {
        return std::abs(count(features, settings.depth, units, data.outputs(), packed_) - wanted);
      };
      for (std::int64_t units = 1; units <= settings.width; ++units)
        if (miss(units) < miss(units_)) units_ = units;
    }
    if (text_) embedding_ = weights("embedding", {data.outputs(), settings.width}, std::sqrt(settings.width));
  }

  at::Tensor forward(at::Tensor x) override {
    // Step by step: [steps, n, features].
    x = text_ ? at::embedding(embedding_, x.t()) : as_sequence(x).transpose(0, 1);
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const std::vector<at::Tensor> inputs = at::linear(x, cells_[i].in.weight, cells_[i].in.bias).unbind(0);
      State state;
      state.h = state.c = torch::zeros({x.size(1), units_}, cells_[i].recurrent.options().requires_grad(false));
      std::vector<at::Tensor> states;
      for (const at::Tensor& input : inputs) {
        step(i, input, state);
        states.push_back(state.h);
      }
      x = text_ || i + 1 < cells_.size() ? at::stack(states) : states.back();
    }
    end_steps();
    x = at::linear(x, output_.weight, output_.bias);
    return text_ ? x.transpose(0, 1) : x;
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

  std::int64_t rows() const { return gates_ + packed_; }

  // Two maps feed each sum, of x and of h, so that each has half of its variance.
  void add_cell(const std::string& name, std::int64_t features, double gain) {
    Cell cell;
    cell.in = map(name + "_in", {rows() * units_, features}, gain * std::sqrt(0.5));
    cell.recurrent = weights(name + "_recurrent", {rows() * units_, units_}, gain_ * std::sqrt(0.5));
    cells_.push_back(cell);
  }
  void add_output(std::int64_t outputs) { output_ = map("output", {outputs, units_}, gain_); }

  std::int64_t units_ = 0;
  std::vector<Cell> cells_;

 private:
  std::int64_t count(std::int64_t features, std::int64_t depth, std::int64_t units, std::int64_t outputs,
                     std::int64_t packed) const {
    std::int64_t total = 0;
    for (std::int64_t i = 0; i < depth; ++i) total += (gates_ + packed) * units * ((i ? units : features) + units + 1);
    return total + (units + 1) * outputs;
  }

  const std::int64_t gates_;
  const bool text_;
  at::Tensor embedding_;
  Map output_;
};

class Lstm : public Recurrent {
 public:
  Lstm(const Settings& settings, const data::Dataset& data, at::Generator random)
      : Recurrent(settings, data, std::move(random), 3) {
    for (std::int64_t i = 0; i < settings.depth; ++i) {
      const std::string name = "lstm" + std::to_string(i + 1);
      add_cell(name, i ? units_ : data.text() ? settings.width : sequence_features(data), i ? gain_ : 1);
      // Cells remember at first (Jozefowicz et al. 2015).
      const torch::NoGradGuard no_gradients;
      cells_.back().in.bias.narrow(0, units_, units_).fill_(1);
      add_layer(name + "_candidate");
      if (packed_ == 1) add_layer(name + "_output");
    }
    add_output(data.outputs());
  }

 private:
  void step(std::size_t i, const at::Tensor& input, State& state) override {
    const at::Tensor sums = at::addmm(input, state.h, cells_[i].recurrent.t());
    const at::Tensor gates = at::sigmoid(sums.narrow(1, 0, 3 * units_));
    const std::size_t layer = packed_ == 1 ? 2 * i : i;
    const at::Tensor candidate = activate_step(layer, sums.narrow(1, 3 * units_, packed_ * units_));
    state.c = gates.narrow(1, units_, units_) * state.c + gates.narrow(1, 0, units_) * candidate;
    const at::Tensor shown = packed_ == 1 ? activate_step(layer + 1, state.c) : at::tanh(state.c);
    state.h = gates.narrow(1, 2 * units_, units_) * shown;
  }
};

class Gru : public Recurrent {
 public:
  Gru(const Settings& settings, const data::Dataset& data, at::Generator random)
      : Recurrent(settings, data, std::move(random), 2) {
    for (std::int64_t i = 0; i < settings.depth; ++i) {
      const std::string name = "gru" + std::to_string(i + 1);
      add_cell(name, i ? units_ : data.text() ? settings.width : sequence_features(data), i ? gain_ : 1);
      add_layer(name + "_candidate");
    }
    add_output(data.outputs());
  }

 private:
  void step(std::size_t i, const at::Tensor& input, State& state) override {
    const std::int64_t width = packed_ * units_;
    const at::Tensor sums = at::linear(tame(state.h), cells_[i].recurrent);
    const at::Tensor gates = at::sigmoid(input.narrow(1, 0, 2 * units_) + sums.narrow(1, 0, 2 * units_));
    at::Tensor reset = gates.narrow(1, 0, units_);
    if (packed_ > 1) reset = reset.repeat({1, packed_});
    const at::Tensor candidate =
        activate_step(i, input.narrow(1, 2 * units_, width) + reset * sums.narrow(1, 2 * units_, width));
    state.h = at::lerp(candidate, state.h, gates.narrow(1, units_, units_));
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
