// Whether LibTorch's autocast is on for a tensor's device.
#pragma once

#include <ATen/autocast_mode.h>
#include <torch/version.h>

namespace ogee::torch_call::recurrent {

inline bool is_autocasting(const at::Tensor& x) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  return at::autocast::is_autocast_enabled(x.device().type());
#else
  return x.is_cpu() ? at::autocast::is_cpu_enabled() : at::autocast::is_enabled();
#endif
}

}  // namespace ogee::torch_call::recurrent
