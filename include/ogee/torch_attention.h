// Encoders and decoders with additive attention for LibTorch (Bahdanau, Cho, Bengio 2015, 1409.0473), with any
// activation for any gate, noisy ones too.
//
//   ogee::nn::AttentionEncoder encoder(ogee::nn::AttentionEncoderOptions(128, 256).tanh("nan_tanh"));
//
//   ogee::nn::AttentionDecoder decoder(ogee::nn::AttentionDecoderOptions(128, 256, 512));
//
//   auto memory = encoder->forward(source, lengths);  // [time, batch, 128] to [time, batch, 512]
//
//   auto out = decoder->forward(target, memory, lengths, first);  // out.y, out.contexts, out.weights
//
//   auto result = ogee::attend(layer, x, h, source);  // the decoder's loop alone
//
// A decoder's loop over time is one node of autograd's graph for float32 and float64 on the CPU, forward and backward
// by the core's kernels, with the source's keys and values mapped once, before the loop. All other types and devices,
// autocast, and gradients that are differentiated again are composed of LibTorch's operators. Noise and precision are
// as torch_recurrent.h has them.
//
// Errors: c10::Error or ogee::Error, saying what was expected.
#pragma once

#include <string>
#include <vector>

#include "ogee/torch.h"
#include "ogee/torch_recurrent.h"

namespace ogee {

// A GRU or an LSTM of H units that looks at a source before every step. With h the state before, and for every place t
// of it:
//
//   w = softmax over t of (score . phi_e(key[t] + Q h));  v = sum of w[t] value[t]
//   gru   r, z = phi_r, phi_z(x + v + U h + b);  n = phi_n(x + v + r*(U h + b));  h' = n + z*(h - n)
//   lstm  i, f, o = phi_i, phi_f, phi_o(x + v + U h + b);  c' = f*c + i*phi_g(x + v + U h + b);  h' = o*phi_c(c')
//
// each gate with its own part of x, v, U and b; G is how many: 3, or 4. x is what the inputs give to the gates, and
// value[t] what the source's place t would give to them alone: maps of a mean are means of maps.
struct AttentionLayer {
  // Of one input: gru: reset gate, update gate, candidate; lstm: input gate, forget gate, candidate, output gate, cell
  // output; then, of both, score.
  std::vector<Activation> activations;
  torch::Tensor weight_hh;             // U: [G*H, H], in the order r, z, n or i, f, g, o
  torch::Tensor bias_hh;               // b: [G*H], or undefined
  torch::Tensor weight_query;          // Q: [A, H]
  torch::Tensor weight_score;          // [A]
  std::vector<torch::Tensor> learned;  // as RecurrentLayer::learned; of the score: one element, or A
  bool training = false;
  Cell cell = Cell::gru;  // or Cell::lstm
};

// What is looked at.
struct AttentionSource {
  torch::Tensor keys;     // [sources, places, A]
  torch::Tensor values;   // [sources, places, G*H], in the order of weight_hh
  torch::Tensor lengths;  // [sources], int64 on the CPU: the first so many places are the source's own, 1 or more
};

struct AttentionOutput {
  torch::Tensor y;        // [time, batch, H]: the state after each step
  torch::Tensor weights;  // [time, batch, places]: where it looked before that
  torch::Tensor c;        // lstm: the last cell state, [batch, H]
};

// x: [time, batch, G*H], time at least 1; h: [batch, H]; c, of an lstm alone: [batch, H], or undefined: zeros. The
// batch is a multiple of the sources: as many rows, one after another, look at each.
AttentionOutput attend(const AttentionLayer& layer, const torch::Tensor& x, const torch::Tensor& h,
                       const AttentionSource& source, const torch::Tensor& c = {});
// The same composed of LibTorch's operators; slower. The noise is the same, given the same seed.
AttentionOutput compose_attend(const AttentionLayer& layer, const torch::Tensor& x, const torch::Tensor& h,
                               const AttentionSource& source, const torch::Tensor& c = {});

// x, [time, batch, ...], with each example's own first steps in reverse order; the others stay where they are. So a
// layer that goes forward reads backward, and padding never comes first. lengths: [batch], int64 on the CPU.
torch::Tensor reverse_padded(const torch::Tensor& x, const torch::Tensor& lengths);

namespace nn {

struct AttentionEncoderOptions {
  AttentionEncoderOptions(std::int64_t input_size, std::int64_t hidden_size)
      : input_size_(input_size), hidden_size_(hidden_size) {}
  TORCH_ARG(std::int64_t, input_size);
  TORCH_ARG(std::int64_t, hidden_size);  // of each direction
  TORCH_ARG(std::string, sigmoid) = "sigmoid";
  TORCH_ARG(std::string, tanh) = "tanh";
};

// A GRU in both directions over sequences of different lengths: submodules `forward_gru` and `backward_gru`.
class AttentionEncoderImpl : public torch::nn::Cloneable<AttentionEncoderImpl> {
 public:
  explicit AttentionEncoderImpl(AttentionEncoderOptions how);
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  void set(const std::string& parameter, double value);
  // x: [time, batch, input_size], the steps from an example's length on padding; result: [time, batch, 2*hidden_size],
  // 0 there.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& lengths);

