// Batches of examples of similar lengths, so that little of a batch is padding.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace ogee::lab {

// The same examples as in `order` (int64), in another order: pools of many batches are sorted by length and cut into
// batches, which come in an order that has nothing to do with length; equal orders give equal ones. What is left behind
// the last whole batch stays there. lengths: of every example, int64; undefined: `order` itself.
at::Tensor alike(const at::Tensor& order, const at::Tensor& lengths, std::int64_t batch);

}  // namespace ogee::lab
