// Autograd for the general operators, backwards twice and forwards once: the nodes of its graph and what they keep.
#include "torch/derivatives.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>

#include "torch/apply.h"
#include "torch/node.h"

namespace ogee::torch_call {
namespace {

using c10::optional;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

// A Request kept for later.
class Saved {
 public:
  explicit Saved(const Request& r)
      : entry_(&r.entry),
        slots_(r.slots.begin(), r.slots.end()),
        order_(r.order.begin(), r.order.end()),
        channel_dim_(r.channel_dim),
        gate_dim_(r.gate_dim),
        layout_(r.layout),
        training_(r.training),
        composed_(r.composed),
        two_(r.b.has_value() && r.b->defined()),
        keyed_(r.key.has_value() && r.key->defined()),
        a_(r.a, false) {
    if (two_) b_ = SavedVariable(*r.b, false);
    if (keyed_) key_ = SavedVariable(*r.key, false);
    std::copy(r.values.begin(), r.values.end(), values_.begin());
    parameters_.reserve(r.parameters.size());
    for (const at::Tensor& p : r.parameters) parameters_.emplace_back(p, false);
  }

  const Entry& entry() const { return *entry_; }
  const at::DimVector& slots() const { return slots_; }
  std::size_t inputs() const { return two_ ? 2 : 1; }
  std::size_t tensors() const { return inputs() + parameters_.size(); }
  void release() {
    a_.reset_data();
    b_.reset_data();
    key_.reset_data();
    for (SavedVariable& p : parameters_) p.reset_data();
  }

  // Runs f with the Request as it was.
  template <class F>
  auto restored(F f) const {
    const at::Tensor a = a_.unpack();
    optional<at::Tensor> b, key;
    if (two_) b = b_.unpack();
    if (keyed_) key = key_.unpack();
    c10::SmallVector<at::Tensor, 4> parameters;
    for (const SavedVariable& p : parameters_) parameters.push_back(p.unpack());
    const at::ArrayRef<double> values(values_.data(), entry_->spec->parameters.size());
    return f(Request{*entry_, a, b, parameters, slots_, values, channel_dim_, layout_, gate_dim_, training_, key,
                     order_, composed_});
  }

 private:
  const Entry* entry_;
  std::array<double, max_parameters> values_{};
  at::DimVector slots_, order_;
  std::int64_t channel_dim_, gate_dim_;
  Layout layout_;
  bool training_, composed_, two_, keyed_;
  SavedVariable a_, b_, key_;
  std::vector<SavedVariable> parameters_;
};

// Whether autograd should hear of it.
bool requires_grad(const Request& r) {
  if (!at::GradMode::is_enabled()) return false;
  if (r.a.requires_grad() || (r.b.has_value() && r.b->defined() && r.b->requires_grad())) return true;
  return std::any_of(r.parameters.begin(), r.parameters.end(), [](const at::Tensor& p) { return p.requires_grad(); });
}

void add_edges(OgeeNode& node, const Request& r) {
  node.add_edge(r.a);
  if (r.b.has_value() && r.b->defined()) node.add_edge(*r.b);
  for (const at::Tensor& p : r.parameters) node.add_edge(p);
}

// Forward mode: a Request without its tangents, and the tangents as directions.
class Dualless {
 public:
  explicit Dualless(const Request& r)
      : a_(r.a._fw_primal(0)), request{r.entry,  a_,         b_,         parameters_, r.slots, r.values,  r.channel_dim,
                                       r.layout, r.gate_dim, r.training, r.key,       r.order, r.composed} {
    if (has(r.a)) dda_ = r.a._fw_grad(0);
    if (r.b.has_value() && r.b->defined()) {
      b_ = r.b->_fw_primal(0);
      if (has(*r.b)) ddb_ = r.b->_fw_grad(0);
    }
    for (std::size_t i = 0; i < r.parameters.size(); ++i) {
      parameters_.push_back(r.parameters[i]._fw_primal(0));
      if (!has(r.parameters[i])) continue;
      ddp_.push_back(r.parameters[i]._fw_grad(0));
      slots_.push_back(r.slots[i]);
    }
    request.parameters = parameters_;
  }
  static bool has(const at::Tensor& t) { return torch::autograd::isFwGradDefined(t); }
  static bool any(const Request& r) {
    return has(r.a) || torch::autograd::isFwGradDefined(r.b) ||
           std::any_of(r.parameters.begin(), r.parameters.end(), has);
  }
  // second along the tangents.
  std::vector<at::Tensor> along(const at::Tensor& dy) const {
    return call_second(Second{dy, dda_, ddb_, ddp_, slots_}, request);
  }

 private:
  at::Tensor a_;
  optional<at::Tensor> b_, dda_, ddb_;
  c10::SmallVector<at::Tensor, 4> parameters_, ddp_;
  at::DimVector slots_;

 public:
  Request request;
};

// Differentiates _second, that is, refuses to.
class ThirdNode final : public OgeeNode {
 public:
  variable_list apply(variable_list&&) override {
    TORCH_CHECK_NOT_IMPLEMENTED(false, "ogee::", entry->spec->name, ": third derivatives are not available");
  }
  std::string name() const override { return "OgeeThirdBackward"; }
  const Entry* entry = nullptr;

 protected:
  void released() override {}
};

// Differentiates _backward.
class SecondNode final : public OgeeNode {
 public:
  std::string name() const override { return "OgeeSecondBackward"; }
  std::optional<Saved> saved;
  SavedVariable dy;
  Wanted wanted = 0;  // of backward's results