  AttentionEncoderOptions options;
  GRU forward_gru = nullptr, backward_gru = nullptr;
};
TORCH_MODULE(AttentionEncoder);

struct AttentionDecoderOptions {
  AttentionDecoderOptions(std::int64_t input_size, std::int64_t hidden_size, std::int64_t memory_size)
      : input_size_(input_size), hidden_size_(hidden_size), memory_size_(memory_size) {}
  TORCH_ARG(std::int64_t, input_size);
  TORCH_ARG(std::int64_t, hidden_size);
  TORCH_ARG(std::int64_t, memory_size);         // of each place of what is looked at
  TORCH_ARG(std::int64_t, attention_size) = 0;  // A; 0: hidden_size
  TORCH_ARG(std::string, sigmoid) = "sigmoid";
  TORCH_ARG(std::string, tanh) = "tanh";  // of the candidate, the cell's output and the score
  TORCH_ARG(Cell, cell) = Cell::gru;      // or Cell::lstm
};

struct AttentionDecoded {
  torch::Tensor y;         // [time, batch, hidden_size]
  torch::Tensor contexts;  // [time, batch, memory_size]: the mean of the memory by the weights
  torch::Tensor weights;   // [time, batch, places]
  torch::Tensor c;         // lstm: the last cell state
};

// Parameters: weight_ih [G*H, input_size], weight_ch [G*H, memory_size], weight_hh, bias_ih, bias_hh, weight_query
// [A, H], weight_key [A, memory_size], bias_key, weight_score [A], and a vector for every learned parameter of every
// activation: reset_gate_p, update_gate_p, candidate_p [H] (lstm: input_gate_p, forget_gate_p, output_gate_p,
// candidate_p, cell_output_p), score_p [A].
class AttentionDecoderImpl : public torch::nn::Cloneable<AttentionDecoderImpl> {
 public:
  explicit AttentionDecoderImpl(AttentionDecoderOptions how);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  // As RecurrentImplBase::set.
  void set(const std::string& parameter, double value);
  AttentionLayer layer() const;
  // memory: [places, batch, memory_size]; keys and values, which any number of calls may use.
  AttentionSource source(const torch::Tensor& memory, const torch::Tensor& lengths) const;
  // x: [time, batch, input_size]; h, c: [batch, hidden_size], or undefined: zeros; c of an lstm alone.
  AttentionDecoded forward(const torch::Tensor& x, const torch::Tensor& memory, const torch::Tensor& lengths,
                           const torch::Tensor& h = {}, const torch::Tensor& c = {});

  AttentionDecoderOptions options;

 private:
  struct Learned {
    std::string name;
    std::int64_t size;
    double low, high;
  };
  torch::Tensor held(const std::string& name) const;
  std::int64_t attention_size() const;
  std::int64_t gates() const { return options.cell() == Cell::lstm ? 4 : 3; }

  std::vector<ogee::Activation> activations_;
  std::vector<Learned> learned_;
};
TORCH_MODULE(AttentionDecoder);

}  // namespace nn
}  // namespace ogee
