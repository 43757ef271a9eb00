// What the two generations of oneDNN have in common: which of our functions is which of their eltwise algorithms.
#pragma once

#include <optional>
#include <string_view>

#include "bench/speed/case.h"

namespace ogee::bench {

enum class Eltwise { relu, tanh, elu, soft_relu, logistic, gelu_tanh, swish, clip, gelu_erf, mish, hardswish };

struct EltwiseCall {
  Eltwise algorithm;
  float alpha;
  float beta;
};

// Backward is the form from x, which is the default. soft_relu's alpha scales its input; oneDNN 2 ignores it.
inline std::optional<EltwiseCall> eltwise_of(const Activation& activation) {
  const std::string_view name = activation.spec().name;
  const auto get = [&](const char* parameter) { return static_cast<float>(parameter_or(activation, parameter, 0)); };
  if (name == "relu") return EltwiseCall{Eltwise::relu, 0, 0};
  if (name == "leaky_relu") return EltwiseCall{Eltwise::relu, get("slope"), 0};
  if (name == "relu6") return EltwiseCall{Eltwise::clip, 0, 6};
  if (name == "clipped_relu") return EltwiseCall{Eltwise::clip, 0, get("ceiling")};
  if (name == "hardtanh") return EltwiseCall{Eltwise::clip, get("low"), get("high")};
  if (name == "tanh") return EltwiseCall{Eltwise::tanh, 0, 0};
  if (name == "sigmoid") return EltwiseCall{Eltwise::logistic, 0, 0};
  if (name == "elu") return EltwiseCall{Eltwise::elu, get("alpha"), 0};
  if (name == "softplus" && get("beta") == 1) return EltwiseCall{Eltwise::soft_relu, 1, 0};
  if (name == "gelu") return EltwiseCall{Eltwise::gelu_erf, 0, 0};
  if (name == "gelu_tanh") return EltwiseCall{Eltwise::gelu_tanh, 0, 0};
  if (name == "silu") return EltwiseCall{Eltwise::swish, 1, 0};
  if (name == "swish" || name == "swish_beta") return EltwiseCall{Eltwise::swish, get("beta"), 0};
  if (name == "gelu_quick") return EltwiseCall{Eltwise::swish, 1.702F, 0};
  if (name == "mish") return EltwiseCall{Eltwise::mish, 0, 0};
  if (name == "hard_swish") return EltwiseCall{Eltwise::hardswish, 1.0F / 6, 0.5F};
  return std::nullopt;
}

}  // namespace ogee::bench
