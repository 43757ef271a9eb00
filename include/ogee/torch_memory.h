// Neural Turing machines for LibTorch: a controller, recurrent or not, that reads and writes a memory by heads which
// learn where to look (Graves, Wayne, Danihelka 2014, 1410.5401).
//
//   ogee::nn::NTM plain(ogee::nn::NTMOptions(8, 6).controller_size(100).locations(128).width(20));
//   ogee::nn::NTM noisy(ogee::nn::NTMOptions(8, 6).sigmoid("nan_sigmoid").tanh("nan_tanh"));
//   auto [y, state] = noisy->forward(x);                     // x: [time, batch, 8], y: [time, batch, 6]
//   auto next = ogee::memory_step(shape, interface, state);  // the memory alone, under any controller
//
// The memory's step is one node of autograd's graph for float32 and float64 on the CPU, forward and backward by the
// core's kernels. All other types and devices, autocast, and gradients that are differentiated again are composed of
// LibTorch's operators.
//
// Errors: c10::Error or ogee::Error, saying what was expected.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "ogee/torch.h"
#include "ogee/torch_recurrent.h"

namespace ogee {

struct MemoryShape {
  std::int64_t locations = 128, width = 20;
  std::int64_t reads = 1, writes = 1;  // heads

  std::int64_t heads() const { return reads + writes; }
  // How many numbers a step takes from the controller.
  std::int64_t interface_size() const { return heads() * (width + 6) + writes * 2 * width; }
};

struct MemoryState {
  torch::Tensor memory;   // [batch, width, locations]
  torch::Tensor weights;  // [batch, heads, locations]: where each head looks, the reading ones first; each adds up to 1
  torch::Tensor reads;    // [batch, reads, width]: what was read
};

// One time step. Every head finds its place by the memory as it was before, all read that memory, and then all write.
//
// interface: [batch, interface_size()], any numbers; for every head, the reading ones first,
//   key (width) by tanh; strength by softplus; gate by sigmoid; shift (3: one back, none, one on) by softmax; sharpness
//   as 1 + softplus; and, of a writing head, what to erase (width) by sigmoid and what to add (width) by tanh.
//
// By content: softmax(strength * u.v / sqrt((u.u + e) (v.v + e))) of key u and location v, with e = 1e-6, so that an
// empty location is like nothing. Then gate*content + (1 - gate)*before; the circular convolution with the shift; and
// the power of the sharpness, divided by the sum. memory' = memory * product(1 - w erase) + sum(w add), over the
// writing heads. (What bounds key and add, and when heads read, the paper leaves open.)
MemoryState memory_step(const MemoryShape& shape, const torch::Tensor& interface, const MemoryState& before);
// The same composed of LibTorch's operators; slower.
MemoryState compose_memory_step(const MemoryShape& shape, const torch::Tensor& interface, const MemoryState& before);

namespace nn {

struct NTMOptions {
  NTMOptions(std::int64_t input_size, std::int64_t output_size) : input_size_(input_size), output_size_(output_size) {}
  TORCH_ARG(std::int64_t, input_size);
  TORCH_ARG(std::int64_t, output_size);
  TORCH_ARG(std::string, controller) = "lstm";  // or "feedforward": one layer of `tanh`
  TORCH_ARG(std::int64_t, controller_size) = 100;
  TORCH_ARG(std::int64_t, locations) = 128;
  TORCH_ARG(std::int64_t, width) = 20;
  TORCH_ARG(std::int64_t, read_heads) = 1;
  TORCH_ARG(std::int64_t, write_heads) = 1;
  TORCH_ARG(bool, batch_first) = false;  // inputs and outputs are [batch, time, features]
  // The controller's: what stands in the place of every sigmoid (of an LSTM), and of every tanh.
  TORCH_ARG(std::string, sigmoid) = "sigmoid";
  TORCH_ARG(std::string, tanh) = "tanh";
};

// Where a sequence stopped, for the next one to go on from.
struct NTMState {
  MemoryState memory;
  torch::Tensor h, c;  // [batch, controller_size], of an LSTM
};

// Parameters: weight_ih, weight_hh, bias_ih (of the controller; weight_ih takes input and what was read), a vector of
// controller_size for every learned parameter of every activation (input_gate_p, ...), weight_interface,
// bias_interface, weight_output, bias_output (from the controller's output and what is read), and what a sequence
// starts from: first_reads [reads, width] and first_weights [heads, locations], of which the softmax is taken. The
// memory starts with 1e-6 everywhere (Collier and Beel 2018, 1807.08518).
class NTMImpl : public torch::nn::Cloneable<NTMImpl> {
 public:
  explicit NTMImpl(NTMOptions how);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  // As RecurrentImplBase::set.
  void set(const std::string& parameter, double value);
  MemoryShape shape() const;
  NTMState initial_state(std::int64_t batch) const;
  // x: [time, batch, input_size], or [batch, time, input_size] with batch_first; time at least 1.
  std::tuple<torch::Tensor, NTMState> forward(const torch::Tensor& x, torch::optional<NTMState> state = {});

  NTMOptions options;

 private:
  struct Learned {
    std::string name;
    double low, high;
  };
  torch::Tensor held(const std::string& name) const;
  RecurrentLayer controller() const;

  std::vector<ogee::Activation> activations_;
  std::vector<Learned> learned_;
};
TORCH_MODULE(NTM);

}  // namespace nn
}  // namespace ogee
