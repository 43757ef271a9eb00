#include "torch/packed_linear.h"

#include <torch/csrc/autograd/custom_function.h>

#include "kernels/dense/rows.h"
#include "torch/autocast.h"
#include "torch/recurrent/products.h"

namespace ogee::torch_call {
namespace {

using recurrent::multiplied;
using recurrent::multiply_into;
using recurrent::packed;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor rows_of(const at::Tensor& t) { return t.reshape({-1, t.size(-1)}); }

at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor rows = rows_of(x);
  const at::Tensor y = at::empty({rows.size(0), weight.size(0)}, x.options());
  multiply_into(y, rows, packed<float>(weight.t()), bias);
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0);
  return y.view(shape);
}

// dy^T x. Some columns of dy at a time, copied to where the second-level cache has them: they lie a vocabulary apart.
at::Tensor by_weight(const at::Tensor& dy, const at::Tensor& x) {
  constexpr std::int64_t at_once = 192;
  const at::Tensor dweight = at::empty({dy.size(1), x.size(1)}, x.options());
  const recurrent::PackedTensor<float> b = packed<float>(x);
  for (std::int64_t from = 0; from < dy.size(1); from += at_once) {
    const std::int64_t count = std::min(at_once, dy.size(1) - from);
    multiply_into(dweight.narrow(0, from, count), dy.narrow(1, from, count).contiguous().t(), b);
  }
  return dweight;
}

class PackedLinear : public torch::autograd::Function<PackedLinear> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias) {
    context->save_for_backward({x, weight});
    return product(x.detach(), weight.detach(), bias.detach());
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1];
    const at::Tensor dy = rows_of(gradients[0]);
    if (at::GradMode::is_enabled())  // to be differentiated again
      return {dy.mm(weight).view_as(x), dy.t().mm(rows_of(x)), dy.sum(0)};
    at::Tensor dx, dweight, dbias;
    if (context->needs_input_grad(0)) dx = multiplied(dy, packed<float>(weight.detach())).view_as(x);
    if (context->needs_input_grad(1)) dweight = by_weight(dy, rows_of(x.detach()));
    if (context->needs_input_grad(2)) dbias = dy.sum(0);
    return {dx, dweight, dbias};
  }
};

bool plain(const at::Tensor& t) {
  return t.defined() && t.is_cpu() && t.layout() == at::kStrided && t.scalar_type() == at::kFloat;
}

}  // namespace

at::Tensor packed_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (!plain(x) || !plain(weight) || !plain(bias) || x.numel() == 0 || weight.dim() != 2 ||
      x.size(-1) != weight.size(1) || autocast_type(x).has_value())
    return at::linear(x, weight, bias.defined() ? c10::optional<at::Tensor>(bias) : c10::nullopt);
  if (at::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad() || bias.requires_grad()))
    return PackedLinear::apply(x, weight, bias);
  return product(x, weight, bias);
}

}  // namespace ogee::torch_call
