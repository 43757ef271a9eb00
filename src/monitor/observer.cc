#include "monitor/observer.h"
//
#include <ATen/core/dispatch/Dispatcher.h>
#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <cmath>
#include <thread>
#include <unordered_map>

#include "ogee/libtorch.h"
#include "monitor/observer_thread.h"

namespace ogee::monitor {

namespace {

constexpr std::size_t most_notes = 16, most_origins = 65536;

// The observer of this process, and how many threads are inside it: it goes only when none is.
std::atomic<Observer*> current{nullptr};
std::atomic<int> inside{0};
std::atomic<std::uint64_t> observers_made{0};
// The observer of this thread alone, if it has one: the process's leaves it alone then.
[[gnu::tls_model("initial-exec")]] thread_local Observer* mine = nullptr;
std::atomic<void (*)()> first_use{nullptr};

class Entry {
 public:
  Entry() {
    if (mine == nullptr) {
      inside.fetch_add(1);
      observer = current.load();
    } else {
      observer = mine;
      own_ = true;
    }
    if (observer != nullptr && observer->paused()) observer = nullptr;
  }
  ~Entry() {
    if (!own_) inside.fetch_sub(1);
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  Observer* observer;

 private:
  bool own_ = false;
};

}  // namespace

// What LibTorch calls: never throws into the program.
struct Callbacks {
  template <bool of_thread>
  static std::unique_ptr<at::ObserverContext> start(const at::RecordFunction& fn) {
    if (of_thread != (mine != nullptr) || thread_state().own > 0) return nullptr;
    const Entry entry;
    if (entry.observer == nullptr) return nullptr;
    try {
      auto context = entry.observer->start(fn);
      // A product of many matrices calls thousands of operators, of whom nobody else wants to know, either.
      if (auto* call = static_cast<CallContext*>(context.get());
          call != nullptr && call->opaque && call->op->crowded &&
          at::getStepCallbacks(at::RecordScope::FUNCTION).callbacks_.size() == 1) {
        call->hushed = true;
        at::enableRecordFunction(false);
      }
      return context;
    } catch (const std::exception& error) {
      entry.observer->note(fmt::format("{}: {}", fn.name(), error.what()));
      return nullptr;
    }
  }
  static void end(const at::RecordFunction& fn, at::ObserverContext* context) {
    if (context == nullptr) return;
    const Entry entry;
    auto* call = static_cast<CallContext*>(context);
    if (call->hushed) at::enableRecordFunction(true);
    if (call->node) {
      thread_state().node.clear();
      return;
    }
    if (call->activation) --thread_state().activations;
    if (call->opaque) --thread_state().opaque;
    if (entry.observer == nullptr) return;
    try {
      entry.observer->end(fn, context);
    } catch (const std::exception& error) {
      entry.observer->note(fmt::format("{}: {}", fn.name(), error.what()));
    }
  }
  static std::unique_ptr<at::ObserverContext> name(const at::RecordFunction& fn) {
    if (!at::GradMode::is_enabled() || mine != nullptr || thread_state().own > 0) return nullptr;
    const Entry entry;
    if (entry.observer == nullptr) return nullptr;
    try {
      entry.observer->name_heard(fn);
    } catch (const std::exception& error) {
      entry.observer->note(fmt::format("{}: {}", fn.name(), error.what()));
    }
    return nullptr;
  }
  static std::shared_ptr<void> applied(const torch_call::LinearHeard& heard) {
    if (mine != nullptr) return nullptr;
    const Entry entry;
    if (entry.observer == nullptr || !entry.observer->hears()) return nullptr;
    try {
      return entry.observer->applied(heard);
    } catch (const std::exception& error) {
      entry.observer->note(fmt::format("a linear layer: {}", error.what()));
      return nullptr;
    }
  }
  static void gradients(const std::shared_ptr<void>& of, const at::Tensor& dy, const at::Tensor& dz) {
    const auto& sighting = *static_cast<const Sighting*>(of.get());
    const Entry entry;
    if (entry.observer == nullptr || entry.observer->number_ != sighting.observer) return;
    try {
      entry.observer->gradients(sighting, dy, dz);
    } catch (const std::exception& error) {
      entry.observer->note(fmt::format("a linear layer's gradient: {}", error.what()));
    }
  }
  static void apart() {
    if (mine != nullptr) return;
    const Entry entry;
    if (entry.observer != nullptr) entry.observer->apart_.fetch_add(1, std::memory_order_relaxed);
  }
  static void weight(std::uint64_t number, std::size_t weight, const at::Tensor& gradient) {
    const Entry entry;
    if (entry.observer == nullptr || entry.observer->number_ != number) return;
    try {
      entry.observer->weight_gradient(weight, gradient);
    } catch (const std::exception& error) {
      entry.observer->note(fmt::format("a weight's gradient: {}", error.what()));
    }
  }
  static void output(std::uint64_t number, const std::shared_ptr<Sighting>& sighting, const at::Tensor& gradient) {
    const Entry entry;
    if (entry.observer == nullptr || entry.observer->number_ != number) return;
    try {
      entry.observer->output_gradient(sighting, gradient);
    } catch (const std::exception& error) {
      entry.observer->note(fmt::format("an output's gradient: {}", error.what()));
    }
  }
};

void call_at_first_use() {
  if (const auto call = first_use.exchange(nullptr)) call();
}

void weight_hook(std::uint64_t observer, std::size_t weight, const at::Tensor& gradient) {
  Callbacks::weight(observer, weight, gradient);
}
void output_hook(std::uint64_t observer, const std::shared_ptr<Sighting>& sighting, const at::Tensor& gradient) {
  Callbacks::output(observer, sighting, gradient);
}

Observer::Observer(MonitorOptions options, std::function<double()> learning_rate, std::string optimiser)
    : options_(std::move(options)), learning_rate_(std::move(learning_rate)), number_(++observers_made) {
  if (options_.every() < 0) throw Error(fmt::format("monitor: every is {}; 0 or more was expected", options_.every()));
  if (!(options_.budget() > 0 && options_.budget() <= 1)) {
    throw Error(fmt::format("monitor: budget is {}; a share above 0, up to 1, was expected", options_.budget()));
  }
  if (options_.sample() < 0)
    throw Error(fmt::format("monitor: sample is {}; 0 or more was expected", options_.sample()));
  record_.optimiser = std::move(optimiser);
  if (options_.trace_non_finite()) trace_ = std::make_unique<NonFiniteTrace>();
  Observer* none = nullptr;
  if (options_.this_thread()) {
    if (mine != nullptr) throw Error("monitor: another one is running on this thread");
    mine = this;
  } else if (!current.compare_exchange_strong(none, this)) {
    throw Error("monitor: another one is running in this process");
  }
  try {  // only now: another one's files must not be written over
    output_ = std::make_unique<show::Output>(options_.json(), options_.tensorboard(), [this] { return record(); });
  } catch (...) {
    options_.this_thread() ? static_cast<void>(mine = nullptr) : current.store(nullptr);
    throw;
  }
  // A process forked from this one, such as those that load data, is none of its business.
  static const int forked = pthread_atfork(nullptr, nullptr, [] {
    current = nullptr;
    inside = 0;
  });
  if (forked != 0) note("processes that are forked from this one may be seen, too");
  at::RecordFunctionCallback callback(options_.this_thread() ? Callbacks::start<true> : Callbacks::start<false>,
                                      Callbacks::end);
  callback.needsInputs(true).needsOutputs(true);
  if (trace_) {
    callback.scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION});
  } else {
    callback.scopes({at::RecordScope::FUNCTION});
  }
  handle_ = options_.this_thread() ? at::addThreadLocalCallback(callback) : at::addGlobalCallback(callback);
  if (options_.this_thread() || trace_) return;
  at::RecordFunctionCallback names(Callbacks::name);
  names_handle_ = at::addGlobalCallback(names.scopes({at::RecordScope::FUNCTION}));
  at::disableCallback(names_handle_);
  listen(true);
}

