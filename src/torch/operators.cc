// The operators torch.ops.ogee.*: one per function and alias, thin covers of three general ones (_forward, _backward,
// _second) that carry the dispatch: autograd, autocast, meta tensors, the CPU's kernels and other devices.
#include "torch/apply.h"
//
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/library.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>

#include "torch/call.h"
#include "torch/mask.h"
#include "torch/node.h"

namespace ogee::torch_call {
namespace {

using c10::DispatchKeySet;
using c10::optional;

// ---- The three general operators -----------------------------------------------------------------------------------

template <class...>
struct Types;
// A Request, flattened.
using RequestTypes = Types<c10::string_view, const at::Tensor&, const optional<at::Tensor>&, at::TensorList,
                           at::IntArrayRef, at::ArrayRef<double>, std::int64_t, std::int64_t, std::int64_t, bool,
                           const optional<at::Tensor>&, at::IntArrayRef, bool>;
constexpr const char* request_schema =
    "str function, Tensor a, Tensor? b, Tensor[] parameters, int[] slots, float[] values, int channel_dim, int layout, "
    "int gate_dim, bool training, Tensor? key, int[] order, bool composed";

Request request_of(c10::string_view function, const at::Tensor& a, const optional<at::Tensor>& b,
                   at::TensorList parameters, at::IntArrayRef slots, at::ArrayRef<double> values,
                   std::int64_t channel_dim, std::int64_t layout, std::int64_t gate_dim, bool training,
                   const optional<at::Tensor>& key, at::IntArrayRef order, bool composed) {
  TORCH_CHECK(layout >= 0 && layout <= static_cast<std::int64_t>(Layout::interleaved), "ogee: no such layout");
  return {entry_named({function.data(), function.size()}),
          a,
          b,
          parameters,
          slots,
          values,
          channel_dim,
          static_cast<Layout>(layout),
          gate_dim,
          training,
          key,
          order,
          composed};
}

// Calls with a Request, flattened again, behind arguments of the operator's own.
template <class Signature, class... Own>
auto call_flat(const c10::TypedOperatorHandle<Signature>& op, const Request& r, const Own&... own) {
  const std::string_view name = r.spec().name;
  return op.call(own..., c10::string_view(name.data(), name.size()), r.a, r.b, r.parameters, r.slots, r.values,
                 r.channel_dim, static_cast<std::int64_t>(r.layout), r.gate_dim, r.training, r.key, r.order,
                 r.composed);
}

template <class Signature>
c10::TypedOperatorHandle<Signature> find(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

using ForwardOf = at::Tensor (*)(const Request&);
using BackwardOf = std::vector<at::Tensor> (*)(const at::Tensor&, const Request&, bool);
using SecondOf = std::vector<at::Tensor> (*)(const Second&, const Request&);

// The operators' signatures, and kernels of those signatures made from functions of a Request.
template <class>
struct Operators;
template <class... R>
struct Operators<Types<R...>> {
  using Forward = at::Tensor(R...);
  using Backward = std::vector<at::Tensor>(bool, const at::Tensor&, R...);
  using Second = std::vector<at::Tensor>(const at::Tensor&, const optional<at::Tensor>&, const optional<at::Tensor>&,
                                         at::TensorList, at::IntArrayRef, R...);

  template <ForwardOf run>
  static at::Tensor forward(R... r) {
    return run(request_of(r...));
  }
  template <BackwardOf run>
  static std::vector<at::Tensor> backward(bool want_parameters, const at::Tensor& dy, R... r) {
    return run(dy, request_of(r...), want_parameters);
  }
  template <SecondOf run>
  static std::vector<at::Tensor> second(const at::Tensor& dy, const optional<at::Tensor>& dda,
                                        const optional<at::Tensor>& ddb, at::TensorList ddp, at::IntArrayRef ddp_slots,
                                        R... r) {
    return run({dy, dda, ddb, ddp, ddp_slots}, request_of(r...));
  }
};
using Ops = Operators<RequestTypes>;

template <ForwardOf forward, BackwardOf backward, SecondOf second>
void implement(torch::Library& m) {
  m.impl("_forward", TORCH_FN((Ops::forward<forward>)));
  m.impl("_backward", TORCH_FN((Ops::backward<backward>)));
  m.impl("_second", TORCH_FN((Ops::second<second>)));
}

}  // namespace

at::Tensor call_forward(const Request& request) {
  static const auto op = find<Ops::Forward>("ogee::_forward");
  return call_flat(op, request);
}
std::vector<at::Tensor> call_backward(const at::Tensor& dy, const Request& request, bool want_parameters) {
  static const auto op = find<Ops::Backward>("ogee::_backward");
  return call_flat(op, request, want_parameters, dy);
}
std::vector<at::Tensor> call_second(const Second& directions, const Request& request) {
  static const auto op = find<Ops::Second>("ogee::_second");
  return call_flat(op, request, directions.dy, directions.dda, directions.ddb, directions.ddp, directions.ddp_slots);
}

namespace {

// The kernels, unless the composed form is asked for.
at::Tensor cpu_forward(const Request& r) { return r.composed ? composed_forward(r) : kernel_forward(r); }
std::vector<at::Tensor> cpu_backward(const at::Tensor& dy, const Request& r, bool want) {
  return r.composed ? composed_backward(dy, r, want) : kernel_backward(dy, r, want);
}
std::vector<at::Tensor> cpu_second(const Second& d, const Request& r) {
  return r.composed ? composed_second(d, r) : kernel_second(d, r);
}

// ---- Noise ---------------------------------------------------------------------------------------------------------

thread_local std::optional<at::Generator> thread_generator;

at::Tensor noise_key(const at::Tensor&) {
  at::Generator generator = current_generator();
  std::uint64_t words[2];
  {
    const std::lock_guard<std::mutex> lock(generator.mutex());
    auto* cpu = at::check_generator<at::CPUGeneratorImpl>(generator);
    for (std::uint64_t& word : words) word = cpu->random64();
  }
  at::Tensor key = at::empty({2}, at::kLong);
  std::copy_n(words, 2, key.data_ptr<std::int64_t>());
  return key;
}
at::Tensor meta_noise_key(const at::Tensor& a) { return at::empty({2}, a.options().dtype(at::kLong)); }

at::Tensor draw_key(const at::Tensor& a) {
  static const auto op = find<at::Tensor(const at::Tensor&)>("ogee::_noise_key");
  return op.call(a);
}

// ---- Autograd ------------------------------------------------------------------------------------------------------

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
  bool with_parameters = false;

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
    for (std::size_t i = 0; with_parameters && i < saved->slots().size(); ++i) {
      const at::Tensor& d = directions[saved->inputs() + i];
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
    bool want_parameters = false;
    for (std::size_t i = saved->inputs(); i < saved->tensors(); ++i) {
      want_parameters = want_parameters || task_should_compute_output(i);
    }
    variable_list results =
        saved->restored([&](const Request& r) { return call_backward(gradients[0], r, want_parameters); });
    results.resize(saved->tensors());
    return results;
  }

