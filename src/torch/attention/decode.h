// A decoder's loop over time: what was asked for, checked, and the two ways to compute it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ogee/torch_attention.h"
#include "torch/call.h"

namespace ogee::torch_call::attention {

// The activations' names, in their order; the last is the score's.
const std::vector<std::string>& slot_names(Cell cell);

struct Decoding {
  AttentionLayer layer;
  at::Tensor x, h, c;
  AttentionSource source;
  at::Tensor key;  // two int64, where noise is drawn; else undefined

  std::int64_t steps() const { return x.size(0); }
  std::int64_t batch() const { return x.size(1); }
  std::int64_t units() const { return layer.weight_hh.size(1); }
  bool is_lstm() const { return layer.cell == Cell::lstm; }
  std::int64_t gates() const { return is_lstm() ? 4 : 3; }
  std::size_t score_slot() const { return is_lstm() ? 5 : 3; }
  std::int64_t size() const { return layer.weight_query.size(0); }
  std::int64_t sources() const { return source.keys.size(0); }
  std::int64_t places() const { return source.keys.size(1); }
  std::int64_t queries() const { return batch() / sources(); }
  // Every tensor with a gradient, in a fixed order: x, h, c, keys, values, weight_hh, bias_hh, weight_query,
  // weight_score, then `learned`.
  std::vector<at::Tensor> tensors() const;
  static Decoding from(const Decoding& like, const std::vector<at::Tensor>& tensors);
};
inline constexpr std::size_t own_tensors = 9;

AttentionOutput composed(const Decoding& decoding, bool functions_too);

// float32 and float64 on the CPU: results and, where wanted, what backward needs.
struct Kept {
  at::Tensor sums;     // [time, batch, 4*units]: n from x, r, z, n from h; or i, f, g, o
  at::Tensor queries;  // [time, batch, size]
  at::Tensor c;        // lstm: [time, batch, units]
};
AttentionOutput fused_forward(const Decoding& decoding, Kept* kept);
// Gradients by Decoding::tensors(), undefined where not wanted. dy, d_weights, dc: by the results, may be undefined.
std::vector<at::Tensor> fused_backward(const Decoding& decoding, const Kept& kept, const AttentionOutput& out,
                                       const at::Tensor& dy, const at::Tensor& d_weights, const at::Tensor& dc,
                                       const std::vector<bool>& wanted);

}  // namespace ogee::torch_call::attention
