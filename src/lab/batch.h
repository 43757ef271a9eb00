// The examples of a step.
#pragma once

#include "data/dataset.h"

namespace ogee::lab {

// Those of `part` at the places `chosen` (int64), in memory of their own.
data::Part batch_of(const data::Part& part, const at::Tensor& chosen);

}  // namespace ogee::lab
