// ogee::recurrent: checks, the choice between the fused and the composed form, and the node of autograd's graph.
#include "torch/recurrent/sequence.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "kernels/recurrent/step.h"
#include "torch/apply.h"
#include "torch/derivatives.h"
#include "torch/node.h"
#include "torch/recurrent/autocast.h"

namespace ogee::torch_call::recurrent {

const char* name_of(Cell cell) {
  switch (cell) {
    case Cell::lstm: return "lstm";
    case Cell::gru: return "gru";
    default: return "mgu";
  }
}

const std::vector<std::string>& gate_names(Cell cell) {
  static const std::vector<std::string> names[] = {
      {"input_gate", "forget_gate", "candidate", "output_gate", "cell_output"},
      {"reset_gate", "update_gate", "candidate"},
      {"forget_gate", "candidate"}};
  return names[static_cast<std::size_t>(cell)];
}

std::vector<at::Tensor> Sequence::tensors() const {
  std::vector<at::Tensor> all{x, h, c, layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh, layer.peephole};
  all.insert(all.end(), layer.learned.begin(), layer.learned.end());
  return all;
}

Sequence Sequence::from(const RecurrentLayer& like, const std::vector<at::Tensor>& t, const at::Tensor& key) {
  Sequence s{like, t[0], t[1], t[2], key};
  s.layer.weight_ih = t[3];
  s.layer.weight_hh = t[4];
  s.layer.bias_ih = t[5];
  s.layer.bias_hh = t[6];
  s.layer.peephole = t[7];
  s.layer.learned.assign(t.begin() + own_tensors, t.end());
  return s;
}

NoiseKey read_key(const Sequence& s) {
  if (!s.key.defined()) return {};
  const auto* words = s.key.data_ptr<std::int64_t>();
  return {static_cast<std::uint64_t>(words[0]), static_cast<std::uint64_t>(words[1])};
}
NoiseKey stream(NoiseKey key, std::int64_t time) {
  return {key.seed, key.call + kernels::recurrent::calls_a_step * static_cast<std::uint64_t>(time)};
}

namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

class Checks {
 public:
  explicit Checks(const Sequence& sequence) : s_(sequence), l_(sequence.layer) {}

  void run() {
    TORCH_CHECK(s_.x.defined() && s_.x.dim() == 3, prefix(), "x must have 3 dimensions [time, batch, features]",
                s_.x.defined() ? ", not " + std::to_string(s_.x.dim()) : std::string(", but is undefined"));
    TORCH_CHECK(s_.steps() >= 1, prefix(), "x has no time steps");
    TORCH_CHECK(l_.weight_ih.defined() && l_.weight_hh.defined(), prefix(), "weight_ih or weight_hh is undefined");
    TORCH_CHECK(l_.weight_hh.dim() == 2, prefix(), "weight_hh must have 2 dimensions, not ", l_.weight_hh.dim());
    const std::int64_t units = s_.units(), rows = (s_.is_lstm() ? 4 : s_.gates() + 1) * units;
    TORCH_CHECK(units >= 1, prefix(), "weight_hh is empty");
    shape("weight_hh", l_.weight_hh, {rows, units});
    shape("weight_ih", l_.weight_ih, {rows, s_.x.size(2)});
    shape("bias_ih", l_.bias_ih, {rows});
    shape("bias_hh", l_.bias_hh, {rows});
    shape("h", s_.h, {s_.batch(), units});
    shape("c", s_.c, {s_.batch(), units});
    TORCH_CHECK(s_.is_lstm() || (!s_.c.defined() && !l_.peephole.defined()), prefix(),
                "only an lstm has a cell state or peepholes");
    shape("peephole", l_.peephole, {3, units});
    activations(units);
  }

 private:
  std::string prefix() const { return std::string("ogee::") + name_of(l_.cell) + ": "; }

