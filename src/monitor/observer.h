// Sees operators run, through LibTorch's RecordFunction callbacks and hooks on tensors, and keeps what the layers did.
//
// Steps. A step is a forward and a backward pass. Hooks on the weights, one call each a backward pass, count them and
// cost next to nothing; the callbacks, which cost something for each operator, are on only in windows of two steps. The
// update that follows a step is read off the weights themselves (a sample of them), before the next.
//
// Ears. What a forward pass is made of is learned in the first window, with callbacks on for all that runs. Later ones
// want operators' tensors in forward passes alone; between a backward pass and the next forward pass operators' names
// do, which cost half, and during a backward pass nothing is wanted but what hooks tell. Where all activations run in
// nodes that tell of themselves (torch/listener.h), those take the callbacks' place.
//
// Layers. A layer is a function behind a weight: what the program's operators make of a weight's product, up to the
// next weight, belongs to that weight. Where a result is a list (the chunks of a recurrent cell's gates), its place in
// the list counts too. Without weights, layers are told apart by their order in the pass.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/record_function.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "monitor/layer_state.h"
#include "monitor/non_finite.h"
#include "monitor/recognise.h"
#include "monitor/sample.h"
#include "monitor/show/output.h"
#include "monitor/weights.h"
#include "ogee/monitor.h"
#include "torch/listener.h"

namespace ogee::monitor {

// Where a tensor comes from: the weight behind it and the way through lists of results.
struct Origin {
  std::int64_t weight = -1;  // its number; -1: none
  std::uint32_t path = 0;    // 0: no list on the way; else the place in the last one, from 1
  bool channels_first = false;
};

// An activation's call, kept from its forward to its backward.
struct Sighting {
  std::size_t layer = 0;
  std::int64_t step = 0;
  Pick pick;
  Block z;
  std::shared_ptr<const Function> function;
  std::uint64_t observer = 0;  // its number
};

// What the callbacks are called for.
enum class Ear { nothing, names, operators };

// An activation that tells of itself, by the weight in front of it.
struct Teller {
  std::size_t layer = 0, weight = 0;  // their numbers
  const ogee::Function* function = nullptr;
  std::vector<double> values;
  std::shared_ptr<const Function> facts;
  std::shared_ptr<Sighting> sighting;  // of the last call; used again when nobody else holds it
};

struct CallContext;
struct ThreadState;

class Observer {
 public:
  Observer(MonitorOptions options, std::function<double()> learning_rate, std::string optimiser);
  ~Observer();
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  void name(const at::Tensor& parameter, const std::string& name);
  Record record() const;
  // Calls this once, from within the program, when it uses a weight for the first time: names given then come in time
  // for the first layer.
  static void when_first_used(void (*call)());
  // Hands the end to what writes; the observing is over.
  void finish(const Record& record, const std::vector<Finding>& findings);
  const MonitorOptions& options() const { return options_; }
  void pause(bool paused) { paused_ = paused; }
  void between_steps();
  bool paused() const { return paused_.load(std::memory_order_relaxed); }
  // See Monitor.
  std::string save() const;
  void restore(const std::string& state, const std::map<std::string, at::Tensor>& parameters);

 private:
  friend struct Callbacks;
  friend struct Carrier;
  using Clock = std::chrono::steady_clock;

  // From the callbacks, on any thread.
  std::unique_ptr<at::ObserverContext> start(const at::RecordFunction& fn);
  void end(const at::RecordFunction& fn, at::ObserverContext* context);
  void weight_gradient(std::size_t weight, const at::Tensor& gradient);
  void output_gradient(const std::shared_ptr<Sighting>& sighting, const at::Tensor& gradient);
  void name_heard(const at::RecordFunction& fn);
  void engine_runs(ThreadState& thread);
  // From the nodes that tell of themselves.
  std::shared_ptr<Sighting> applied(const torch_call::LinearHeard& heard);
  void gradients(const Sighting& sighting, const at::Tensor& dy, const at::Tensor& dz);

