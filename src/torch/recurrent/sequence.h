// A layer over a sequence: what was asked for, checked, and the two ways to compute it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ogee/torch_recurrent.h"
#include "torch/call.h"

namespace ogee::torch_call::recurrent {

// A layer with its inputs. Undefined: h and c that are zeros, biases and peepholes that are not there.
struct Sequence {
  RecurrentLayer layer;
  at::Tensor x, h, c;
  at::Tensor key;  // two int64, where noise is drawn; else undefined

  std::int64_t steps() const { return x.size(0); }
  std::int64_t batch() const { return x.size(1); }
  std::int64_t units() const { return layer.weight_hh.size(1); }
  // Gates, without candidates, whose pre-activations are sums over x and h; LSTM: all four.
  std::int64_t gates() const { return layer.cell == Cell::lstm ? 4 : layer.cell == Cell::gru ? 2 : 1; }
  bool is_lstm() const { return layer.cell == Cell::lstm; }
  // The time step that comes k-th, and whether anything came before it.
  std::int64_t time(std::int64_t k) const { return layer.reverse ? steps() - 1 - k : k; }
  // Every tensor, in a fixed order: x, h, c, weight_ih, weight_hh, bias_ih, bias_hh, peephole, then `learned`.
  std::vector<at::Tensor> tensors() const;
  static Sequence from(const RecurrentLayer& like, const std::vector<at::Tensor>& tensors, const at::Tensor& key);
};
inline constexpr std::size_t own_tensors = 8;

const char* name_of(Cell cell);
// The names of a cell's activations, in their order.
const std::vector<std::string>& gate_names(Cell cell);
// The key's two words; and the stream of a time step, whose activations take the calls from there on.
NoiseKey read_key(const Sequence& sequence);
NoiseKey stream(NoiseKey key, std::int64_t time);

// Checks everything, and draws the key.
Sequence checked(const RecurrentLayer& layer, const at::Tensor& x, const at::Tensor& h, const at::Tensor& c);

// Of LibTorch's operators and, unless `functions_too`, Ogee's activations; recorded by autograd.
RecurrentOutput composed(const Sequence& sequence, bool functions_too);

// float32 and float64 on the CPU: results and, where wanted, what backward needs.
struct Kept {
  at::Tensor sums;  // [time, batch, pre-activations]
  at::Tensor c;     // [time, batch, units]; LSTM
};
RecurrentOutput fused_forward(const Sequence& sequence, Kept* kept);

struct Wanted {
  std::vector<bool> of;  // by Sequence::tensors()
};
// Gradients by Sequence::tensors(), undefined where not wanted. dy, dh, dc: by the results, may be undefined.
// may_overwrite: kept.sums is needed no more.
std::vector<at::Tensor> fused_backward(const Sequence& sequence, const Kept& kept, const at::Tensor& y, at::Tensor dy,
                                       const at::Tensor& dh, const at::Tensor& dc, const Wanted& wanted,
                                       bool may_overwrite);

}  // namespace ogee::torch_call::recurrent
