// Units for LibTorch that weigh a rectified dot product by how much of their topic the input holds:
//
//   z = max(x.w + b, 0) * J(x, w)
//
// A single feature that input and unit share fires a plain rectified unit; here it counts as little as it is of all
// that either has. J is one of
//   ruzicka      sum min(x_i, w_i+) / sum max(x_i, w_i+), w+ = max(w, 0): the Jaccard coefficient of weighted sets
//   tanimoto     x.w / (|x|^2 + |w|^2 - x.w)
//   l1_tanimoto  x.w / (|x|_1 + |w|_1 - x.w), for x in [0, 1]
// and 0 where both are all zeros. Proposed in "Learning Activation Functions" (a rectified dot product combined with
// the Jaccard coefficient); the nearest published layer is Czarnecki 2015, "Weighted Tanimoto extreme learning
// machine".
//
//   ogee::nn::OverlapLinear topics(ogee::nn::OverlapLinearOptions(keywords, 100).overlap("ruzicka"));
//   auto z = topics(films);           // a matrix [films, keywords], dense or sparse (CSR), to [films, 100]
//   torch.ops.ogee.overlap_linear(x, weight, bias, "ruzicka")     # the same in Python
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ogee/torch.h"

namespace ogee {

// z: [..., units]. x: [..., features] dense, or [rows, features] sparse in CSR layout, whose rows are never made dense.
// weight: [features, units]: the transposed of nn::Linear's, as in nn::EmbeddingBag, so that all that a row needs of a
// feature lies in one piece. bias: [units], or undefined. float32 or float64, on the CPU.
// Gradients flow to a dense x, the weight and the bias; exact, with one-sided choices at kinks (see
// src/kernels/sparse/overlap.h). A sparse x gets none (see overlap_linear_of_rows). No gradients of gradients.
// Throws c10::Error on shapes and types that do not fit, on columns out of range, and on x outside [0, 1] for
// l1_tanimoto.
torch::Tensor overlap_linear(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                             std::string_view overlap);
// The same for rows given by their parts, with gradients to the values: row r holds values[begin[r]] to
// values[begin[r+1] - 1] at the columns of the same places, none of them twice. begin: [rows + 1] and columns: [n],
// int64; values: [n].
torch::Tensor overlap_linear_of_rows(const torch::Tensor& begin, const torch::Tensor& columns,
                                     const torch::Tensor& values, const torch::Tensor& weight,
                                     const torch::Tensor& bias, std::string_view overlap);
// Dense, out of LibTorch's operators, differentiable any number of times, on any device: what the kernels must agree
// with. Takes memory for rows x features x units numbers.
torch::Tensor compose_overlap_linear(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                                     std::string_view overlap);

namespace nn {

struct OverlapLinearOptions {
  OverlapLinearOptions(std::int64_t features, std::int64_t units) : features_(features), units_(units) {}
  TORCH_ARG(std::int64_t, features);
  TORCH_ARG(std::int64_t, units);
  // ruzicka, tanimoto or l1_tanimoto.
  TORCH_ARG(std::string, overlap) = "ruzicka";
  TORCH_ARG(bool, bias) = true;
};

// Weights start uniform in [0, 1/sqrt(features)], as negative ones overlap with nothing; biases at 0.
class OverlapLinearImpl : public torch::nn::Cloneable<OverlapLinearImpl> {
 public:
  explicit OverlapLinearImpl(OverlapLinearOptions options);
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  torch::Tensor forward(const torch::Tensor& x);

  OverlapLinearOptions options;
  torch::Tensor weight, bias;
};
TORCH_MODULE(OverlapLinear);

}  // namespace nn
}  // namespace ogee
