#include "monitor/observer.h"
//
#include <ATen/core/dispatch/Dispatcher.h>
#include <fmt/format.h>
#include <pthread.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <thread>
#include <unordered_map>

#include "ogee/ogee.h"

namespace ogee::monitor {

// An operator's call between its two callbacks.
struct CallContext : at::ObserverContext {
  const Operator* op = nullptr;
  Origin origin;
  bool follows = false;     // its results come from `origin`
  bool activation = false;  // counted in the thread's depth
  bool node = false;        // no operator's, but a whole node's of the backward graph
  std::shared_ptr<Sighting> sighting;
  std::optional<Recognised> seen;
  std::unique_ptr<NonFiniteTrace::Pending> trace;
};

namespace {

constexpr std::size_t most_layers = 1024, most_weights = 4096, most_losses = 512, most_notes = 16;
constexpr std::size_t most_origins = 65536;
// Between two windows, at least and at most: fewer and the training goes by unseen.
constexpr std::int64_t shortest_gap = 6, longest_gap = 500;

// The observer of this process, and how many threads are inside it: it goes only when none is.
std::atomic<Observer*> current{nullptr};
std::atomic<int> inside{0};
std::atomic<std::uint64_t> observers_made{0};
// The observer of this thread alone, if it has one: the process's leaves it alone then.
thread_local Observer* mine = nullptr;
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

// What the monitor does itself is not to be seen, recorded or differentiated.
struct Own {
  at::DisableRecordFunctionGuard unseen;
  at::NoGradGuard no_grad;
};

struct ThreadState {
  std::uint64_t observer = 0;
  std::uint64_t stretch = 0;
  std::int64_t step = -1;
  int activations = 0;     // nested
  std::int64_t place = 0;  // activations without a weight, in this pass
  std::string node;        // whose backward runs
  std::unordered_map<const c10::TensorImpl*, Origin> origins;
  std::unordered_map<const c10::TensorImpl*, const c10::TensorImpl*> views_of_weights;
  std::unordered_map<const char*, const Operator*> operators;
};
ThreadState& thread_state() {
  thread_local ThreadState state;
  return state;
}

const Operator* operator_of(const at::RecordFunction& fn) {
  auto& known = thread_state().operators;
  const auto found = known.find(fn.name());
  if (found != known.end()) return found->second;
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Operator>> all;
  std::size_t arguments = 0, results = 0;
  std::string key = fn.name();
  if (const auto name = fn.operator_name(); name.has_value()) {
    if (const auto handle = c10::Dispatcher::singleton().findSchema(*name)) {
      arguments = handle->schema().arguments().size();
      results = handle->schema().returns().size();
    }
    key += "." + name->overload_name;
  }
  const std::lock_guard lock(mutex);
  auto& op = all[key];
  if (!op) {
    op = std::make_unique<Operator>(operator_named(fn.name(), arguments));
    op->results = results;
  }
  known.emplace(fn.name(), op.get());
  return op.get();
}

template <class Visit>
void visit_tensors(const c10::IValue& value, const Visit& visit) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) visit(value.toTensor(), 0U);
  } else if (value.isTensorList()) {
    std::uint32_t place = 0;
    for (const at::Tensor& t : value.toTensorVector()) {
      if (t.defined()) visit(t, ++place);
    }
  }
}

bool is_parameter(const at::Tensor& t) { return t.dim() >= 2 && t.requires_grad() && t.is_leaf(); }

}  // namespace