// Whoever listens is called by every node, which waits for what it has just written to reach the cache.
void Observer::listen(bool now) {
  static const torch_call::Listener listener{Callbacks::applied, Callbacks::gradients, Callbacks::apart};
  if (!options_.this_thread() && !trace_) torch_call::listen(now ? &listener : nullptr);
}

Observer::~Observer() {
  listen(false);
  at::removeCallback(handle_);
  if (names_handle_ != at::INVALID_CALLBACK_HANDLE) at::removeCallback(names_handle_);
  if (options_.this_thread()) {
    mine = nullptr;
  } else {
    current = nullptr;
  }
  while (!options_.this_thread() && inside.load() != 0) std::this_thread::yield();
  for (Weight& weight : weights_) {
    const at::Tensor tensor = weight.tensor();
    if (tensor.defined() && weight.hook >= 0) tensor.remove_hook(static_cast<unsigned>(weight.hook));
  }
}

void Observer::note(const std::string& text) {
  const std::lock_guard lock(mutex_);
  const std::string line = text.substr(0, text.find('\n'));
  if (record_.notes.size() < most_notes &&
      std::find(record_.notes.begin(), record_.notes.end(), line) == record_.notes.end()) {
    record_.notes.push_back(line);
  }
}

// ---- Operators -----------------------------------------------------------------------------------------------------

