// The cross-entropy of answers among very many.
#pragma once

#include "ogee/libtorch.h"

namespace ogee::tasks {

// at::cross_entropy_loss(x, y), the mean over rows: x [rows, classes], y [rows], below 0 where nothing is asked. As
// many classes as there are words, float32, on the CPU: loss and gradient are one pass over a row while the cache has
// it.
at::Tensor cross_entropy(const at::Tensor& x, const at::Tensor& y);

}  // namespace ogee::tasks
