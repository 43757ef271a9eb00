// A step of a neural Turing machine's memory: checked, and the composed form.
#pragma once

#include "ogee/torch_memory.h"

namespace ogee::torch_call::memory {

// Throws c10::Error.
void check(const MemoryShape& shape, const at::Tensor& interface, const MemoryState& before);

MemoryState composed(const MemoryShape& shape, const at::Tensor& interface, const at::Tensor& memory,
                     const at::Tensor& weights);

}  // namespace ogee::torch_call::memory
