// Telling LibTorch's observers of work that is done by hand, as the operators that it stands for.
#pragma once

#include <ATen/core/ivalue.h>
//
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "ogee/libtorch.h"
#include "ogee/torch.h"

namespace ogee::models {

// Whether anybody looks at operators on this thread.
inline bool observed() { return at::getStepCallbacksUnlessEmpty(at::RecordScope::FUNCTION).has_value(); }

// aten::linear, and ogee::_forward, which applies an activation. (Observers may know operators by where these lie.)
const c10::FunctionSchema& linear_schema();
const c10::FunctionSchema& activation_schema();
// What the latter would be called with.
std::vector<c10::IValue> arguments_of(const nn::Activation& unit, const at::Tensor& x);

// A tensor over memory that somebody else keeps, a result of autograd's: hooks may be registered on it, and whoever
// goes back by hand calls them with its gradient.
at::Tensor result_over(float* data, std::int64_t rows, std::int64_t columns);
// Those on any tensor.
void call_hooks(const at::Tensor& tensor, const at::Tensor& gradient);

// Runs f, which fills `result`, as an operator with these arguments.
template <class F>
void announced(const c10::FunctionSchema& schema, const std::vector<c10::IValue>& arguments, const at::Tensor& result,
               F f) {
  at::RecordFunction call(at::RecordScope::FUNCTION);
  if (call.isActive())
    call.before(std::cref(schema), c10::ArrayRef<const c10::IValue>(arguments.data(), arguments.size()));
  f();
  if (call.isActive()) call.setOutputs(std::vector<c10::IValue>{result});
}

}  // namespace ogee::models
