#include "torch/recurrent/function.h"

#include "kernels/recurrent/step.h"
#include "torch/apply.h"

namespace ogee::torch_call::recurrent {

Function::Function(const std::vector<Activation>& activations, const std::vector<at::Tensor>& learned,
                   const at::Tensor& key, std::size_t slot, std::size_t& next, bool composed)
    : activation_(activations[slot]), key_(key), slot_(slot), composed_(composed) {
  const Spec& spec = activation_.spec();
  draws_ = key.defined() && spec.noise != Noise::none;
  for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
    if (spec.parameters[k].role != Role::learned) continue;
    if (next < learned.size() && learned[next].defined()) {
      tensors_.push_back(learned[next]);
      places_.push_back(static_cast<std::int64_t>(k));
    }
    ++next;
  }
}

at::Tensor Function::operator()(const at::Tensor& x, std::int64_t time) const {
  const std::span<const double> values = activation_.parameters();
  const c10::optional<at::Tensor> none, own_key = draws_ ? c10::optional<at::Tensor>(step_key(time)) : none;
  std::vector<at::Tensor> given;  // autocast may have made x another type
  for (const at::Tensor& t : tensors_) given.push_back(t.to(x.scalar_type()));
  return call_forward(Request{entry_of(activation_.function()),
                              x,
                              none,
                              given,
                              places_,
                              {values.data(), values.size()},
                              1,
                              Layout::two,
                              -1,
                              draws_,
                              own_key,
                              {},
                              composed_});
}

// As stream() has it, but of operators: under a tracer the key is not there yet.
at::Tensor Function::step_key(std::int64_t time) const {
  const auto calls = static_cast<std::int64_t>(kernels::recurrent::calls_a_step) * time;
  return key_.add(at::arange(2, key_.options()).mul(calls + static_cast<std::int64_t>(slot_)));
}

}  // namespace ogee::torch_call::recurrent
