// LibTorch's own operators by the names of the catalogue.
#pragma once

#include <map>
#include <string_view>

#include "kept.h"

namespace ogee::bench {

inline const std::map<std::string_view, Forward>& libtorch_operators() {
  using In = std::vector<at::Tensor>;
  static const std::map<std::string_view, Forward> operators = {
      {"relu", [](const In& x) { return at::relu(x[0]); }},
      {"relu6", [](const In& x) { return at::hardtanh(x[0], 0, 6); }},
      {"leaky_relu", [](const In& x) { return at::leaky_relu(x[0], 0.01); }},
      {"prelu", [](const In& x) { return at::prelu(x[0], at::full({1}, 0.25, x[0].options())); }},
      {"rrelu", [](const In& x) { return at::rrelu(x[0], 1.0 / 8, 1.0 / 3, true); }},
      {"clipped_relu", [](const In& x) { return at::hardtanh(x[0], 0, Activation("clipped_relu").parameters()[0]); }},
      {"threshold", [](const In& x) { return at::threshold(x[0], 1, 0); }},
      {"hardtanh", [](const In& x) { return at::hardtanh(x[0]); }},
      {"hard_sigmoid", [](const In& x) { return at::hardsigmoid(x[0]); }},
      {"hard_swish", [](const In& x) { return at::hardswish(x[0]); }},
      {"softshrink", [](const In& x) { return at::softshrink(x[0]); }},
      {"hardshrink", [](const In& x) { return at::hardshrink(x[0]); }},
      {"sigmoid", [](const In& x) { return at::sigmoid(x[0]); }},
      {"tanh", [](const In& x) { return at::tanh(x[0]); }},
      {"log_sigmoid", [](const In& x) { return at::log_sigmoid(x[0]); }},
      {"softplus", [](const In& x) { return at::softplus(x[0]); }},
      {"elu", [](const In& x) { return at::elu(x[0]); }},
      {"selu", [](const In& x) { return at::selu(x[0]); }},
      {"celu", [](const In& x) { return at::celu(x[0]); }},
      {"silu", [](const In& x) { return at::silu(x[0]); }},
      {"gelu", [](const In& x) { return at::gelu(x[0]); }},
      {"gelu_tanh", [](const In& x) { return at::gelu(x[0], "tanh"); }},
      {"mish", [](const In& x) { return at::mish(x[0]); }},
      {"normal_cdf", [](const In& x) { return at::special_ndtr(x[0]); }},
      {"erf", [](const In& x) { return at::erf(x[0]); }},
      {"arctan", [](const In& x) { return at::atan(x[0]); }},
      {"sine", [](const In& x) { return at::sin(x[0]); }},
  };
  return operators;
}

}  // namespace ogee::bench
