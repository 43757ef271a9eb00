// Steps and windows: what the hooks on gradients tell, when a window opens and closes, and the record of it all.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "ogee/libtorch.h"
#include "monitor/observer.h"
#include "monitor/observer_thread.h"
//

#include "ogee/ogee.h"

namespace ogee::monitor {
namespace {

constexpr std::int64_t shortest_gap = 6, longest_gap = 500;
constexpr std::size_t times_kept = 15;
constexpr std::int64_t windows_until_sure = 16;
// What is slowed down by a window: its two steps and the one after, in which their last update is read.
constexpr int window_length = 3;
constexpr double least_extra = 0.04;  // of a step
constexpr std::int64_t steps_between_timings = 8;

void keep(std::vector<double>& values, double value) {
  if (values.size() == times_kept) values.erase(values.begin());
  values.push_back(value);
}

}  // namespace

void Observer::weight_gradient(std::size_t number, const at::Tensor& gradient) {
  // Between windows no operator is called here.
  std::optional<Own> own;
  if (trace_ || watching_.load(std::memory_order_relaxed)) own.emplace();
  std::optional<NonFinite> found;
  if (trace_) found = trace_->reached(gradient, steps_ + 1, "a gradient");
  const std::lock_guard lock(mutex_);
  Weight& weight = weights_[number];
  if (++weight.backward_passes > steps_) begin_step();
  const auto called = timing_hooks_ ? Clock::now() : Clock::time_point();
  ++hooks_now_;
  const auto arrived = [&weight] { return fmt::format("the gradient of {}", weight.name()); };
  if (found) {
    found->reached = arrived();
    add_non_finite(std::move(*found));
  }
  // Every step: a glance at the gradient, which costs nothing and dates the first number that is not finite.
  if (!trace_ && record_.non_finite.empty() && gradient.defined() && gradient.device().is_cpu() &&
      gradient.scalar_type() == at::kFloat && gradient.is_contiguous() && gradient.numel() > 0) {
    const float* g = gradient.data_ptr<float>();
    const std::int64_t last = gradient.numel() - 1;
    const float glance[] = {g[0], g[last / 3], g[last / 2], g[last]};
    if (!std::all_of(std::begin(glance), std::end(glance), [](float v) { return std::isfinite(v); })) {
      NonFinite seen;
      seen.step = steps_;
      seen.backward = true;
      seen.is_nan = std::any_of(std::begin(glance), std::end(glance), [](float v) { return std::isnan(v); });
      seen.layer = weight.name();
      seen.how = "operators were not traced; with trace_non_finite the monitor names the one at fault";
      seen.reached = arrived();
      add_non_finite(std::move(seen));
    }
  }
  const std::int64_t ahead = steps_ - window_;
  if (watching_ && (ahead == 0 || ahead == 1)) {
    const auto began = Clock::now();
    weight.gradient(gradient);
    own_nanoseconds_ += (Clock::now() - began).count();
  }
  if (hooks_now_ == hooks_before_) backward_ends();
  if (timing_hooks_) hook_seconds_now_ += std::chrono::duration<double>(Clock::now() - called).count();
}

void Observer::output_gradient(const std::shared_ptr<Sighting>& sighting, const at::Tensor& gradient) {
  const Own own;
  const auto began = Clock::now();
  Block copy;
  View dy = look(gradient, sighting->pick, copy), dz;
  if (dy.data == nullptr) return;
  if (sighting->function && !sighting->function->facts.gated) {
    if (!dy.dense()) {
      if (!take(gradient, sighting->pick, copy)) return;
      dy = copy;
    }
    std::vector<float>& slopes = thread_state().slopes;
    slopes.resize(dy.count());
    backward<float>(sighting->function->activation, sighting->z.all(), std::span<const float>(dy.data, dy.count()),
                    std::span<float>(slopes), {.mode = Mode::evaluation});
    dz = View(slopes.data(), dy.rows, dy.units, dy.inner, dy.width());
  }
  const std::lock_guard lock(mutex_);
  layers_[sighting->layer].gradient(dy, dz);
  // A program whose weights the monitor has not found has its steps counted by these hooks.
  const bool weightless = std::none_of(weights_.begin(), weights_.end(), [](const Weight& w) { return w.hook >= 0; });
  if (weightless && sighting->step > steps_) begin_step();
  own_nanoseconds_ += (Clock::now() - began).count();
}

// The first gradient of a backward pass has come.
void Observer::begin_step() {
  training_ = true;
  ++steps_;
  if (steps_ > 2 && hooks_now_ != hooks_before_) steady_ = false;
  hooks_before_ = hooks_now_;
  hooks_now_ = 0;
  in_backward_ = hooks_before_ > 1 && steady_;
  // Short trainings on several threads can go by while one of them is here.
  const bool shut = in_backward_ && windows_opened_ > windows_until_sure;
  const auto now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - step_began_).count();
  step_began_ = now;
  const std::int64_t ahead = steps_ - window_;
  if (watching_) {
    if (ahead == 0 || ahead == 1) {
      ++record_.observed_steps;
      spent_ = ahead == 0 ? Spent{1, seconds} : Spent{spent_.steps + 1, spent_.seconds + seconds};
      for (Weight& weight : weights_) {
        if (weight.hook >= 0) weight.read();
      }
      judge_hearing(ahead == 0);
    } else if (ahead >= 2) {
      // Gradients are seen until the step after.
      if (ahead == 2) spent_ = {spent_.steps + 1, spent_.seconds + seconds};
      if (hearing_ && told_ == 0) hearing_next_ = false;  // nobody has called to close it: it was not heard
      close_window();
    }
  } else if (steps_ > 3) {
    idle_ = {idle_.steps + 1, idle_.seconds + seconds};
    if (idle_.steps == window_length) keep(idle_seconds_, std::exchange(idle_, Spent{}).seconds);
    if (timing_hooks_) keep(hook_seconds_, hook_seconds_now_);
  }
  shown_ = apart_ = told_ = 0;
  timing_hooks_ = !watching_ && options_.every() == 0 && steps_ % steps_between_timings == 0;
  hook_seconds_now_ = 0;
  if (!watching_ && steps_ + 1 >= next_window_) {
    open_window();
    if (options_.this_thread()) attend(Ear::operators);
  }
  // Gradients come by hooks. Should the pass end without the last of them, the ear for the next step is wanted at once.
  if (!options_.this_thread() && phased_)
    attend(shut ? Ear::nothing : ear_for_next_step());
  else if (!options_.this_thread())
    attend(watching_ ? Ear::operators : Ear::nothing);
}

