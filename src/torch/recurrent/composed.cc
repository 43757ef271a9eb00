// A layer over a sequence, step by step of LibTorch's operators: on any device, differentiable as often as they are,
// and a second opinion on the fused form.
#include "kernels/recurrent/step.h"
#include "torch/apply.h"
#include "torch/recurrent/sequence.h"

namespace ogee::torch_call::recurrent {
namespace {

// An activation of a cell, with its learned parameters.
class Function {
 public:
  Function(const Sequence& s, std::size_t slot, std::size_t& next_learned, bool composed)
      : activation_(s.layer.activations[slot]), slot_(slot), composed_(composed) {
    const Spec& spec = activation_.spec();
    draws_ = s.key.defined() && spec.noise != Noise::none;
    for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
      if (spec.parameters[k].role != Role::learned) continue;
      if (next_learned < s.layer.learned.size() && s.layer.learned[next_learned].defined()) {
        tensors_.push_back(s.layer.learned[next_learned]);
        places_.push_back(static_cast<std::int64_t>(k));
      }
      ++next_learned;
    }
  }

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& key, std::int64_t time) const {
    const std::span<const double> values = activation_.parameters();
    const c10::optional<at::Tensor> none, own_key = draws_ ? c10::optional<at::Tensor>(step_key(key, time)) : none;
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

 private:
  // As stream() has it, but of operators: under a tracer the key is not there yet.
  at::Tensor step_key(const at::Tensor& key, std::int64_t time) const {
    const auto calls = static_cast<std::int64_t>(kernels::recurrent::calls_a_step) * time;
    return key.add(at::arange(2, key.options()).mul(calls + static_cast<std::int64_t>(slot_)));
  }

  const Activation& activation_;
  std::size_t slot_;
  bool composed_, draws_ = false;
  std::vector<at::Tensor> tensors_;
  at::DimVector places_;
};

c10::optional<at::Tensor> optional(const at::Tensor& t) {
  return t.defined() ? c10::optional<at::Tensor>(t) : c10::nullopt;
}

}  // namespace

RecurrentOutput composed(const Sequence& s, bool functions_too) {
  const RecurrentLayer& l = s.layer;
  std::vector<Function> phi;
  std::size_t next = 0;
  for (std::size_t k = 0; k < l.activations.size(); ++k) phi.emplace_back(s, k, next, functions_too);
  const at::Tensor from_x = at::linear(s.x, l.weight_ih, optional(l.bias_ih));
  const at::Tensor zeros = at::zeros({s.batch(), s.units()}, from_x.options().requires_grad(false));
  at::Tensor h = s.h.defined() ? s.h : zeros, c = s.c.defined() ? s.c : zeros;
  std::vector<at::Tensor> states(static_cast<std::size_t>(s.steps()));
  for (std::int64_t k = 0; k < s.steps(); ++k) {
    const std::int64_t t = s.time(k);
    const at::Tensor x = from_x.select(0, t), from_h = at::linear(h, l.weight_hh, optional(l.bias_hh));
    const auto act = [&](std::size_t slot, const at::Tensor& a) { return phi[slot](a, s.key, t); };
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