// What LibTorch calls: never throws into the program.
struct Callbacks {
  template <bool of_thread>
  static std::unique_ptr<at::ObserverContext> start(const at::RecordFunction& fn) {
    if (of_thread != (mine != nullptr)) return nullptr;
    const Entry entry;
    if (entry.observer == nullptr) return nullptr;
    try {
      return entry.observer->start(fn);
    } catch (const std::exception& error) {
      entry.observer->note(fmt::format("{}: {}", fn.name(), error.what()));
      return nullptr;
    }
  }
  static void end(const at::RecordFunction& fn, at::ObserverContext* context) {
    if (context == nullptr) return;
    const Entry entry;
    auto* call = static_cast<CallContext*>(context);
    if (call->node) {
      thread_state().node.clear();
      return;
    }
    if (call->activation) --thread_state().activations;
    if (entry.observer == nullptr) return;
    try {
      entry.observer->end(fn, context);
    } catch (const std::exception& error) {
      entry.observer->note(fmt::format("{}: {}", fn.name(), error.what()));
    }
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
  output_ = std::make_unique<show::Output>(options_.json(), options_.tensorboard(), [this] { return record(); });
  Observer* none = nullptr;
  if (options_.this_thread()) {
    if (mine != nullptr) throw Error("monitor: another one is running on this thread");
    mine = this;
  } else if (!current.compare_exchange_strong(none, this)) {
    throw Error("monitor: another one is running in this process");
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
}

Observer::~Observer() {
  at::removeCallback(handle_);
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

void Observer::callbacks_on(bool on) {
  if (on == enabled_ || trace_) return;
  enabled_ = on;
  if (on) ++stretch_;
  on ? at::reenableCallback(handle_) : at::disableCallback(handle_);
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
      if (options_.every() == 1) open_window();
    }
    return watching_;
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
  const Operator* op = operator_of(fn);
  const bool grad_mode = at::GradMode::is_enabled();
  const bool measure = measuring(grad_mode);
  if (!measure && !trace_) return nullptr;
  ThreadState& thread = thread_state();
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
  if (grad_mode) forward_step_.store(step + 1, std::memory_order_relaxed);
  auto inputs = fn.inputs();
  if (op->arguments > 0 && inputs.size() > op->arguments) inputs = inputs.slice(inputs.size() - op->arguments);
  auto call = std::make_unique<CallContext>();
  call->op = op;
  const Own own;
  if (measure) {
    call->origin = origin_of(*op, inputs, grad_mode);
    call->follows = true;
    if (op->kind == Kind::activation) {
      call->activation = true;
      if (++thread.activations == 1) see_input(*call, *op, inputs);
    }
  }
  if (trace_) call->trace = std::make_unique<NonFiniteTrace::Pending>(trace_->before(*op, inputs));
  return call;
}

void Observer::when_first_used(void (*call)()) { first_use = call; }

std::int64_t Observer::weight_number(const at::Tensor& weight, const Operator& op) {
  const std::lock_guard lock(mutex_);
  const c10::TensorImpl* key = weight.unsafeGetTensorImpl();
  const auto known = weight_numbers_.find(key);
  if (known != weight_numbers_.end() && weights_[known->second].alive())
    return static_cast<std::int64_t>(known->second);
  if (weights_.size() >= most_weights) return -1;
  const std::size_t number = weights_.size();
  const auto given = given_names_.find(key);
  std::string name;
  if (given != given_names_.end()) {
    name = given->second;
  } else {
    std::string kind = op.name.substr(op.name.rfind(':') + 1);
    if (kind == "addmm" || kind == "mm" || kind == "matmul") kind = "linear";
    if (kind.find("conv") != std::string::npos) kind = "conv";
    // Seen first on its way into a product, its shape tells what it is for.
    for (const char* view :
         {"t", "transpose", "permute", "numpy_T", "select", "slice", "view", "reshape", "unsqueeze"}) {
      if (kind == view) kind = weight.dim() > 2 ? "conv" : "linear";
    }
    name = fmt::format("{} {}", kind, ++kinds_seen_[kind]);
  }
  weights_.emplace_back(weight, std::move(name));
  weight_numbers_[key] = number;
  Weight& made = weights_.back();
  made.backward_passes = steps_;
  if (weight.requires_grad() && weight.is_leaf()) {
    made.hook = weight.register_hook(
        [observer = number_, number](const at::Tensor& gradient) { Callbacks::weight(observer, number, gradient); });
  }
  return static_cast<std::int64_t>(number);
}

Origin Observer::origin_of(const Operator& op, c10::ArrayRef<const c10::IValue> arguments, bool grad_mode) {
  ThreadState& thread = thread_state();
  Origin origin;
  if (op.kind == Kind::normalising) {
    const std::lock_guard lock(mutex_);
    record_.normalised = true;
  }
  if (op.weight >= 0 && static_cast<std::size_t>(op.weight) < arguments.size() &&
      arguments[static_cast<std::size_t>(op.weight)].isTensor()) {
    const at::Tensor& w = arguments[static_cast<std::size_t>(op.weight)].toTensor();
    const auto view =
        w.defined() ? thread.views_of_weights.find(w.unsafeGetTensorImpl()) : thread.views_of_weights.end();
    // Still the view that was seen: a later tensor may have its address.
    if (view != thread.views_of_weights.end() && w.is_view() && w._base().unsafeGetTensorImpl() == view->second) {
      const std::lock_guard lock(mutex_);
      const auto known = weight_numbers_.find(view->second);
      if (known != weight_numbers_.end()) return {static_cast<std::int64_t>(known->second), 0, op.channels_first};
    }
    // Without a graph nothing tells a weight from any other matrix, but that these operators take one there.
    const bool surely = op.name == "aten::linear" || op.channels_first;
    if (w.defined() && (is_parameter(w) || (surely && !grad_mode))) {
      if (const auto call = first_use.exchange(nullptr)) call();
      return {weight_number(w, op), 0, op.channels_first};
    }
  }
  bool residual = false;
  std::int64_t first = -2;
  for (const c10::IValue& value : arguments) {
    visit_tensors(value, [&](const at::Tensor& t, std::uint32_t) {
      const auto found = thread.origins.find(t.unsafeGetTensorImpl());
      if (found == thread.origins.end()) return;
      if (first == -2) {
        first = found->second.weight;
        origin = found->second;
      } else if (found->second.weight != first && found->second.path == 0 && origin.path == 0) {
        residual = true;
      }
    });
    if (first >= 0 && op.kind != Kind::adding) break;
  }
  if (residual && op.kind == Kind::adding) {
    const std::lock_guard lock(mutex_);
    record_.residual = true;
  }
  return origin;
}

void Observer::see_input(CallContext& call, const Operator& op, c10::ArrayRef<const c10::IValue> arguments) {
  const auto began = Clock::now();
  auto seen = recognise(op, arguments);
  if (!seen || !seen->z.defined() || seen->z.numel() == 0) return;
  auto sighting = std::make_shared<Sighting>();
  const bool channels_first = seen->z.dim() >= 4 || (call.origin.channels_first && seen->z.dim() >= 3);
  sighting->pick = pick(seen->z.sizes(), channels_first, options_.sample(), turn_);
  if (!take(seen->z, sighting->pick, sighting->z)) return;
  if (!seen->text.empty()) sighting->function = function_named(seen->text);
  ThreadState& thread = thread_state();
  const std::int64_t place = call.origin.weight < 0 ? thread.place++ : 0;
  {
    const std::lock_guard lock(mutex_);
    if (at::GradMode::is_enabled() || steps_ > 0) training_ = true;
    sighting->layer = layer_for(call.origin, op, *seen, place);
    if (sighting->layer >= layers_.size()) return;
    LayerState& layer = layers_[sighting->layer];
    if (!layer.function()) layer.set_function(sighting->function);
    sighting->step = steps_ + 1;
    layer.input(sighting->z, sighting->pick.units, sighting->pick.unit_step, seen->z.numel());
    for (const auto& [which, tensor] : seen->learned) {
      const std::size_t count = sighting->function ? sighting->function->activation.spec().parameters.size() : 1;
      if (which < count) layer.parameters(which, count, take_evenly(tensor, 4096));
    }
  }
  call.sighting = std::move(sighting);
  call.seen = std::move(seen);
  own_nanoseconds_ += (Clock::now() - began).count();
}

std::size_t Observer::layer_for(const Origin& origin, const Operator& op, const Recognised& seen, std::int64_t place) {
  // Learned attributes move; the function's name does not.
  const std::string function = seen.text.substr(0, seen.text.find('('));
  const std::string key =
      fmt::format("{}|{}|{}|{}", origin.weight, origin.path, function.empty() ? op.name : function, place);
  const auto known = layer_keys_.find(key);
  if (known != layer_keys_.end()) {
    // A program without backward passes: the first layer's turn again is the next pass.
    if (known->second == 0 && !training_ && ++passes_ >= 2) {
      close_window();
      open_window();
      passes_ = 0;
    }
    return known->second;
  }
  if (layers_.size() >= most_layers) {
    const std::string text = fmt::format("only the first {} layers are watched", most_layers);
    if (std::find(record_.notes.begin(), record_.notes.end(), text) == record_.notes.end())
      record_.notes.push_back(text);
    return layers_.size();
  }
  std::string name, weight;
  if (origin.weight >= 0) {
    weight = weights_[static_cast<std::size_t>(origin.weight)].name();
    name = without_weight(weight);
    if (origin.path > 0) name += fmt::format("[{}]", origin.path - 1);
  } else {
    name = fmt::format("{} {}", function.empty() ? op.name : function, place + 1);
  }
  if (names_taken_[name]++ > 0) {
    const std::string longer = fmt::format("{} {}", name, function.empty() ? op.name : function);
    name = names_taken_[longer]++ > 0 ? fmt::format("{} {}", longer, names_taken_[longer]) : longer;
  }
  LayerState& layer = layers_.emplace_back(std::move(name), op.name == "ogee::_forward" ? "ogee::" + function : op.name,
                                           seen.text.empty() ? nullptr : function_named(seen.text),
                                           static_cast<std::int64_t>(layers_.size()));
  layer.record().weight = std::move(weight);
  if (origin.weight >= 0) layer.record().fan_in = weights_[static_cast<std::size_t>(origin.weight)].fan_in();
  layer_keys_.emplace(key, layers_.size() - 1);
  return layers_.size() - 1;
}

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
        Origin origin = call.origin;
        if (place > 0) origin.path = place;
        if (origin.weight >= 0 || origin.path > 0) {
          thread.origins[t.unsafeGetTensorImpl()] = origin;
        } else {
          thread.origins.erase(t.unsafeGetTensorImpl());
        }
      });
    }
    // A weight transposed on its way into a product is still that weight.
    if (outputs.size() == 1 && outputs[0].isTensor() && outputs[0].toTensor().defined()) {
      const at::Tensor& result = outputs[0].toTensor();
      const at::Tensor base = result.is_view() ? at::Tensor(result._base()) : at::Tensor();
      if (base.defined() && is_parameter(base)) {
        weight_number(base, *call.op);
        thread.views_of_weights[result.unsafeGetTensorImpl()] = base.unsafeGetTensorImpl();
      }
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
      if (auto found = trace_->reached(outputs[0].toTensor(), steps_ + 1, "the loss")) {
        const std::lock_guard lock(mutex_);
        if (record_.non_finite.size() < 8) record_.non_finite.push_back(std::move(*found));
      }
    }
  }
}