// Evaluation between training steps (no graph is recorded there) is not training; a program that never records one is
// watched all the same.
bool Observer::measuring(bool grad_mode) {
  if (!watching_.load(std::memory_order_relaxed)) return false;
  if (!grad_mode) return !training_;
  const std::int64_t ahead = steps_.load(std::memory_order_relaxed) + 1 - window_.load(std::memory_order_relaxed);
  if (ahead == 2) {  // the step after the window's two: the last update has been made
    const std::lock_guard lock(mutex_);
    if (watching_ && steps_ + 1 - window_ == 2) {
      close_window();
      if (options_.every() == 1) open_window(true);
    }
    return watching_ && steps_ + 1 >= window_;
  }
  return ahead == 0 || ahead == 1;
}

std::unique_ptr<at::ObserverContext> Observer::start(const at::RecordFunction& fn) {
  if (fn.scope() == at::RecordScope::BACKWARD_FUNCTION) {
    thread_state().node = fn.name();
    auto call = std::make_unique<CallContext>();
    call->node = true;
    return call;
  }
  ThreadState& thread = thread_state();
  if (thread.opaque > 0) return nullptr;
  const Operator* op = operator_of(fn);
  if (op->engine) {
    engine_runs(thread);
    return nullptr;
  }
  const bool grad_mode = at::GradMode::is_enabled();
  const bool measure = measuring(grad_mode);
  if (!measure && !trace_) return nullptr;
  const std::int64_t step = steps_.load(std::memory_order_relaxed);
  // Addresses mean something only as long as everything that is made is seen.
  const std::uint64_t stretch = stretch_.load(std::memory_order_relaxed);
  if (thread.observer != number_ || thread.stretch != stretch || thread.origins.size() > most_origins) {
    thread.origins.clear();
    thread.views_of_weights.clear();
    if (thread.observer != number_) thread.activations = 0;
    thread.observer = number_;
    thread.stretch = stretch;
  }
  if (thread.step != step) {
    thread.place = 0;
    thread.step = step;
  }
  if (grad_mode) {
    forward_step_.store(step + 1, std::memory_order_relaxed);
    if (measure) forward_on_thread();
    // A gradient within the forward pass: its end is not where nodes begin to run.
    if (thread.engine_step == step && (op->kind == Kind::activation || op->kind == Kind::loss || op->weight >= 0))
      resumes_.store(true, std::memory_order_relaxed);
  }
  auto inputs = fn.inputs();
  if (op->arguments > 0 && inputs.size() > op->arguments) inputs = inputs.slice(inputs.size() - op->arguments);
  auto call = std::make_unique<CallContext>();
  call->op = op;
  if (op->opaque && !trace_) {
    call->opaque = true;
    ++thread.opaque;
  }
  const Own own;
  if (measure) {
    call->origin = origin_of(*op, inputs, grad_mode);
    call->follows = true;
    // A linear layer's or convolution's own weight was handed over: all that runs within is known.
    if (op->composite && op->kind == Kind::weighted && call->origin.weight >= 0 && !trace_ && !call->opaque) {
      call->opaque = true;
      ++thread.opaque;
    }
    if (op->kind == Kind::activation) {
      call->activation = true;
      if (++thread.activations == 1) {
        shown_.fetch_add(1, std::memory_order_relaxed);
        // Behind nodes that tell of themselves nobody knows where its input comes from; the next window will show it.
        if (!hearing_.load(std::memory_order_relaxed)) see_input(*call, *op, inputs);
      }
    }
  }
  if (trace_) call->trace = std::make_unique<NonFiniteTrace::Pending>(trace_->before(*op, inputs));
  return call;
}

