// Recurrent networks for LibTorch with any activation for any gate: LSTM (with peepholes where wanted), GRU and the
// minimal gated unit, stacked, in both directions, with dropout between layers.
//
//   ogee::nn::LSTM plain(ogee::nn::LSTMOptions(200, 200).num_layers(2));        // as torch::nn::LSTM, and its names
//   ogee::nn::LSTM noisy(ogee::nn::LSTMOptions(200, 200).sigmoid("nah_sigmoid").tanh("nah_tanh"));
//   auto [y, state] = noisy->forward(x);                                         // x: [time, batch, 200]
//   torch.ops.ogee.lstm(x, weights, activations, learned, training=True)         # one layer in Python
//
// Noise (Gulcehre, Moczulski, Denil, Bengio 2016, 1603.00391) is drawn anew for every gate, element, time step and
// call, in training alone; evaluation is deterministic. Its key comes from the generator that torch.manual_seed seeds
// (see GeneratorGuard), and the numbers do not depend on the number of threads.
//
// float32 and float64 on the CPU run fused: one node of autograd's graph a layer and direction, which keeps the
// pre-activations and the states, fewer numbers than LibTorch's cells, and draws noise again for backward. All other
// types and devices, autocast, and gradients that are differentiated again run composed of LibTorch's operators.
// float32 activations are computed in float32 throughout (Precision::fast).
//
// Errors: c10::Error or ogee::Error, saying what was expected.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "ogee/torch.h"

namespace ogee {

//   lstm  i, f, o = phi_i(..), phi_f(..), phi_o(..);  c = f*c' + i*phi_g(..);  h = o*phi_c(c)
//         Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber, Cummins 2000. With peepholes i and f also
//         see c', and o sees c, each unit its own by one weight (Gers, Schraudolph, Schmidhuber 2002).
//   gru   r, z = phi_r(..), phi_z(..);  n = phi_n(W x + b + r*(U h' + b'));  h = n + z*(h' - n)
//         Cho et al. 2014, 1406.1078, with the reset gate behind the product, as LibTorch and cuDNN have it.
//   mgu   f = phi_f(..);  n = phi_n(W x + b + f*(U h' + b'));  h = h' + f*(n - h')
//         Zhou, Wu, Zhang, Zhou 2016, 1603.09420, with the gate behind the product, unlike there.
enum class Cell { lstm, gru, mgu };

// One layer in one direction, of H units with I inputs; G is the number of gates and candidates: 4, 3, 2.
struct RecurrentLayer {
  Cell cell = Cell::lstm;
  // Functions of one input: lstm: input gate, forget gate, candidate, output gate, cell output; gru: reset gate, update
  // gate, candidate; mgu: gate, candidate.
  std::vector<Activation> activations;
  // [G*H, I] and [G*H, H], in the order i, f, g, o; r, z, n; f, n.
  torch::Tensor weight_ih, weight_hh;
  // [G*H], or undefined.
  torch::Tensor bias_ih, bias_hh;
  // lstm: [3, H], to i, f, o; or undefined.
  torch::Tensor peephole;
  // The learned parameters of all activations, in the order of activations and of their specs: each undefined (the
  // activation's own value), of one element, or of H. Empty: none is given.
  std::vector<torch::Tensor> learned;
  bool training = false;
  bool reverse = false;  // from the last time step to the first
};

struct RecurrentOutput {
  torch::Tensor y;  // [time, batch, H]: the hidden state after each step
  torch::Tensor h;  // [batch, H]: the last one
  torch::Tensor c;  // lstm: the last cell state, [batch, H]
};

// x: [time, batch, I], time at least 1. h, c: [batch, H], or undefined: zeros.
RecurrentOutput recurrent(const RecurrentLayer& layer, const torch::Tensor& x, const torch::Tensor& h = {},
                          const torch::Tensor& c = {});
// The same composed of LibTorch's operators; slower. The noise is the same, given the same seed.
RecurrentOutput compose_recurrent(const RecurrentLayer& layer, const torch::Tensor& x, const torch::Tensor& h = {},
                                  const torch::Tensor& c = {});

namespace nn {

struct RecurrentOptions {
  RecurrentOptions(std::int64_t input_size, std::int64_t hidden_size)
      : input_size_(input_size), hidden_size_(hidden_size) {}
  TORCH_ARG(std::int64_t, input_size);
  TORCH_ARG(std::int64_t, hidden_size);
  TORCH_ARG(std::int64_t, num_layers) = 1;
  TORCH_ARG(bool, bias) = true;
  // Inputs and outputs are [batch, time, features].
  TORCH_ARG(bool, batch_first) = false;
  // The probability that an output of a layer, but the last, is dropped in training.
  TORCH_ARG(double, dropout) = 0;
  TORCH_ARG(bool, bidirectional) = false;
  TORCH_ARG(bool, peephole) = false;  // LSTM
  // What stands in the place of every sigmoid, and of every tanh; then those of single gates, where not empty.
  TORCH_ARG(std::string, sigmoid) = "sigmoid";
  TORCH_ARG(std::string, tanh) = "tanh";
  TORCH_ARG(std::string, input_gate);
  TORCH_ARG(std::string, forget_gate);  // LSTM, MGU
  TORCH_ARG(std::string, output_gate);
  TORCH_ARG(std::string, reset_gate);
  TORCH_ARG(std::string, update_gate);
  TORCH_ARG(std::string, candidate);
  TORCH_ARG(std::string, cell_output);
};
using LSTMOptions = RecurrentOptions;
using GRUOptions = RecurrentOptions;
using MGUOptions = RecurrentOptions;

// What the three modules share. Parameters have the names of LibTorch's modules (weight_ih_l0, ..., with _reverse), so
// that a plain cell's checkpoints are LibTorch's; beside them weight_peephole_l0, and a vector of `hidden_size` for
// every learned parameter of every gate: input_gate_p_l0. Weights start in U(-1/sqrt(H), 1/sqrt(H)), a noisy unit's p
// in U(-1, 1), from the current generator.
template <class Derived>
class RecurrentImplBase : public torch::nn::Cloneable<Derived> {
 public:
  RecurrentImplBase(Cell cell, RecurrentOptions how);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  // The value of a fixed parameter of every activation that has it, from the next call on: the c of nah, say, as it is
  // annealed. Throws ogee::Error where none has it, where it is learned, and on a value out of range.
  void set(const std::string& parameter, double value);
  // Layer `index`, counting directions: 2*layer + 1 is the second layer's or the first's reverse.
  RecurrentLayer layer(std::size_t index) const;

