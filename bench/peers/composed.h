// The formulas that a LibTorch user without the function writes, out of LibTorch's operators.
#pragma once

#include <functional>
#include <vector>

#include "ogee/torch.h"

namespace ogee::bench {

// Gets the inputs, and a tensor of one element for each learned parameter (others may be undefined); fixed parameters
// have the activation's values, noise is drawn by LibTorch's generator. Empty where no formula is known.
using ComposedFormula =
    std::function<at::Tensor(const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& learned)>;
ComposedFormula composed_formula(const Activation& activation);

}  // namespace ogee::bench