void Observer::when_first_used(void (*call)()) { first_use = call; }

void Observer::end(const at::RecordFunction& fn, at::ObserverContext* context) {
  auto& call = static_cast<CallContext&>(*context);
  const std::vector<c10::IValue>& all = fn.outputs();
  // TorchScript's interpreter hands over its whole stack: the results are on top.
  std::vector<c10::IValue> top;
  if (call.op && call.op->results > 0 && all.size() > call.op->results)
    top.assign(all.end() - static_cast<std::ptrdiff_t>(call.op->results), all.end());
  const std::vector<c10::IValue>& outputs = top.empty() ? all : top;
  ThreadState& thread = thread_state();
  const bool grad_mode = at::GradMode::is_enabled();
  const Own own;
  if (call.follows) {
    for (const c10::IValue& value : outputs) {
      visit_tensors(value, [&](const at::Tensor& t, std::uint32_t place) {
        // A weight transposed on its way into a product is still that weight.
        if (t.is_view()) {
          const at::Tensor base(t._base());
          if (is_parameter(base)) {
            weight_number(base, *call.op);
            thread.views_of_weights[t.unsafeGetTensorImpl()] = base.unsafeGetTensorImpl();
          }
        }
        Origin origin = call.origin;
        if (place > 0) origin.path = place;
        if (origin.weight >= 0 || origin.path > 0) {
          thread.origins[t.unsafeGetTensorImpl()] = origin;
        } else if (Origin* known = thread.origins.find(t.unsafeGetTensorImpl())) {
          *known = Origin();  // another tensor's, that had the address before
        }
      });
    }
    if (call.op->kind == Kind::loss && outputs.size() == 1 && outputs[0].isTensor()) {
      const at::Tensor& loss = outputs[0].toTensor();
      if (loss.defined() && loss.numel() == 1 && loss.device().is_cpu() && at::isFloatingType(loss.scalar_type()) &&
          grad_mode) {
        add_loss(loss.item<double>());
      }
    }
    if (call.sighting) see_output(call, outputs);
  }
  if (call.trace) {
    std::string layer;
    if (call.origin.weight >= 0) {
      const std::lock_guard lock(mutex_);
      layer = weights_[static_cast<std::size_t>(call.origin.weight)].name();
    }
    const std::int64_t step = thread.node.empty() ? steps_ + 1 : forward_step_.load();
    trace_->after(*call.op, *call.trace, outputs, step, thread.node, layer);
    // A single number that gradients flow from is a loss, or becomes one.
    if (outputs.size() == 1 && outputs[0].isTensor() && outputs[0].toTensor().defined() &&
        outputs[0].toTensor().dim() == 0 && outputs[0].toTensor().requires_grad()) {
      if (auto found = trace_->reached(outputs[0].toTensor(), step, "the loss")) {
        const std::lock_guard lock(mutex_);
        add_non_finite(std::move(*found));
      }
    }
  }
}

}  // namespace ogee::monitor