 protected:
  void released() override { saved->release(); }
};

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

std::vector<at::Tensor> autograd_backward(const at::Tensor& dy, const Request& r, bool want_parameters) {
  MadeNode<SecondNode> made{};
  if (requires_grad(r) || (at::GradMode::is_enabled() && dy.requires_grad())) {
    made = make_node<SecondNode>();
    made.node->add_edge(dy);
    add_edges(*made.node, r);
    made.node->saved.emplace(r);
    made.node->dy = SavedVariable(dy, false);
    made.node->with_parameters = want_parameters;
  }
  std::vector<at::Tensor> results;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    results = call_backward(dy, r, want_parameters);
  }
  made.attach(results);
  if (Dualless::has(dy) || Dualless::any(r)) {
    // Linear in dy, and the Hessian times the other tangents, which second computes.
    const Dualless primal(r);
    std::vector<at::Tensor> tangents(results.size());
    if (Dualless::has(dy)) tangents = call_backward(dy._fw_grad(0), primal.request, want_parameters);
    if (Dualless::any(r)) {
      const std::vector<at::Tensor> along = primal.along(dy._fw_primal(0));
      for (std::size_t i = 0; i < results.size(); ++i) {
        tangents[i] = tangents[i].defined() ? tangents[i] + along[i + 1] : along[i + 1];
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

// ---- Autocast ------------------------------------------------------------------------------------------------------

// An activation runs in the type its inputs have, two different ones in the wider.
at::Tensor autocast_forward(const Request& r) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  if (!r.b.has_value() || !r.b->defined() || r.b->scalar_type() == r.a.scalar_type()) return call_forward(r);
  const at::ScalarType wide = at::promote_types(r.a.scalar_type(), r.b->scalar_type());
  const at::Tensor a = r.a.to(wide);
  const optional<at::Tensor> b = r.b->to(wide);
  return call_forward(Request{r.entry, a, b, r.parameters, r.slots, r.values, r.channel_dim, r.layout, r.gate_dim,
                              r.training, r.key, r.order, r.composed});
}

// ---- One call, from its arguments to the operator ------------------------------------------------------------------

at::Tensor run(const Entry& entry, const at::Tensor& a, const optional<at::Tensor>& b, at::TensorList tensors,
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
        a.requires_grad() && !Dualless::has(a)) {
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
    return run(entry, a, b, tensors, slots, values, options.channel_dim, options.layout, options.gate_dim,
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

// ---- The public operators ------------------------------------------------------------------------------------------

constexpr const char* layout_names[] = {"two", "gate_first", "gate_last", "interleaved"};

Layout layout_named(const std::string& name, const Spec& spec) {
  for (int i = 0; i < 4; ++i) {
    if (name == layout_names[i]) return static_cast<Layout>(i);
  }
  TORCH_CHECK_VALUE(false, "ogee::", spec.name, ": no layout is named '", name,
                    "'; there are two (two tensors), gate_first, gate_last and interleaved (one tensor)");
}

bool has_learned(const Spec& spec) {
  return std::any_of(spec.parameters.begin(), spec.parameters.end(),
                     [](const Parameter& p) { return p.role == Role::learned; });
}

// A parameter's name as the schema's and Python's grammars allow it, unlike the other arguments'.
std::string identifier(std::string_view name, const std::vector<std::string>& taken) {
  std::string result(name == "lambda" ? "lambd" : name);
  while (std::find(taken.begin(), taken.end(), result) != taken.end()) result += '_';
  return result;
}

std::string schema_of(const Spec& spec, std::string_view name, at::ArrayRef<double> defaults) {
  std::ostringstream s;
  std::vector<std::string> taken{"x", "a", "b", "channel_dim", "layout", "gate_dim", "training"};
  s << name << (spec.inputs == 1 ? "(Tensor x" : "(Tensor a, Tensor? b=None");
  if (spec.inputs == 1) taken.erase(taken.begin() + 1, taken.begin() + 3);
  for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
    const Parameter& p = spec.parameters[k];
    taken.push_back(identifier(p.name, taken));
    if (p.role == Role::learned) {
      s << ", Tensor? " << taken.back() << "=None";
    } else {
      char text[32];  // the shortest that reads back as the same number
      const auto end = std::to_chars(text, text + sizeof(text), defaults[k]).ptr;
      s << ", float " << taken.back() << '=' << std::string_view(text, static_cast<std::size_t>(end - text));
    }
  }
  if (has_learned(spec)) s << ", int channel_dim=1";
  if (spec.inputs == 2) s << ", str layout=\"two\", int gate_dim=-1";
  if (spec.noise != Noise::none) s << ", bool training=False";
  s << ") -> Tensor";
  return s.str();
}

// Takes the arguments off the stack, in the order of the schema.
class PublicOperator : public c10::OperatorKernel {
 public:
  PublicOperator(const Entry& entry, std::vector<double> defaults)
      : entry_(entry), defaults_(std::move(defaults)), learned_(has_learned(*entry.spec)) {}

  void operator()(const c10::OperatorHandle&, DispatchKeySet, torch::jit::Stack* stack) {
    const Spec& spec = *entry_.spec;
    const std::size_t count = spec.inputs + spec.parameters.size() + (learned_ ? 1 : 0) + (spec.inputs == 2 ? 2 : 0) +
                              (spec.noise != Noise::none ? 1 : 0);
    const c10::IValue* argument = stack->data() + (stack->size() - count);
    const at::Tensor a = (argument++)->toTensor();
    optional<at::Tensor> b;
    if (spec.inputs == 2) {
      if (!argument->isNone()) b = argument->toTensor();
      ++argument;
    }
    std::array<double, max_parameters> values{};
    c10::SmallVector<at::Tensor, 4> tensors;
    at::DimVector slots;
    for (std::size_t k = 0; k < spec.parameters.size(); ++k, ++argument) {
      const Parameter& p = spec.parameters[k];
      values[k] = defaults_[k];
      if (p.role == Role::fixed) {
        values[k] = argument->toDouble();
        TORCH_CHECK_VALUE(values[k] >= p.low && values[k] <= p.high, "ogee::", spec.name, ": ", p.name, " is ",
                          values[k], "; expected a value in [", p.low, ", ", p.high, "]");
      } else if (!argument->isNone()) {
        tensors.push_back(argument->toTensor());
        slots.push_back(static_cast<std::int64_t>(k));
      }
    }
    const std::int64_t channel_dim = learned_ ? (argument++)->toInt() : 1;
    Layout layout = Layout::two;
    std::int64_t gate_dim = -1;
    if (spec.inputs == 2) {
      layout = layout_named((argument++)->toStringRef(), spec);
      gate_dim = (argument++)->toInt();
    }
    const bool training = spec.noise != Noise::none && (argument++)->toBool();
    at::Tensor y = run(entry_, a, b, tensors, slots, {values.data(), spec.parameters.size()}, channel_dim, layout,
                       gate_dim, training, false);
    torch::jit::drop(*stack, count);
    stack->emplace_back(std::move(y));
  }

 private:
  const Entry& entry_;
  std::vector<double> defaults_;
  bool learned_;
};

bool is_identifier(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

void define(torch::Library& m, const Entry& entry, std::string_view name, std::vector<double> defaults) {
  const std::string schema = schema_of(*entry.spec, name, defaults);
  // Two calls with the same arguments draw different noise: no pass may merge them.
  const bool pure = entry.spec->noise == Noise::none;
  m.def(
      torch::schema(schema.c_str(), pure ? c10::AliasAnalysisKind::FROM_SCHEMA : c10::AliasAnalysisKind::CONSERVATIVE));
  m.impl(std::string(name).c_str(),
         torch::CppFunction::makeFromBoxedFunctor(std::make_unique<PublicOperator>(entry, std::move(defaults))));
}

// The names of all operators, aliases not among them.
std::vector<std::string> operator_names() {
  std::vector<std::string> names;
  for (const Function* f : functions()) names.emplace_back(spec_of(*f).name);
  return names;
}

TORCH_LIBRARY(ogee, m) {
  const std::string request = request_schema;
  m.def(("_forward(" + request + ") -> Tensor").c_str());
  m.def(("_backward(bool want_parameters, Tensor dy, " + request + ") -> Tensor[]").c_str());
  m.def(("_second(Tensor dy, Tensor? dda, Tensor? ddb, Tensor[] ddp, int[] ddp_slots, " + request + ") -> Tensor[]")
            .c_str());
  m.def(torch::schema("_noise_key(Tensor a) -> Tensor", c10::AliasAnalysisKind::CONSERVATIVE),
        {at::Tag::nondeterministic_seeded});
  m.def("functions() -> str[]", operator_names);

  std::vector<std::string_view> taken{"functions"};
  for (const Function* f : functions()) taken.push_back(spec_of(*f).name);
  for (const Function* f : functions()) {
    const Entry& entry = entry_of(*f);
    std::vector<double> defaults;
    for (const Parameter& p : entry.spec->parameters) defaults.push_back(p.value);
    define(m, entry, entry.spec->name, defaults);
    for (const Alias& alias : entry.spec->aliases) {
      if (!is_identifier(alias.name) || std::find(taken.begin(), taken.end(), alias.name) != taken.end()) continue;
      taken.push_back(alias.name);
      std::vector<double> values = defaults;
      for (std::size_t k = 0; k < values.size(); ++k) {
        if (entry.spec->parameters[k].name == alias.parameter) values[k] = alias.value;
      }
      define(m, entry, alias.name, values);
    }
  }
}

TORCH_LIBRARY_IMPL(ogee, CPU, m) { implement<cpu_forward, cpu_backward, cpu_second>(m); }
TORCH_LIBRARY_IMPL(ogee, Meta, m) {
  implement<meta_forward, meta_backward, meta_second>(m);
  m.impl("_noise_key", meta_noise_key);
}
TORCH_LIBRARY_IMPL(ogee, CompositeExplicitAutograd, m) {
  implement<composed_forward, composed_backward, composed_second>(m);
  m.impl("_noise_key", noise_key);
}
TORCH_LIBRARY_IMPL(ogee, Autograd, m) {
  implement<autograd_forward, autograd_backward, autograd_second>(m);
  m.impl("_noise_key", torch::CppFunction::makeFallthrough());
}
TORCH_LIBRARY_IMPL(ogee, AutocastCPU, m) { m.impl("_forward", TORCH_FN((Ops::forward<autocast_forward>))); }
TORCH_LIBRARY_IMPL(ogee, Autocast, m) { m.impl("_forward", TORCH_FN((Ops::forward<autocast_forward>))); }

}  // namespace

at::Generator current_generator() {
  return thread_generator.has_value() ? *thread_generator : at::detail::getDefaultCPUGenerator();
}

}  // namespace ogee::torch_call

namespace ogee {

at::Tensor apply(const Activation& activation, const at::Tensor& x, const std::vector<at::Tensor>& parameters,
                 const ApplyOptions& options) {
  return torch_call::run(activation, x, c10::nullopt, parameters, options, false);
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
  const torch_call::Entry& entry = torch_call::entry_of(activation.function());
  TORCH_CHECK(entry.spec->inputs == 1, "ogee::", entry.spec->name, ": the slope is for functions of one input");
  const at::NoGradGuard no_grad;
  c10::SmallVector<at::Tensor, 4> tensors;
  at::DimVector slots;
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    if (!parameters[k].defined()) continue;
    tensors.push_back(parameters[k]);
    slots.push_back(static_cast<std::int64_t>(k));
  }
  const std::span<const double> values = activation.parameters();
  const at::Tensor ones = at::ones({}, x.options()).expand(x.sizes());
  const c10::optional<at::Tensor> none;
  return torch_call::call_backward(ones,
                                   torch_call::Request{entry,
                                                       x,
                                                       none,
                                                       tensors,
                                                       slots,
                                                       {values.data(), values.size()},
                                                       channel_dim,
                                                       Layout::two,
                                                       -1,
                                                       false,
                                                       none,
                                                       {},
                                                       false},
                                   false)[0];
}

GeneratorGuard::GeneratorGuard(at::Generator generator)
    : previous_(std::exchange(torch_call::thread_generator, std::move(generator))) {}
GeneratorGuard::~GeneratorGuard() { torch_call::thread_generator = std::move(previous_); }

}  // namespace ogee