  void shape(const char* what, const at::Tensor& t, at::IntArrayRef sizes) {
    if (!t.defined()) return;
    TORCH_CHECK(t.sizes() == sizes, prefix(), what, " has shape ", t.sizes(), "; expected ", sizes);
    like_x(what, t);
  }
  void like_x(const std::string& what, const at::Tensor& t) {
    TORCH_CHECK(is_autocasting(s_.x) || t.scalar_type() == s_.x.scalar_type(), prefix(), what, " is ", t.scalar_type(),
                ", but x is ", s_.x.scalar_type());
    TORCH_CHECK(t.device() == s_.x.device(), prefix(), what, " is on ", t.device(), ", but x is on ", s_.x.device());
  }

  void activations(std::int64_t units) {
    const std::vector<std::string>& names = gate_names(l_.cell);
    TORCH_CHECK(l_.activations.size() == names.size(), prefix(), "has ", names.size(), " activations, but ",
                l_.activations.size(), " were given");
    std::size_t count = 0;
    for (std::size_t k = 0; k < names.size(); ++k) {
      const Spec& spec = l_.activations[k].spec();
      TORCH_CHECK(spec.inputs == 1, prefix(), names[k], ": ", spec.name, " takes two inputs; expected one");
      for (const Parameter& p : spec.parameters) {
        if (p.role != Role::learned) continue;
        if (count < l_.learned.size() && l_.learned[count].defined()) {
          const at::Tensor& t = l_.learned[count];
          const std::string what = names[k] + "'s " + std::string(p.name);
          TORCH_CHECK(t.numel() == 1 || (t.dim() == 1 && t.size(0) == units), prefix(), what, " has shape ", t.sizes(),
                      "; expected one element or ", units);
          like_x(what, t);
        }
        ++count;
      }
    }
    TORCH_CHECK(l_.learned.empty() || l_.learned.size() == count, prefix(), "the activations have ", count,
                " learned parameters, but ", l_.learned.size(), " tensors were given");
  }

  const Sequence& s_;
  const RecurrentLayer& l_;
};

bool draws_noise(const RecurrentLayer& layer) {
  if (!layer.training) return false;
  for (const Activation& a : layer.activations) {
    if (a.spec().noise != Noise::none) return true;
  }
  return false;
}

// What the kernels are there for: plain tensors, without functorch, subclasses and the like.
bool is_fusible(const std::vector<at::Tensor>& tensors) {
  const at::Tensor& x = tensors[0];
  if (!x.is_cpu() || (x.scalar_type() != at::kFloat && x.scalar_type() != at::kDouble) || is_autocasting(x)) {
    return false;
  }
  c10::DispatchKeySet keys = c10::impl::tls_local_dispatch_key_set().included_;
  for (const at::Tensor& t : tensors) {
    if (!t.defined()) continue;
    if (has_tangent(t) || t.layout() != at::kStrided) return false;
    keys = keys | t.key_set();
  }
  c10::DispatchKeySet known({c10::DispatchKey::CPU, c10::DispatchKey::AutogradCPU, c10::DispatchKey::ADInplaceOrView,
                             c10::DispatchKey::BackendSelect});
  keys = keys - c10::impl::tls_local_dispatch_key_set().excluded_;
  return (keys.raw_repr() & ~known.raw_repr()) == 0;
}

class RecurrentNode final : public OgeeNode {
 public:
  std::string name() const override { return "OgeeRecurrentBackward"; }