  bool measuring(bool grad_mode);
  Origin origin_of(const Operator& op, c10::ArrayRef<const c10::IValue> arguments, bool grad_mode);
  std::int64_t weight_number(const at::Tensor& weight, const Operator& op);
  void see_input(CallContext& call, const Operator& op, c10::ArrayRef<const c10::IValue> arguments);
  void see_output(CallContext& call, const std::vector<c10::IValue>& outputs);
  std::size_t layer_for(const Origin& origin, const Operator& op, const Recognised& seen, std::int64_t place);
  void begin_step();
  void open_window(bool at_once = false);  // when one was closed, before anything moves
  void close_window();
  void listen(bool now);
  void forward_on_thread();
  // The first node of a window ends the one before.
  bool hears() const {
    return hearing_.load(std::memory_order_relaxed) || hearing_next_.load(std::memory_order_relaxed);
  }
  bool told_of_all() const;
  void judge_hearing(bool first);
  // Of one call's inputs. Windows without a gap show the course of things in fewer each.
  std::size_t most_for_quantiles() const { return options_.sample() == 0 ? 0 : options_.every() == 1 ? 512 : 4096; }
  void backward_ends();
  Ear ear_for_next_step() const;
  void attend(Ear ear);
  void switch_to(Ear ear);
  Teller* teller_for(const torch_call::LinearHeard& heard);
  void note(const std::string& text);
  void add_loss(double value);
  void add_non_finite(NonFinite found);

  const MonitorOptions options_;
  const std::function<double()> learning_rate_;
  const Clock::time_point began_ = Clock::now();
  std::uint64_t number_;  // of this observer in the process
  at::CallbackHandle handle_ = at::INVALID_CALLBACK_HANDLE, names_handle_ = at::INVALID_CALLBACK_HANDLE;
  std::unique_ptr<NonFiniteTrace> trace_;
  std::unique_ptr<show::Output> output_;

  mutable std::recursive_mutex mutex_;  // everything below
  Record record_;                       // less the layers
  std::deque<LayerState> layers_;
  std::map<std::string, std::size_t> layer_keys_;
  std::map<std::string, int> names_taken_;
  std::deque<Weight> weights_;
  std::map<const c10::TensorImpl*, std::size_t> weight_numbers_;
  std::map<const c10::TensorImpl*, std::string> given_names_;
  std::map<std::string, int> kinds_seen_;

  std::atomic<bool> paused_{false};
  std::atomic<std::int64_t> steps_{0};
  std::atomic<std::int64_t> forward_step_{1};  // the step whose forward pass ran last
  std::atomic<std::uint64_t> stretch_{1};      // how often the callbacks were switched on
  std::atomic<bool> watching_{true};           // a window is open
  std::atomic<std::int64_t> window_{1};        // its first step
  Ear ear_ = Ear::operators, wanted_ = Ear::operators;
  // What the first window has shown: that passes are told apart, and so ears can be shut in some; later only less.
  std::atomic<bool> phased_{false};
  bool steady_ = true;                                    // backward passes call as many hooks as the one before
  std::atomic<bool> in_backward_{false};                  // from the first hook of a pass to the last
  std::atomic<bool> recomputes_{false}, several_{false};  // runs forward in backward passes, on several threads
  std::atomic<bool> resumes_{false};                      // forward passes go on behind gradients
  std::atomic<const ThreadState*> forward_thread_{nullptr};
  // Nodes that tell of themselves. In this step: activations that operators showed, those of them that would have told,
  // those that did.
  std::atomic<std::int64_t> shown_{0}, apart_{0}, told_{0};
  std::atomic<bool> hearing_{false};       // the window at hand is theirs
  std::atomic<bool> hearing_next_{false};  // and so is the next one
  std::int64_t tellers_ = 0;               // in a forward pass
  std::int64_t windows_opened_ = 1, mishearings_ = 0;
  std::map<const c10::TensorImpl*, Teller> by_weight_;
  std::atomic<bool> training_{false};  // a backward pass was seen
  std::int64_t hooks_now_ = 0, hooks_before_ = 0;
  std::int64_t passes_ = 0;  // without backward: uses of the first layer
  std::int64_t next_window_ = 0;
  std::atomic<std::uint64_t> turn_{0};
  double last_loss_ = not_measured;
  Clock::time_point step_began_ = began_;
  std::vector<double> window_seconds_, idle_seconds_;  // a window's three steps, three between windows
  struct Spent {
    int steps = 0;
    double seconds = 0;
  } spent_, idle_;  // on the window at hand, and on what is to be the next of idle_seconds_
  // What the hooks of a step between windows take, of which one in a few is timed.
  std::vector<double> hook_seconds_;
  double hook_seconds_now_ = 0;
  bool timing_hooks_ = false;
  std::int64_t loss_stride_ = 1, losses_seen_ = 0;
  std::atomic<std::int64_t> own_nanoseconds_{0};
};

}  // namespace ogee::monitor
