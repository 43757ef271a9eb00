// A decoder's loop of LibTorch's operators: on any device, differentiable as often as they are, and a second opinion on
// the fused form.
#include <limits>

#include "kernels/recurrent/step.h"
#include "torch/attention/decode.h"
#include "torch/recurrent/function.h"

namespace ogee::torch_call::attention {

AttentionOutput composed(const Decoding& d, bool functions_too) {
  const AttentionLayer& l = d.layer;
  std::vector<recurrent::Function> phi;
  std::size_t next = 0;
  for (std::size_t k = 0; k < l.activations.size(); ++k)
    phi.emplace_back(l.activations, l.learned, d.key, k, next, functions_too);
  const auto each = [&](const at::Tensor& t) { return d.queries() == 1 ? t : t.repeat_interleave(d.queries(), 0); };
  const at::Tensor keys = each(d.source.keys), values = each(d.source.values);
  const at::Tensor lengths = each(d.source.lengths.to(d.x.device()));
  const at::Tensor beyond = at::arange(d.places(), lengths.options()).unsqueeze(0).ge(lengths.unsqueeze(1));
  const c10::optional<at::Tensor> bias = l.bias_hh.defined() ? c10::optional<at::Tensor>(l.bias_hh) : c10::nullopt;
  at::Tensor h = d.h, c = d.c;
  if (d.is_lstm() && !c.defined()) c = at::zeros_like(h.detach());
  std::vector<at::Tensor> states, looks;
  for (std::int64_t t = 0; t < d.steps(); ++t) {
    const at::Tensor query = at::linear(h, l.weight_query);
    const at::Tensor seen = keys.add(query.unsqueeze(1));
    const at::Tensor fit =
        phi[d.score_slot()](seen.flatten(0, 1), t).matmul(l.weight_score).view({d.batch(), d.places()});
    const at::Tensor w = at::softmax(fit.masked_fill(beyond, -std::numeric_limits<double>::infinity()), 1);
    const at::Tensor context = w.unsqueeze(1).matmul(values).squeeze(1);
    const at::Tensor from_x = d.x.select(0, t).add(context), from_h = at::linear(h, l.weight_hh, bias);
    if (d.is_lstm()) {
      using namespace kernels::recurrent;
      const std::vector<at::Tensor> a = from_x.add(from_h).chunk(4, 1);
      const at::Tensor i = phi[input_gate](a[0], t), f = phi[forget_gate](a[1], t);
      c = f.mul(c).add(i.mul(phi[candidate](a[2], t)));
      h = phi[output_gate](a[3], t).mul(phi[cell_output](c, t));
    } else {
      const std::vector<at::Tensor> a = from_x.chunk(3, 1), b = from_h.chunk(3, 1);
      const at::Tensor reset = phi[0](a[0].add(b[0]), t), update = phi[1](a[1].add(b[1]), t);
      const at::Tensor n = phi[2](a[2].add(reset.mul(b[2])), t);
      h = n.add(update.mul(h.sub(n)));
    }
    states.push_back(h);
    looks.push_back(w);
  }
  return {at::stack(states), at::stack(looks), c};
}

}  // namespace ogee::torch_call::attention
