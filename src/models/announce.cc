#include "models/announce.h"

#include <string>

#include "torch/node.h"

namespace ogee::models {
namespace {

// Behind a result that is gone back from by hand.
class ByHand final : public torch_call::OgeeNode {
 public:
  std::string name() const override { return "OgeeByHand"; }
  torch::autograd::variable_list apply(torch::autograd::variable_list&&) override {
    TORCH_CHECK(false, "what was computed by hand has no graph to go back through");
  }

 protected:
  void released() override {}
};

const c10::FunctionSchema& schema_named(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").schema();
}

}  // namespace

const c10::FunctionSchema& linear_schema() {
  static const c10::FunctionSchema& schema = schema_named("aten::linear");
  return schema;
}
const c10::FunctionSchema& activation_schema() {
  static const c10::FunctionSchema& schema = schema_named("ogee::_forward");
  return schema;
}

std::vector<c10::IValue> arguments_of(const nn::Activation& unit, const at::Tensor& x) {
  const Activation& activation = unit->activation();
  const Spec& spec = activation.spec();
  const bool gated = spec.inputs == 2;
  c10::List<at::Tensor> tensors;
  c10::List<std::int64_t> slots, order;
  c10::List<double> values;
  for (const double value : activation.parameters()) values.push_back(value);
  for (std::size_t k = 0; k < unit->parameter_tensors().size(); ++k) {
    const at::Tensor& tensor = unit->parameter_tensors()[k];
    if (!tensor.defined()) continue;
    tensors.push_back(tensor);
    slots.push_back(static_cast<std::int64_t>(k));
  }
  return {std::string(spec.name),
          x,
          c10::IValue(),
          tensors,
          slots,
          values,
          unit->options.channel_dim(),
          static_cast<std::int64_t>(gated ? unit->options.layout() : Layout::two),
          gated ? unit->options.gate_dim() : std::int64_t{-1},
          unit->is_training() && spec.noise != Noise::none,
          c10::IValue(),
          order,
          false};
}

at::Tensor result_over(float* data, std::int64_t rows, std::int64_t columns) {
  at::Tensor result = torch::from_blob(data, {rows, columns});
  torch_call::make_node<ByHand>().attach(result);
  return result;
}

void call_hooks(const at::Tensor& tensor, const at::Tensor& gradient) {
  for (const auto& hook : torch::autograd::impl::hooks(tensor)) (*hook)({gradient});
}

}  // namespace ogee::models
