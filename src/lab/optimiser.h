// Adam over one flat buffer.
#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace ogee::lab {

// Networks of this size are bound by the cost of calling operators, not by arithmetic: with all parameters (and all
// gradients) as views of one tensor, a step is seven calls for the whole network.
class FlatAdam {
 public:
  explicit FlatAdam(torch::nn::Module& network);
  void zero_gradients() { gradients_.zero_(); }
  void step(double rate);

 private:
  at::Tensor values_, gradients_, first_, second_;
  std::int64_t steps_ = 0;
};

}  // namespace ogee::lab
