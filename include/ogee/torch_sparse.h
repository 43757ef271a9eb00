// A feed-forward block for LibTorch that computes only what its activation left: see ogee/sparse.h.
//
//   ogee::nn::SparseFeedForward ffn(ogee::nn::SparseFeedForwardOptions(2048).hidden(8192).unit("relu"));
//   auto same = ogee::nn::sparse_feed_forward("reglu", gate, up, down);    // from three nn::Linear
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "ogee/sparse.h"
#include "ogee/torch.h"

namespace ogee::nn {

// Which way the products go. `automatic` counts the active units and takes the way that is estimated to be faster.
enum class SparsePath { automatic, sparse, dense };

struct SparseFeedForwardOptions {
  explicit SparseFeedForwardOptions(std::int64_t dim) : dim_(dim) {}
  TORCH_ARG(std::int64_t, dim);
  // 0: 4*dim.
  TORCH_ARG(std::int64_t, hidden) = 0;
  // relu, squared_relu, reglu (max(gate,0)*up) or drelu_glu (max(gate,0)*max(up,0)).
  TORCH_ARG(std::string, unit) = "relu";
  TORCH_ARG(bool, bias) = false;
  TORCH_ARG(SparsePath, path) = SparsePath::automatic;
};

// y = unit(x Wg^T + bg, x Wu^T + bu) Wd + bd. x: [..., dim], float32, float64 or bfloat16 like the weights, on the CPU;
// elsewhere, and under autocast, the dense path is taken.
//
// weight_in and weight_up are [hidden, dim], as in nn::Linear; weight_out is [hidden, dim] too: nn::Linear's
// transposed, so that the row of one hidden unit is contiguous. Making the block from an nn::Linear copies that one
// matrix, once. In bfloat16 the dense path without gradients keeps a second copy the other way round, made when it is
// first taken and again when the weights have changed: LibTorch's bfloat16 product needs it to be as fast as
// nn::Linear's.
//
// The sparse path skips a zero activation's weights, whatever they are; the dense one multiplies, so that an infinite
// or NaN weight of an inactive unit gives NaN there. Weights that are finite give the same numbers to rounding; in
// bfloat16 the sparse path rounds only x, the weights and y, where LibTorch also rounds the activations.
//
// Gradients: the sparse path keeps x and the active units' pre-activations (not the zeros), and its backward touches
// active units alone; the rows of weight gradients of units without an active token are zeros. A gradient of gradients
// is taken through the dense form.
class SparseFeedForwardImpl : public torch::nn::Cloneable<SparseFeedForwardImpl> {
 public:
  explicit SparseFeedForwardImpl(SparseFeedForwardOptions options);
  // With these tensors as its parameters, undefined ones where options ask for none; see sparse_feed_forward.
  SparseFeedForwardImpl(SparseFeedForwardOptions options, const torch::Tensor& in, const torch::Tensor& up,
                        const torch::Tensor& out, const torch::Tensor& in_bias, const torch::Tensor& up_bias,
                        const torch::Tensor& out_bias);
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  torch::Tensor forward(const torch::Tensor& x);
  // Whether the last forward took the sparse path, and the share of its activations that were zero.
  bool was_sparse() const { return was_sparse_; }
  double sparsity() const { return sparsity_; }

  SparseFeedForwardOptions options;
  sparse::Unit unit;
  torch::Tensor weight_in, weight_up, weight_out, bias_in, bias_up, bias_out;

 private:
  // weight_out as nn::Linear holds it.
  torch::Tensor dense_copy();
  torch::Tensor copy_;
  const void* copy_of_ = nullptr;
  std::int64_t copy_version_ = -1;
  std::shared_ptr<std::mutex> copy_mutex_ = std::make_shared<std::mutex>();
  bool was_sparse_ = false;
  double sparsity_ = 0;
};
TORCH_MODULE(SparseFeedForward);

// From existing layers: shares the parameters of `in` (the gate where there is one) and `up`, copies those of `out`
// (transposed). `up` is empty for relu and squared_relu.
SparseFeedForward sparse_feed_forward(std::string_view unit, const torch::nn::Linear& in, const torch::nn::Linear& up,
                                      const torch::nn::Linear& out);

}  // namespace ogee::nn
