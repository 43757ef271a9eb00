#pragma once

#include <ATen/autocast_mode.h>
#include <torch/version.h>

#include <optional>

#include "ogee/libtorch.h"

namespace ogee::torch_call {

// The type that autocast would run matrix products in, if it is on.
inline std::optional<at::ScalarType> autocast_type(const at::Tensor& x) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  if (at::autocast::is_autocast_enabled(x.device().type())) {
    return at::autocast::get_autocast_dtype(x.device().type());
  }
#else
  if (x.is_cpu() && at::autocast::is_cpu_enabled()) return at::autocast::get_autocast_cpu_dtype();
  if (x.is_cuda() && at::autocast::is_enabled()) return at::autocast::get_autocast_gpu_dtype();
#endif
  return std::nullopt;
}

}  // namespace ogee::torch_call
