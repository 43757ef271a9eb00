// Which of LibTorch's own operators are activations that Ogee knows, too.
#pragma once

#include <ATen/core/ivalue.h>

#include <optional>
#include <string>
#include <string_view>

namespace ogee::torch_call {

// Whether an operator of the namespace aten may be one, by its name without namespace and without the underscore of the
// in-place form.
bool is_aten_activation(std::string_view name);

// What a call of it computes, as ogee::Activation reads it; arguments that are not known are None, and count as their
// defaults. "" where the attributes make it a function that Ogee has no name for, nullopt where they make it none at
// all (clamp_min at another number than 0).
std::optional<std::string> aten_activation(std::string_view name, c10::ArrayRef<const c10::IValue> arguments);

}  // namespace ogee::torch_call
