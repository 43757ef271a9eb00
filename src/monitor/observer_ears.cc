// What the observer listens with: callbacks for operators, for their names, or nodes that tell of themselves.
#include <algorithm>

#include "ogee/libtorch.h"
#include "monitor/observer.h"
#include "monitor/observer_thread.h"
//
#include "ogee/ogee.h"

namespace ogee::monitor {
namespace {

// Nodes tell of their own activations alone: every so-manieth window shows whether there are others.
constexpr std::int64_t windows_between_looks = 64;
constexpr std::int64_t most_mishearings = 3;

}  // namespace

void Observer::attend(Ear ear) {
  wanted_ = ear;
  // Autograd's engine gives the thread its callbacks back after a backward pass as they were before, and it is in
  // backward passes that the monitor learns of steps: see between_steps.
  if (!options_.this_thread()) switch_to(ear);
}

void Observer::between_steps() {
  const std::lock_guard lock(mutex_);
  switch_to(wanted_);
}

void Observer::switch_to(Ear ear) {
  if (ear == ear_ || trace_) return;
  const Ear before = ear_;
  ear_ = ear;
  if (before == Ear::operators) at::disableCallback(handle_);
  if (before == Ear::names) at::disableCallback(names_handle_);
  if (ear == Ear::operators) {
    ++stretch_;
    at::reenableCallback(handle_);
  }
  if (ear == Ear::names) at::reenableCallback(names_handle_);
}

Ear Observer::ear_for_next_step() const {
  const std::int64_t ahead = steps_ + 1 - window_;
  if (!watching_ || (ahead >= 2 && options_.every() != 1)) return Ear::nothing;
  if (ahead >= 2 ? hearing_next_ : hearing_) return Ear::nothing;
  return phased_ ? Ear::names : Ear::operators;
}

// All hooks have been. What is left of a window, its last update, the weights themselves tell later.
void Observer::backward_ends() {
  in_backward_ = false;
  if (phased_) {
    attend(ear_for_next_step());
  } else if (watching_ && steps_ - window_ == 1 && options_.every() != 1) {
    attend(Ear::nothing);
  }
}

// A forward pass runs here. Several threads' passes are not told apart, and what runs forward in a backward pass would
// not be seen with an ear shut: then all that runs in windows is listened to.
void Observer::forward_on_thread() {
  const ThreadState* const here = &thread_state();
  const ThreadState* first = forward_thread_.load(std::memory_order_relaxed);
  if (first == nullptr && forward_thread_.compare_exchange_strong(first, here)) first = here;
  const bool other = first != here, within = in_backward_.load(std::memory_order_relaxed);
  if (!other && !within) return;
  if (other ? several_.exchange(true) : recomputes_.exchange(true)) return;
  const std::lock_guard lock(mutex_);
  phased_ = false;
  hearing_ = false;
  hearing_next_ = false;
  if (watching_) attend(Ear::operators);
}

// A backward pass begins: hooks tell of it. Some windows go on listening, to learn of a program that goes on forward.
void Observer::engine_runs(ThreadState& thread) {
  if (trace_ || !watching_.load(std::memory_order_relaxed)) return;
  const std::int64_t step = steps_.load(std::memory_order_relaxed);
  if (thread.engine_step == step) return;
  thread.engine_step = step;
  if (!phased_ || resumes_ || options_.this_thread()) return;
  const std::lock_guard lock(mutex_);
  if (phased_ && windows_opened_ % windows_between_looks != 0) attend(Ear::nothing);
}

// Between two steps: the next one begins.
void Observer::name_heard(const at::RecordFunction& fn) {
  const Operator* op = operator_of(fn);
  if (op->tidying || !measuring(true)) return;
  forward_on_thread();
  const std::lock_guard lock(mutex_);
  if (hearing_) return;
  attend(Ear::operators);
  // Too late for this one, where no operators within show its tensors.
  if ((op->weight >= 0 || op->kind == Kind::activation) && !op->composite) phased_ = false;
}

// Whether in this step's forward pass all activations told of themselves, or would have.
bool Observer::told_of_all() const {
  if (hearing_) return told_ == tellers_ && shown_ == 0;
  return phased_ && shown_ > 0 && shown_ == apart_;
}

void Observer::judge_hearing(bool first) {
  const bool all = told_of_all();
  if (hearing_ && !all) ++mishearings_;
  const bool same = first || (hearing_next_ && (hearing_ || tellers_ == shown_));
  if (!hearing_) tellers_ = shown_;
  hearing_next_ =
      all && same && mishearings_ < most_mishearings && (first || (windows_opened_ + 1) % windows_between_looks != 0);
}

Teller* Observer::teller_for(const torch_call::LinearHeard& heard) {
  const torch_call::Request& r = heard.request;
  const c10::TensorImpl* const key = heard.weight.unsafeGetTensorImpl();
  const auto weight = weight_numbers_.find(key);
  if (weight == weight_numbers_.end() || !weights_[weight->second].alive()) return nullptr;
  Teller& teller = by_weight_[key];
  if (teller.weight == weight->second && teller.function == r.entry.function &&
      std::equal(r.values.begin(), r.values.end(), teller.values.begin(), teller.values.end())) {
    return &teller;
  }
  Activation activation(*r.entry.function);
  const Spec& spec = r.spec();
  for (std::size_t k = 0; k < spec.parameters.size() && k < r.values.size(); ++k) {
    try {
      activation.set(spec.parameters[k].name, r.values[k]);
    } catch (const Error&) {
    }
  }
  static const Operator own = operator_named("ogee::_forward", 0);
  Recognised seen;
  seen.text = activation.text();
  const std::size_t layer = layer_for({static_cast<std::int64_t>(weight->second), 0, false}, own, seen, 0);
  if (layer >= layers_.size()) return nullptr;
  teller = {layer, weight->second, r.entry.function, r.values.vec(), function_named(seen.text), nullptr};
  return &teller;
}

std::shared_ptr<Sighting> Observer::applied(const torch_call::LinearHeard& heard) {
  if (!measuring(true) || !hearing_) return nullptr;
  forward_on_thread();
  const auto began = Clock::now();
  const Own own;
  const torch_call::Request& r = heard.request;
  const at::Tensor& z = r.a;
  const std::lock_guard lock(mutex_);
  Teller* const teller = teller_for(heard);
  if (teller == nullptr) return nullptr;
  std::shared_ptr<Sighting>& sighting = teller->sighting;
  if (sighting == nullptr || sighting.use_count() != 1) sighting = std::make_shared<Sighting>();
  sighting->layer = teller->layer;
  sighting->observer = number_;
  sighting->pick = pick(z.sizes(), z.dim() >= 4, options_.sample(), turn_);
  Block copy_of_z, copy_of_y;
  const View seen_z = look(z, sighting->pick, copy_of_z), seen_y = look(heard.y, sighting->pick, copy_of_y);
  if (seen_z.data == nullptr || seen_y.data == nullptr) return nullptr;
  LayerState& layer = layers_[teller->layer];
  if (!layer.function()) layer.set_function(teller->facts);
  layer.input(seen_z, sighting->pick.units, sighting->pick.unit_step, z.numel(), most_for_quantiles());
  for (std::size_t i = 0; i < r.slots.size() && i < r.parameters.size(); ++i) {
    if (r.slots[i] < 0) continue;
    const std::size_t which = static_cast<std::size_t>(r.slots[i]), count = r.spec().parameters.size();
    if (which < count) layer.parameters(which, count, take_evenly(r.parameters[i], 4096));
  }
  std::vector<float> quiet;
  if (r.draws_noise() && teller->facts && take(z, sighting->pick, copy_of_z)) {
    quiet.resize(copy_of_z.all().size());
    forward<float>(teller->facts->activation, copy_of_z.all(), std::span<float>(quiet), {.mode = Mode::evaluation});
  }
  layer.output(seen_y, quiet);
  // Behind the last one comes the loss, of which no node tells.
  if (++told_ == tellers_) attend(Ear::operators);
  own_nanoseconds_ += (Clock::now() - began).count();
  return sighting;
}

void Observer::gradients(const Sighting& sighting, const at::Tensor& dy, const at::Tensor& dz) {
  const auto began = Clock::now();
  const Own own;
  Block copy_of_dy, copy_of_dz;
  const View seen_dy = look(dy, sighting.pick, copy_of_dy), seen_dz = look(dz, sighting.pick, copy_of_dz);
  if (seen_dy.data == nullptr) return;
  const std::lock_guard lock(mutex_);
  layers_[sighting.layer].gradient(seen_dy, seen_dz);
  own_nanoseconds_ += (Clock::now() - began).count();
}

}  // namespace ogee::monitor
