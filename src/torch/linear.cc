// ogee::apply_linear: a linear layer and its activation as one node of autograd's graph.
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/jit/frontend/tracer.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>

#include "torch/apply.h"
#include "torch/autocast.h"
#include "torch/derivatives.h"
#include "torch/listener.h"
#include "torch/node.h"

namespace ogee::torch_call {
namespace {

using c10::optional;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

std::atomic<const Listener*> the_listener{nullptr};

// What the activation's Request is made of, but for the pre-activation.
struct Unit {
  const Entry* entry;
  std::array<double, max_parameters> values;
  at::DimVector slots;
  std::int64_t channel_dim, gate_dim;
  Layout layout;
  bool training;

  Request request(const at::Tensor& z, at::TensorList parameters, const optional<at::Tensor>& key) const {
    static const optional<at::Tensor> none;
    return Request{*entry,      z,      none,     parameters, slots, {values.data(), entry->spec->parameters.size()},
                   channel_dim, layout, gate_dim, training,   key,   {},
                   false};
  }
};

at::Tensor rows(const at::Tensor& t) { return t.dim() == 2 ? t : t.reshape({-1, t.size(-1)}); }

// Places: x, weight, bias, then the unit's parameters.
class LinearNode final : public OgeeNode {
 public:
  std::string name() const override { return "OgeeLinearBackward"; }

  void save(const Unit& unit, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
            at::TensorList parameters) {
    for (const at::Tensor* t : {&x, &weight, &bias}) add_edge(*t);
    for (const at::Tensor& p : parameters) add_edge(p);
    unit_ = unit;
    x_ = SavedVariable(x, false);
    weight_ = SavedVariable(weight, false);
    biased_ = bias.defined();
    if (biased_) bias_ = SavedVariable(bias, false);
    for (const at::Tensor& p : parameters) parameters_.emplace_back(p, false);
  }
  void keep(const at::Tensor& z, const optional<at::Tensor>& key) {
    z_ = SavedVariable(z, false);
    keyed_ = key.has_value();
    if (keyed_) key_ = SavedVariable(*key, false);
  }
  void tell(std::shared_ptr<void> heard) { heard_ = std::move(heard); }

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    variable_list results(3 + parameters_.size());
    const at::Tensor& dy = gradients[0];
    if (!dy.defined()) return results;
    const at::Tensor x = x_.unpack(), weight = weight_.unpack();
    // A gradient that is differentiated again must know how the pre-activation came about.
    at::Tensor z;
    if (at::GradMode::is_enabled()) {
      z = at::linear(x, weight, biased_ ? optional<at::Tensor>(bias_.unpack()) : c10::nullopt);
    } else {
      z = z_.unpack();
    }
    c10::SmallVector<at::Tensor, 4> parameters;
    for (const SavedVariable& p : parameters_) parameters.push_back(p.unpack());
    const optional<at::Tensor> key = keyed_ ? optional<at::Tensor>(key_.unpack()) : c10::nullopt;
    Wanted wanted = 0;
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (task_should_compute_output(3 + i)) wanted |= Wanted{1} << i;
    const Request request = unit_->request(z, parameters, key);
    const std::vector<at::Tensor> found =
        at::GradMode::is_enabled() ? call_backward(dy, request, wanted) : kernel_backward(dy, request, wanted);
    for (std::size_t i = 0, next = 1; i < parameters.size(); ++i)
      if (wants(wanted, i)) results[3 + i] = found[next++];
    const at::Tensor& dz = found[0];
    if (heard_) {
      if (const Listener* listener = listening()) listener->gradients(heard_, dy, dz);
    }
    const at::Tensor flat = rows(dz);
    if (task_should_compute_output(1)) results[1] = flat.t().mm(rows(x));
    if (biased_ && task_should_compute_output(2)) results[2] = flat.sum(0);
    if (task_should_compute_output(0)) results[0] = dz.dim() == 2 ? dz.mm(weight) : at::matmul(dz, weight);
    return results;
  }

 protected:
  void released() override {
    for (SavedVariable* v : {&x_, &weight_, &bias_, &z_, &key_}) v->reset_data();
    for (SavedVariable& p : parameters_) p.reset_data();
    heard_ = nullptr;
  }

 private:
  std::optional<Unit> unit_;
  SavedVariable x_, weight_, bias_, z_, key_;
  std::vector<SavedVariable> parameters_;
  std::shared_ptr<void> heard_;
  bool biased_ = false, keyed_ = false;
};

// Whether one node may stand for both as far as the tensors go: a graph is made, of plain ones on the CPU.
bool joinable(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, at::TensorList parameters) {
  if (!at::GradMode::is_enabled() || torch::jit::tracer::isTracing() || autocast_type(x).has_value()) return false;
  const auto plain = [&](const at::Tensor& t) {
    return t.is_cpu() && t.layout() == at::kStrided && is_float(t.scalar_type()) &&
           t.scalar_type() == x.scalar_type() && t.key_set() == weight.key_set() && !has_tangent(t);
  };
  if (x.dim() < 2 || weight.dim() != 2 || !plain(x) || !plain(weight)) return false;
  if (bias.defined() && !plain(bias)) return false;
  bool needed = x.requires_grad() || weight.requires_grad() || (bias.defined() && bias.requires_grad());
  for (const at::Tensor& p : parameters) {
    if (!plain(p)) return false;
    needed = needed || p.requires_grad();
  }
  return needed;
}

// And nobody looks at operators.
bool together(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, at::TensorList parameters) {
  if (!joinable(x, weight, bias, parameters)) return false;
  if (!at::getStepCallbacksUnlessEmpty(at::RecordScope::FUNCTION).has_value()) return true;
  if (const Listener* listener = listening()) listener->apart();
  return false;
}

}  // namespace

void listen(const Listener* listener) { the_listener.store(listener, std::memory_order_release); }
const Listener* listening() { return the_listener.load(std::memory_order_acquire); }

at::Tensor run_linear(const Entry& entry, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      at::TensorList tensors, at::IntArrayRef slots, at::ArrayRef<double> values,
                      const ApplyOptions& how) {
  TORCH_CHECK(x.defined() && weight.defined(), "ogee::apply_linear: x and weight must be defined");
  const optional<at::Tensor> given = bias.defined() ? optional<at::Tensor>(bias) : c10::nullopt;
  const bool training = how.training && entry.spec->noise != Noise::none;
  if (!together(x, weight, bias, tensors)) {
    return run_entry(entry, at::linear(x, weight, given), c10::nullopt, tensors, slots, values, how.channel_dim,
                     how.layout, how.gate_dim, training, false);
  }
  Unit unit{&entry, {}, {slots.begin(), slots.end()}, how.channel_dim, how.gate_dim, how.layout, training};
  std::copy(values.begin(), values.end(), unit.values.begin());
  const MadeNode<LinearNode> made = make_node<LinearNode>();
  made.node->save(unit, x, weight, bias, tensors);
  at::Tensor y;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    const at::Tensor z = at::linear(x, weight, given);
    const optional<at::Tensor> key = training ? optional<at::Tensor>(draw_key(z)) : c10::nullopt;
    made.node->keep(z, key);
    const Request request = unit.request(z, tensors, key);
    y = kernel_forward(request);
    if (const Listener* listener = listening()) made.node->tell(listener->applied({request, weight, y}));
  }
  made.attach(y);
  return y;
}

}  // namespace ogee::torch_call