void Observer::see_output(CallContext& call, const std::vector<c10::IValue>& outputs) {
  if (outputs.empty() || !outputs[0].isTensor() || !outputs[0].toTensor().defined()) return;
  const auto began = Clock::now();
  const at::Tensor& y = outputs[0].toTensor();
  Sighting& sighting = *call.sighting;
  Block block;
  if (!take(y, sighting.pick, block)) return;
  std::vector<float> quiet;
  if (call.seen->training && sighting.function && sighting.function->facts.noisy && !sighting.function->facts.gated) {
    quiet.resize(block.all().size());
    forward<float>(sighting.function->activation, sighting.z.all(), std::span<float>(quiet),
                   {.mode = Mode::evaluation});
  }
  {
    const std::lock_guard lock(mutex_);
    layers_[sighting.layer].output(block, quiet);
  }
  // Without a graph no gradient comes.
  if (y.requires_grad() && !y.is_leaf()) {
    y.register_hook([observer = number_, sighting = call.sighting](const at::Tensor& gradient) {
      Callbacks::output(observer, sighting, gradient);
    });
  }
  own_nanoseconds_ += (Clock::now() - began).count();
}

void Observer::add_loss(double value) {
  const std::lock_guard lock(mutex_);
  last_loss_ = value;
  // A loss made of others ends after them: the last one of a step counts.
  if (!record_.losses.empty() && record_.losses.back().step == steps_ + 1) {
    record_.losses.back().value = value;
    return;
  }
  if (losses_seen_++ % loss_stride_ != 0) return;
  if (record_.losses.size() == most_losses) {
    for (std::size_t i = 0; i < most_losses / 2; ++i) record_.losses[i] = record_.losses[2 * i];
    record_.losses.resize(most_losses / 2);
    loss_stride_ *= 2;
  }
  record_.losses.push_back({steps_ + 1, value});
}

}  // namespace ogee::monitor
