// The three general operators, _forward, _backward and _second: a Request, flattened into arguments that LibTorch's
// dispatcher understands, and what it finds behind them: autograd, autocast, meta tensors, the CPU's kernels and other
// devices. And the key of the noise, which is drawn by an operator, too.
#include "torch/apply.h"
//
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "torch/derivatives.h"

namespace ogee::torch_call {
namespace {

using c10::optional;

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
using BackwardOf = std::vector<at::Tensor> (*)(const at::Tensor&, const Request&, Wanted);
using SecondOf = std::vector<at::Tensor> (*)(const Second&, const Request&);

// The operators' signatures, and kernels of those signatures made from functions of a Request.
template <class>
struct Operators;
template <class... R>
struct Operators<Types<R...>> {
  using Forward = at::Tensor(R...);
  using Backward = std::vector<at::Tensor>(std::int64_t, const at::Tensor&, R...);
  using Second = std::vector<at::Tensor>(const at::Tensor&, const optional<at::Tensor>&, const optional<at::Tensor>&,
                                         at::TensorList, at::IntArrayRef, R...);

  template <ForwardOf run>
  static at::Tensor forward(R... r) {
    return run(request_of(r...));
  }
  template <BackwardOf run>
  static std::vector<at::Tensor> backward(std::int64_t wanted, const at::Tensor& dy, R... r) {
    return run(dy, request_of(r...), wanted);
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

// ---- The way to the kernels ----------------------------------------------------------------------------------------

// The kernels, unless the composed form is asked for.
at::Tensor cpu_forward(const Request& r) { return r.composed ? composed_forward(r) : kernel_forward(r); }
std::vector<at::Tensor> cpu_backward(const at::Tensor& dy, const Request& r, Wanted wanted) {
  return r.composed ? composed_backward(dy, r, wanted) : kernel_backward(dy, r, wanted);
}
std::vector<at::Tensor> cpu_second(const Second& d, const Request& r) {
  return r.composed ? composed_second(d, r) : kernel_second(d, r);
}

// Whether the dispatcher would find autograd and the CPU's kernel behind these keys and nothing else: no functorch,
// autocast, tracer, mode, subclass or other device, and nobody who wants to hear of every operator. Then both are
// called from here: for a few hundred elements the way through the dispatcher takes longer than the arithmetic. The
// keys are computed as the dispatcher computes them.
bool goes_straight(const Request& r, c10::DispatchKeySet keys) {
  c10::DispatchKeySet known({c10::DispatchKey::CPU, c10::DispatchKey::AutogradCPU, c10::DispatchKey::ADInplaceOrView,
                             c10::DispatchKey::BackendSelect});
  if (r.composed) return false;
  keys = keys | r.a.key_set();
  if (r.b.has_value() && r.b->defined()) keys = keys | r.b->key_set();
  for (const at::Tensor& p : r.parameters) keys = keys | p.key_set();
  const c10::impl::LocalDispatchKeySet local = c10::impl::tls_local_dispatch_key_set();
  keys = (keys | local.included_) - local.excluded_;
  return (keys.raw_repr() & ~known.raw_repr()) == 0 && keys.has(c10::DispatchKey::CPU) &&
         !at::getStepCallbacksUnlessEmpty(at::RecordScope::FUNCTION).has_value();
}

// Whether autograd has been passed already.
bool below_autograd() {
  return c10::impl::tls_local_dispatch_key_set().excluded_.has_any(
      c10::DispatchKeySet(c10::DispatchKey::AutogradFunctionality));
}

}  // namespace

at::Tensor call_forward(const Request& request) {
  if (goes_straight(request, {})) {
    return below_autograd() || !is_recorded(request) ? kernel_forward(request) : autograd_forward(request);
  }
  static const auto op = find<Ops::Forward>("ogee::_forward");
  return call_flat(op, request);
}
std::vector<at::Tensor> call_backward(const at::Tensor& dy, const Request& request, Wanted wanted) {
  if (goes_straight(request, dy.key_set())) {
    return below_autograd() || !is_recorded(dy, request) ? kernel_backward(dy, request, wanted)
                                                         : autograd_backward(dy, request, wanted);
  }
  static const auto op = find<Ops::Backward>("ogee::_backward");
  return call_flat(op, request, wanted, dy);
}
std::vector<at::Tensor> call_second(const Second& directions, const Request& request) {
  static const auto op = find<Ops::Second>("ogee::_second");
  return call_flat(op, request, directions.dy, directions.dda, directions.ddb, directions.ddp, directions.ddp_slots);
}

namespace {

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

}  // namespace

at::Tensor draw_key(const at::Tensor& a) {
  static const auto op = find<at::Tensor(const at::Tensor&)>("ogee::_noise_key");
  return op.call(a);
}

at::Generator current_generator() {
  return thread_generator.has_value() ? *thread_generator : at::detail::getDefaultCPUGenerator();
}

namespace {

// ---- What the dispatcher finds -------------------------------------------------------------------------------------

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

TORCH_LIBRARY_FRAGMENT(ogee, m) {
  const std::string request = request_schema;
  m.def(("_forward(" + request + ") -> Tensor").c_str());
  m.def(("_backward(int wanted, Tensor dy, " + request + ") -> Tensor[]").c_str());
  m.def(("_second(Tensor dy, Tensor? dda, Tensor? ddb, Tensor[] ddp, int[] ddp_slots, " + request + ") -> Tensor[]")
            .c_str());
  m.def(torch::schema("_noise_key(Tensor a) -> Tensor", c10::AliasAnalysisKind::CONSERVATIVE),
        {at::Tag::nondeterministic_seeded});
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
}  // namespace ogee::torch_call

namespace ogee {

GeneratorGuard::GeneratorGuard(at::Generator generator)
    : previous_(std::exchange(torch_call::thread_generator, std::move(generator))) {}
GeneratorGuard::~GeneratorGuard() { torch_call::thread_generator = std::move(previous_); }

}  // namespace ogee