  void save(const Sequence& sequence, const std::vector<at::Tensor>& tensors, Kept kept, const at::Tensor& y) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      present_.push_back(tensors[i].defined());
      tensors_.emplace_back(tensors[i], false);
    }
    layer_ = Sequence::from(sequence.layer, std::vector<at::Tensor>(tensors.size()), {}).layer;
    key_ = sequence.key;
    kept_ = std::move(kept);
    y_ = SavedVariable(y.detach(), false);  // not itself, which holds this node
  }

  // The engine says so before apply, unless the graph is to be kept.
  void will_release_variables() override { last_time_ = true; }

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    variable_list t(tensors_.size()), results(tensors_.size());
    if (!gradients[0].defined() && !gradients[1].defined() && !gradients[2].defined()) return results;
    for (std::size_t i = 0; i < t.size(); ++i) {
      if (present_[i]) t[i] = tensors_[i].unpack();
    }
    const Sequence sequence = Sequence::from(layer_, t, key_);
    Wanted wanted;
    for (std::size_t i = 0; i < t.size(); ++i) wanted.of.push_back(task_should_compute_output(i));
    if (at::GradMode::is_enabled()) return recomputed(sequence, t, wanted, gradients);
    const at::Tensor y = y_.unpack();
    TORCH_CHECK(kept_.sums.defined(), "ogee::", name_of(layer_.cell),
                ": backward through the same graph a second time, but it was freed the first time; keep it with "
                "retain_graph");
    return fused_backward(sequence, kept_, y, gradients[0], gradients[1], gradients[2], wanted, last_time_);
  }

 protected:
  void released() override {
    for (SavedVariable& v : tensors_) v.reset_data();
    y_.reset_data();
    kept_ = {};
  }

 private:
  // Gradients that know how they came about, for those who differentiate again: those of the composed form.
  static variable_list recomputed(const Sequence& sequence, const variable_list& t, const Wanted& wanted,
                                  const variable_list& gradients) {
    const RecurrentOutput out = composed(sequence, false);
    variable_list outputs, upstream, inputs, results(t.size());
    const at::Tensor all[3] = {out.y, out.h, out.c};
    for (std::size_t i = 0; i < 3; ++i) {
      if (!all[i].defined() || !gradients[i].defined()) continue;
      outputs.push_back(all[i]);
      upstream.push_back(gradients[i]);
    }
    for (std::size_t i = 0; i < t.size(); ++i) {
      if (wanted.of[i] && t[i].defined()) inputs.push_back(t[i]);
    }
    variable_list found = torch::autograd::grad(outputs, inputs, upstream, true, true, true);
    std::size_t next = 0;
    for (std::size_t i = 0; i < t.size(); ++i) {
      if (wanted.of[i] && t[i].defined()) results[i] = found[next++];
    }
    return results;
  }

  bool last_time_ = false;
  RecurrentLayer layer_;  // without its tensors
  std::vector<bool> present_;
  std::vector<SavedVariable> tensors_;
  at::Tensor key_;
  Kept kept_;
  SavedVariable y_;
};

RecurrentOutput run(const Sequence& s) {
  const std::vector<at::Tensor> tensors = s.tensors();
  if (!is_fusible(tensors)) return composed(s, true);
  MadeNode<RecurrentNode> made{};
  if (at::GradMode::is_enabled()) {
    bool needed = false;
    for (const at::Tensor& t : tensors) needed = needed || (t.defined() && t.requires_grad());
    if (needed) made = make_node<RecurrentNode>();
  }
  Kept kept;
  RecurrentOutput out;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    out = fused_forward(s, made.pointer ? &kept : nullptr);
  }
  if (made.pointer) {
    for (const at::Tensor& t : tensors) made.node->add_edge(t);
    made.attach(out.y);
    made.attach(out.h);
    if (out.c.defined()) {
      made.attach(out.c);
    } else {
      made.node->add_input_metadata(torch::autograd::Node::undefined_input());
    }
    made.node->save(s, tensors, std::move(kept), out.y);
  }
  return out;
}

}  // namespace

Sequence checked(const RecurrentLayer& layer, const at::Tensor& x, const at::Tensor& h, const at::Tensor& c) {
  Sequence s{layer, x, h, c, {}};
  Checks(s).run();
  s.x = x.contiguous();
  if (draws_noise(layer)) s.key = draw_key(x);
  return s;
}

}  // namespace ogee::torch_call::recurrent

namespace ogee {

RecurrentOutput recurrent(const RecurrentLayer& layer, const torch::Tensor& x, const torch::Tensor& h,
                          const torch::Tensor& c) {
  return torch_call::recurrent::run(torch_call::recurrent::checked(layer, x, h, c));
}
RecurrentOutput compose_recurrent(const RecurrentLayer& layer, const torch::Tensor& x, const torch::Tensor& h,
                                  const torch::Tensor& c) {
  return torch_call::recurrent::composed(torch_call::recurrent::checked(layer, x, h, c), true);
}

}  // namespace ogee
