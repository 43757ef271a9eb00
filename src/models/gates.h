// Cells all of whose functions are replaced, their gates' sigmoids too.
#pragma once

#include <string>

namespace ogee::models {

struct GateFunctions {
  std::string sigmoid, tanh;  // what stands in the place of each
};

// "nan(base=tanh, c=1)": nan_tanh(c=1) and nan_sigmoid(c=1); the same of the hard ones. Attributes that are at their
// default are each function's own. "tanh": the plain cell. Throws Error where a function has no sigmoid to go with it.
GateFunctions gate_functions(const std::string& activation);

}  // namespace ogee::models
