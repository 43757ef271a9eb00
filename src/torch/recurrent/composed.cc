// A layer over a sequence, step by step of LibTorch's operators: on any device, differentiable as often as they are,
// and a second opinion on the fused form.
#include "kernels/recurrent/step.h"
#include "torch/recurrent/function.h"
#include "torch/recurrent/sequence.h"

namespace ogee::torch_call::recurrent {
namespace {

c10::optional<at::Tensor> optional(const at::Tensor& t) {
  return t.defined() ? c10::optional<at::Tensor>(t) : c10::nullopt;
}

}  // namespace

RecurrentOutput composed(const Sequence& s, bool functions_too) {
  const RecurrentLayer& l = s.layer;
  std::vector<Function> phi;
  std::size_t next = 0;
  for (std::size_t k = 0; k < l.activations.size(); ++k)
    phi.emplace_back(l.activations, l.learned, s.key, k, next, functions_too);
  const at::Tensor from_x = at::linear(s.x, l.weight_ih, optional(l.bias_ih));
  const at::Tensor zeros = at::zeros({s.batch(), s.units()}, from_x.options().requires_grad(false));
  at::Tensor h = s.h.defined() ? s.h : zeros, c = s.c.defined() ? s.c : zeros;
  std::vector<at::Tensor> states(static_cast<std::size_t>(s.steps()));
  for (std::int64_t k = 0; k < s.steps(); ++k) {
    const std::int64_t t = s.time(k);
    const at::Tensor x = from_x.select(0, t), from_h = at::linear(h, l.weight_hh, optional(l.bias_hh));
    const auto act = [&](std::size_t slot, const at::Tensor& a) { return phi[slot](a, t); };
    if (s.is_lstm()) {
      using namespace kernels::recurrent;
      const std::vector<at::Tensor> a = x.add(from_h).chunk(4, 1);
      const auto seen = [&](std::int64_t which, const at::Tensor& state) {
        const at::Tensor& sum = a[which == 2 ? 3 : which];
        return l.peephole.defined() ? sum.add(state.mul(l.peephole.select(0, which))) : sum;
      };
      const at::Tensor i = act(input_gate, seen(0, c)), f = act(forget_gate, seen(1, c));
      c = f.mul(c).add(i.mul(act(candidate, a[2])));
      h = act(output_gate, seen(2, c)).mul(act(cell_output, c));
    } else {
      const std::int64_t parts = s.gates() + 1;
      const std::vector<at::Tensor> a = x.chunk(parts, 1), b = from_h.chunk(parts, 1);
      const at::Tensor reset = act(0, a[0].add(b[0]));
      const bool minimal = l.cell == Cell::mgu;
      const at::Tensor update = minimal ? at::Tensor() : act(1, a[1].add(b[1]));
      const at::Tensor n = act(minimal ? 1 : 2, a.back().add(reset.mul(b.back())));
      h = minimal ? h.add(reset.mul(n.sub(h))) : n.add(update.mul(h.sub(n)));
    }
    states[static_cast<std::size_t>(t)] = h;
  }
  return {at::stack(states), h, s.is_lstm() ? c : at::Tensor()};
}

}  // namespace ogee::torch_call::recurrent
