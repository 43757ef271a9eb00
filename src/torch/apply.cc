// ogee::apply and its sisters: one call, from its arguments to the general operators.
#include "torch/apply.h"

#include <ATen/core/LegacyTypeDispatch.h>

#include <utility>

#include "torch/derivatives.h"
#include "torch/mask.h"

namespace ogee::torch_call {

using c10::optional;

at::Tensor run_entry(const Entry& entry, const at::Tensor& a, const optional<at::Tensor>& b, at::TensorList tensors,
                     at::IntArrayRef slots, at::ArrayRef<double> values, std::int64_t channel_dim, Layout layout,
                     std::int64_t gate_dim, bool training, bool composed) {
  TORCH_CHECK(a.defined(), "ogee::", entry.spec->name, ": the input is undefined");
  const optional<at::Tensor> none;
  if (!training || entry.spec->noise == Noise::none) {
    return call_forward(
        Request{entry, a, b, tensors, slots, values, channel_dim, layout, gate_dim, training, none, {}, composed});
  }
  const optional<at::Tensor> key = draw_key(a);
  const at::DimVector order = order_of(a);
  return call_forward(
      Request{entry, a, b, tensors, slots, values, channel_dim, layout, gate_dim, training, key, order, composed});
}

namespace {

// Runs f with the tensors among `parameters` and their places.
template <class F>
auto with_tensors(const Activation& activation, const std::vector<at::Tensor>& parameters, F f) {
  const Entry& entry = entry_of(activation.function());
  TORCH_CHECK(parameters.size() <= entry.spec->parameters.size(), "ogee::", entry.spec->name, ": has ",
              entry.spec->parameters.size(), " parameters, but ", parameters.size(), " were given");
  c10::SmallVector<at::Tensor, 4> tensors;
  at::DimVector slots;
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    if (!parameters[k].defined()) continue;
    tensors.push_back(parameters[k]);
    slots.push_back(static_cast<std::int64_t>(k));
  }
  const std::span<const double> values = activation.parameters();
  return f(entry, at::TensorList(tensors), at::IntArrayRef(slots), at::ArrayRef<double>(values.data(), values.size()));
}

at::Tensor run(const Activation& activation, const at::Tensor& a, const optional<at::Tensor>& b,
               const std::vector<at::Tensor>& parameters, const ApplyOptions& options, bool composed) {
  return with_tensors(activation, parameters, [&](const Entry& entry, auto tensors, auto slots, auto values) {
    if (options.save == Save::mask && !composed && !b.has_value() && at::GradMode::is_enabled() && a.defined() &&
        a.requires_grad() && !has_tangent(a)) {
      const optional<at::Tensor> none;
      const Request request{entry,
                            a,
                            b,
                            tensors,
                            slots,
                            values,
                            options.channel_dim,
                            options.layout,
                            options.gate_dim,
                            options.training,
                            none,
                            {},
                            false};
      if (std::optional<SlopeMask> mask = mask_of(request)) {
        at::Tensor y;
        {
          const at::AutoDispatchBelowADInplaceOrView below;
          y = call_forward(request);
        }
        attach_mask(std::move(*mask), a, y);
        return y;
      }
    }
    return run_entry(entry, a, b, tensors, slots, values, options.channel_dim, options.layout, options.gate_dim,
                     options.training, composed);
  });
}

at::Tensor& run_in_place(const Activation& activation, at::Tensor& x, const std::vector<at::Tensor>& parameters,
                         const ApplyOptions& options) {
  const Entry& entry = entry_of(activation.function());
  TORCH_CHECK(x.defined(), "ogee::", entry.spec->name, ": the input is undefined");
  TORCH_CHECK(entry.spec->inputs == 1, "ogee::", entry.spec->name, ": in place, the function must have one input");
  with_tensors(activation, parameters, [&](const Entry&, auto tensors, auto slots, auto values) {
    const optional<at::Tensor> none;
    const bool draws = options.training && entry.spec->noise != Noise::none;
    const optional<at::Tensor> key = draws ? optional<at::Tensor>(draw_key(x)) : none;
    const at::DimVector order = draws ? order_of(x) : at::DimVector();
    apply_in_place(Request{entry, x, none, tensors, slots, values, options.channel_dim, options.layout,
                           options.gate_dim, options.training, key, order, false},
                   x);
  });
  return x;
}

}  // namespace
}  // namespace ogee::torch_call

namespace ogee {

at::Tensor apply(const Activation& activation, const at::Tensor& x, const std::vector<at::Tensor>& parameters,
                 const ApplyOptions& options) {
  return torch_call::run(activation, x, c10::nullopt, parameters, options, false);
}

at::Tensor apply_linear(const Activation& activation, const at::Tensor& x, const at::Tensor& weight,
                        const at::Tensor& bias, const std::vector<at::Tensor>& parameters,
                        const ApplyOptions& options) {
  return torch_call::with_tensors(
      activation, parameters, [&](const auto& entry, auto tensors, auto slots, auto values) {
        return torch_call::run_linear(entry, x, weight, bias, tensors, slots, values, options);
      });
}

at::Tensor apply_to_two(const Activation& activation, const at::Tensor& a, const at::Tensor& b,
                        const std::vector<at::Tensor>& parameters, const ApplyOptions& options) {
  return torch_call::run(activation, a, b, parameters, options, false);
}

at::Tensor& apply_(const Activation& activation, at::Tensor& x, const std::vector<at::Tensor>& parameters,
                   const ApplyOptions& options) {
  return torch_call::run_in_place(activation, x, parameters, options);
}

at::Tensor compose(const Activation& activation, const std::vector<at::Tensor>& inputs,
                   const std::vector<at::Tensor>& parameters, const ApplyOptions& options) {
  TORCH_CHECK(inputs.size() == 1 || inputs.size() == 2, "ogee::", activation.spec().name, ": give one or two inputs");
  c10::optional<at::Tensor> b;
  if (inputs.size() == 2) b = inputs[1];
  return torch_call::run(activation, inputs[0], b, parameters, options, true);
}

at::Tensor slope(const Activation& activation, const at::Tensor& x, const std::vector<at::Tensor>& parameters,
                 std::int64_t channel_dim) {
  TORCH_CHECK(activation.spec().inputs == 1, "ogee::", activation.spec().name,
              ": the slope is for functions of one input");
  const at::NoGradGuard no_grad;
  const at::Tensor ones = at::ones({}, x.options()).expand(x.sizes());
  const c10::optional<at::Tensor> none;
  return torch_call::with_tensors(
      activation, parameters, [&](const auto& entry, auto tensors, auto slots, auto values) {
        return torch_call::call_backward(
            ones,
            torch_call::Request{
                entry, x, none, tensors, slots, values, channel_dim, Layout::two, -1, false, none, {}, false},
            0)[0];
      });
}

}  // namespace ogee