void Observer::open_window(bool at_once) {
  for (Weight& weight : weights_) weight.begin(at_once);
  window_ = steps_ + 1;
  idle_ = {};
  timing_hooks_ = false;
  watching_ = true;
  listen(true);
  ++windows_opened_;
  hearing_ = hearing_next_.load();
}

void Observer::close_window() {
  const auto began = Clock::now();
  watching_ = false;
  listen(false);
  if (steps_ <= 3) phased_ = !trace_ && !options_.this_thread() && training_ && !recomputes_ && !several_;
  std::vector<WeightNumbers> numbers(weights_.size());
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (weights_[i].hook >= 0) weights_[i].read();
    numbers[i] = weights_[i].close();
  }
  const std::int64_t step = training_ ? window_ + 1 : (++record_.observed_steps);
  std::vector<show::LayerWindow> seen;
  for (LayerState& layer : layers_) {
    if (layer.close(step, layer.weight < 0 ? WeightNumbers() : numbers[static_cast<std::size_t>(layer.weight)])) {
      seen.push_back({&layer.record(), &layer.record().history.back()});
    }
  }
  ++turn_;
  if (learning_rate_) record_.learning_rate = learning_rate_();
  if (output_->wanted() && !seen.empty()) output_->window(step, last_loss_, seen);
  if (options_.every() > 1) {
    next_window_ = window_ + options_.every();
  } else if (options_.every() == 0) {
    // A window costs `extra`, from its first forward pass to here: as many steps apart as make that the budget's share,
    // less what the hooks take in every step. The first window, whose calls are all first ones, does not count.
    if (window_ > 1 && spent_.steps > 0) {
      const double closing = std::chrono::duration<double>(Clock::now() - began).count();
      keep(window_seconds_, spent_.seconds * window_length / static_cast<double>(spent_.steps) + closing);
    }
    std::int64_t gap = shortest_gap;
    if (idle_seconds_.size() >= 3 && !window_seconds_.empty()) {
      // Beside as many steps at a time: where some take longer than others, three in a row are not three times a
      // median.
      const double idle = median(idle_seconds_), one = std::max(idle / window_length, 1e-9);
      const double extra = std::max((median(window_seconds_) - idle) / one, least_extra);
      const double hooks = hook_seconds_.empty() ? 0 : median(hook_seconds_) / one;
      gap = static_cast<std::int64_t>(std::ceil(extra / std::max(options_.budget() - hooks, 0.5 * options_.budget())));
    }
    next_window_ = window_ + 2 + std::clamp(gap, shortest_gap, longest_gap);
  }
  own_nanoseconds_ += (Clock::now() - began).count();
}

void Observer::name(const at::Tensor& parameter, const std::string& name) {
  const std::lock_guard lock(mutex_);
  const c10::TensorImpl* key = parameter.unsafeGetTensorImpl();
  given_names_[key] = name;
  const auto known = weight_numbers_.find(key);
  if (known == weight_numbers_.end()) return;
  const std::string stem = without_weight(weights_[known->second].name());
  weights_[known->second].rename(name);
  for (LayerState& layer : layers_) {
    Layer& seen = layer.record();
    if (layer.weight != static_cast<std::int64_t>(known->second)) continue;
    seen.weight = name;
    if (seen.name.starts_with(stem)) seen.name.replace(0, stem.size(), without_weight(name));
  }
}

void Observer::add_non_finite(NonFinite found) {
  constexpr std::size_t most = 8;
  if (record_.non_finite.size() < most) record_.non_finite.push_back(std::move(found));
}

void Observer::finish(const Record& record, const std::vector<Finding>& findings) {
  const std::lock_guard lock(mutex_);  // a window may be closing
  switch_to(Ear::nothing);
  output_->finish(record, findings);
}

Record Observer::record() const {
  const std::lock_guard lock(mutex_);
  Record result = record_;
  result.steps = steps_;
  result.seconds = std::chrono::duration<double>(Clock::now() - began_).count();
  result.own_seconds = 1e-9 * static_cast<double>(own_nanoseconds_.load());
  for (const LayerState& layer : layers_) result.layers.push_back(layer.record());
  std::erase_if(result.layers, [](const Layer& layer) { return layer.windows == 0; });
  return result;
}

}  // namespace ogee::monitor