  RecurrentOptions options;

 protected:
  struct States {
    torch::Tensor y, h, c;
  };
  // x: [time, batch, input_size], [batch, time, input_size] with batch_first, or [time, input_size] without a batch.
  // h, c: [layers*directions, batch, hidden_size], or undefined.
  States run(const torch::Tensor& x, const torch::Tensor& h, const torch::Tensor& c);

 private:
  struct Learned {
    std::string name;
    double low, high;
  };
  Cell cell_;
  std::vector<ogee::Activation> activations_;
  std::vector<Learned> learned_;  // of one layer
};

// h and c, each [layers*directions, batch, hidden_size].
using LSTMState = std::tuple<torch::Tensor, torch::Tensor>;

class LSTMImpl : public RecurrentImplBase<LSTMImpl> {
 public:
  explicit LSTMImpl(LSTMOptions how) : RecurrentImplBase(Cell::lstm, std::move(how)) {}
  LSTMImpl(std::int64_t input_size, std::int64_t hidden_size) : LSTMImpl(LSTMOptions(input_size, hidden_size)) {}
  std::tuple<torch::Tensor, LSTMState> forward(const torch::Tensor& x, torch::optional<LSTMState> state = {});

 protected:
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(torch::optional<LSTMState>())})
};
TORCH_MODULE(LSTM);

class GRUImpl : public RecurrentImplBase<GRUImpl> {
 public:
  explicit GRUImpl(GRUOptions how) : RecurrentImplBase(Cell::gru, std::move(how)) {}
  GRUImpl(std::int64_t input_size, std::int64_t hidden_size) : GRUImpl(GRUOptions(input_size, hidden_size)) {}
  std::tuple<torch::Tensor, torch::Tensor> forward(const torch::Tensor& x, const torch::Tensor& h = {});

 protected:
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(torch::Tensor())})
};
TORCH_MODULE(GRU);

class MGUImpl : public RecurrentImplBase<MGUImpl> {
 public:
  explicit MGUImpl(MGUOptions how) : RecurrentImplBase(Cell::mgu, std::move(how)) {}
  MGUImpl(std::int64_t input_size, std::int64_t hidden_size) : MGUImpl(MGUOptions(input_size, hidden_size)) {}
  std::tuple<torch::Tensor, torch::Tensor> forward(const torch::Tensor& x, const torch::Tensor& h = {});

 protected:
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(torch::Tensor())})
};
TORCH_MODULE(MGU);

}  // namespace nn
}  // namespace ogee
