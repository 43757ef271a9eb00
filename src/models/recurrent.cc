// LSTM (Hochreiter and Schmidhuber 1997, with Gers' forget gate) and GRU (Cho et al. 2014), `depth` layers of `width`
// units, with any activation where the cell has tanh; the gates stay sigmoids, which is what makes them gates. Tokens
// are embedded in `width` numbers. A text gets an answer after every token, all else one after the last step.
//
//   LSTM  c = f*c + i*phi(candidate);  h = o*phi(c)       GRU  h = (1 - z)*phi(W x + r*(U h)) + z*h
//
// A gated function takes two candidates; an LSTM's output keeps tanh, as one cell state cannot be two inputs; a GRU
// normalises h before it is used (Network::tame), which nothing else would hold, and both what the layer below gives.
// The number of units, one more in some layers, is then the one whose parameter count is the nearest.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "models/network.h"

namespace ogee::models {
namespace {

class Recurrent : public Network {
 public:
  // `gates`: how many sigmoid gates a cell has.
  Recurrent(const Settings& settings, const data::Dataset& data, at::Generator random, std::int64_t gates)
      : Network(settings, std::move(random)), gates_(gates), text_(data.text()) {
    features_ = text_ ? settings.width : sequence_features(data);
    units_.assign(static_cast<std::size_t>(settings.depth), settings.width);
    if (packed_ > 1 && settings.match_parameters) units_ = matched(data.outputs());
    if (text_) embedding_ = weights("embedding", {data.outputs(), settings.width}, std::sqrt(settings.width));
  }

  at::Tensor forward(at::Tensor x) override {
    // Step by step: [steps, n, features].
    x = text_ ? at::embedding(embedding_, x.t()) : as_sequence(x).transpose(0, 1);
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (i > 0 && packed_ > 1) x = tame(x.flatten(0, 1)).view_as(x);
      const std::vector<at::Tensor> inputs = at::linear(x, cells_[i].in.weight, cells_[i].in.bias).unbind(0);
      State state;
      state.h = state.c = torch::zeros({x.size(1), units_[i]}, cells_[i].recurrent.options().requires_grad(false));
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
  void add_output(std::int64_t outputs) { output_ = map("output", {outputs, units_.back()}, gain_); }

  std::vector<std::int64_t> units_;  // by layer
  std::vector<Cell> cells_;

 private:
  std::int64_t count(const std::vector<std::int64_t>& units, std::int64_t outputs, std::int64_t packed) const {
    std::int64_t total = (units.back() + 1) * outputs, in = features_;
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

  const std::int64_t gates_;
  const bool text_;
  std::int64_t features_ = 0;
  at::Tensor embedding_;
  Map output_;
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
      add_layer(name + "_candidate", units);
      if (packed_ == 1) add_layer(name + "_output", units);
    }
    add_output(data.outputs());
  }

 private:
  void step(std::size_t i, const at::Tensor& input, State& state) override {
    const std::int64_t units = units_[i];
    const at::Tensor sums = at::addmm(input, state.h, cells_[i].recurrent.t());
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
      add_layer(name + "_candidate", units_[cells_.size() - 1]);
    }
    add_output(data.outputs());
  }

 private:
  void step(std::size_t i, const at::Tensor& input, State& state) override {
    const std::int64_t units = units_[i], width = packed_ * units;
    const at::Tensor sums = at::linear(tame(state.h), cells_[i].recurrent);
    const at::Tensor gates = at::sigmoid(input.narrow(1, 0, 2 * units) + sums.narrow(1, 0, 2 * units));
    at::Tensor reset = gates.narrow(1, 0, units);
    if (packed_ > 1) reset = reset.repeat({1, packed_});
    const at::Tensor candidate =
        activate_step(i, input.narrow(1, 2 * units, width) + reset * sums.narrow(1, 2 * units, width));
    state.h = at::lerp(candidate, state.h, gates.narrow(1, units, units));
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