  variable_list apply(variable_list&& directions) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    variable_list results(1 + saved->tensors());
    if (std::none_of(directions.begin(), directions.end(), [](const at::Tensor& d) { return d.defined(); })) {
      return results;
    }
    optional<at::Tensor> dda, ddb;
    if (directions[0].defined()) dda = directions[0];
    if (saved->inputs() == 2 && directions[1].defined()) ddb = directions[1];
    c10::SmallVector<at::Tensor, 4> ddp;
    at::DimVector ddp_slots;
    for (std::size_t i = 0, next = saved->inputs(); i < saved->slots().size(); ++i) {
      if (!wants(wanted, i)) continue;
      const at::Tensor& d = directions[next++];
      if (!d.defined()) continue;
      ddp.push_back(d);
      ddp_slots.push_back(saved->slots()[i]);
    }
    const at::Tensor upstream = dy.unpack();
    results = saved->restored([&](const Request& r) {
      return call_second(Second{upstream, dda, ddb, ddp, ddp_slots}, r);
    });
    return results;
  }

 protected:
  void released() override {
    saved->release();
    dy.reset_data();
  }
};

// Differentiates _forward.
class FirstNode final : public OgeeNode {
 public:
  std::string name() const override { return "OgeeBackward"; }
  std::optional<Saved> saved;

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!gradients[0].defined()) return variable_list(saved->tensors());
    const std::size_t inputs = saved->inputs();
    Wanted wanted = 0;
    for (std::size_t i = inputs; i < saved->tensors(); ++i) {
      if (task_should_compute_output(i)) wanted |= Wanted{1} << (i - inputs);
    }
    variable_list found = saved->restored([&](const Request& r) { return call_backward(gradients[0], r, wanted); });
    if (found.size() == saved->tensors()) return found;
    variable_list results(saved->tensors());
    for (std::size_t i = 0, next = 0; i < results.size(); ++i) {
      if (i < inputs || wants(wanted, i - inputs)) results[i] = std::move(found[next++]);
    }
    return results;
  }

 protected:
  void released() override { saved->release(); }
};

}  // namespace

bool has_tangent(const at::Tensor& t) { return Dualless::has(t); }
bool is_recorded(const Request& r) { return requires_grad(r) || Dualless::any(r); }
bool is_recorded(const at::Tensor& dy, const Request& r) {
  return (at::GradMode::is_enabled() && dy.requires_grad()) || Dualless::has(dy) || is_recorded(r);
}

at::Tensor autograd_forward(const Request& r) {
  MadeNode<FirstNode> made{};
  if (requires_grad(r)) {
    made = make_node<FirstNode>();
    add_edges(*made.node, r);
    made.node->saved.emplace(r);
  }
  at::Tensor y;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    y = call_forward(r);
  }
  made.attach(y);
  if (Dualless::any(r)) {
    // Of second's results only the derivative along the tangents is wanted, and that does not depend on dy.
    const at::Tensor no_dy = at::zeros({}, y.options()).expand(y.sizes());
    y._set_fw_grad(Dualless(r).along(no_dy)[0], 0, false);
  }
  return y;
}

std::vector<at::Tensor> autograd_backward(const at::Tensor& dy, const Request& r, Wanted wanted) {
  MadeNode<SecondNode> made{};
  if (requires_grad(r) || (at::GradMode::is_enabled() && dy.requires_grad())) {
    made = make_node<SecondNode>();
    made.node->add_edge(dy);
    add_edges(*made.node, r);
    made.node->saved.emplace(r);
    made.node->dy = SavedVariable(dy, false);
    made.node->wanted = wanted;
  }
  std::vector<at::Tensor> results;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    results = call_backward(dy, r, wanted);
  }
  made.attach(results);
  if (Dualless::has(dy) || Dualless::any(r)) {
    // Linear in dy, and the Hessian times the other tangents, which second computes.
    const Dualless primal(r);
    std::vector<at::Tensor> tangents(results.size());
    if (Dualless::has(dy)) tangents = call_backward(dy._fw_grad(0), primal.request, wanted);
    if (Dualless::any(r)) {
      std::vector<at::Tensor> along = primal.along(dy._fw_primal(0));
      along.erase(along.begin());
      const std::size_t inputs = along.size() - r.parameters.size();
      for (std::size_t i = 0, next = 0; i < along.size(); ++i) {
        if (i >= inputs && !wants(wanted, i - inputs)) continue;
        tangents[next] = tangents[next].defined() ? tangents[next] + along[i] : along[i];
        ++next;
      }
    }
    for (std::size_t i = 0; i < results.size(); ++i) results[i]._set_fw_grad(tangents[i], 0, false);
  }
  return results;
}

std::vector<at::Tensor> autograd_second(const Second& d, const Request& r) {
  TORCH_CHECK_NOT_IMPLEMENTED(!Dualless::any(r) && !Dualless::has(d.dy), r.prefix(),
                              "third derivatives are not available");
  MadeNode<ThirdNode> made{};
  const auto asks = [](const optional<at::Tensor>& t) { return t.has_value() && t->defined() && t->requires_grad(); };
  bool needed = d.dy.requires_grad() || asks(d.dda) || asks(d.ddb);
  for (const at::Tensor& t : d.ddp) needed = needed || t.requires_grad();
  if (requires_grad(r) || (at::GradMode::is_enabled() && needed)) {
    made = make_node<ThirdNode>();
    made.node->add_edge(d.dy);
    if (d.dda.has_value()) made.node->add_edge(*d.dda);
    if (d.ddb.has_value()) made.node->add_edge(*d.ddb);
    for (const at::Tensor& t : d.ddp) made.node->add_edge(t);
    add_edges(*made.node, r);
    made.node->entry = &r.entry;
  }
  std::vector<at::Tensor> results;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    results = call_second(d, r);
  }
  made.attach(results);
  return results;
}

}  // namespace ogee::torch_call
