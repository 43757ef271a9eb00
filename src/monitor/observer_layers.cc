// Which layer a call belongs to, and what is seen of its input and output.
#include "ogee/libtorch.h"
#include "monitor/observer.h"
//
#include <fmt/format.h>

#include <algorithm>

#include "monitor/observer_thread.h"
#include "ogee/ogee.h"

namespace ogee::monitor {
namespace {

constexpr std::size_t most_layers = 1024, most_weights = 4096, most_losses = 512;

}  // namespace

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
        [observer = number_, number](const at::Tensor& gradient) { weight_hook(observer, number, gradient); });
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
    const auto* const view = w.defined() ? thread.views_of_weights.find(w.unsafeGetTensorImpl()) : nullptr;
    // Still the view that was seen: a later tensor may have its address.
    if (view != nullptr && w.is_view() && w._base().unsafeGetTensorImpl() == *view) {
      const std::lock_guard lock(mutex_);
      const auto known = weight_numbers_.find(*view);
      if (known != weight_numbers_.end()) return {static_cast<std::int64_t>(known->second), 0, op.channels_first};
    }
    // Without a graph nothing tells a weight from any other matrix, but that these operators take one there.
    const bool surely = op.name == "aten::linear" || op.channels_first;
    if (w.defined() && (is_parameter(w) || (surely && !grad_mode))) {
      call_at_first_use();
      return {weight_number(w, op), 0, op.channels_first};
    }
  }
  bool residual = false;
  std::int64_t first = -2;
  for (const c10::IValue& value : arguments) {
    visit_tensors(value, [&](const at::Tensor& t, std::uint32_t) {
      const Origin* const found = thread.origins.find(t.unsafeGetTensorImpl());
      if (found == nullptr || (found->weight < 0 && found->path == 0)) return;
      if (first == -2) {
        first = found->weight;
        origin = *found;
      } else if (found->weight != first && found->path == 0 && origin.path == 0) {
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
    sighting->layer = layer_for(call.origin, op, *seen, place);
    if (sighting->layer >= layers_.size()) return;
    LayerState& layer = layers_[sighting->layer];
    if (!layer.function()) layer.set_function(sighting->function);
    sighting->step = steps_ + 1;
    layer.input(sighting->z, sighting->pick.units, sighting->pick.unit_step, seen->z.numel(), most_for_quantiles());
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
    note(fmt::format("only the first {} layers are watched", most_layers));
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
  layer.weight = origin.weight;
  if (origin.weight >= 0) layer.record().fan_in = weights_[static_cast<std::size_t>(origin.weight)].fan_in();
  layer_keys_.emplace(key, layers_.size() - 1);
  return layers_.size() - 1;
}

void Observer::see_output(CallContext& call, const std::vector<c10::IValue>& outputs) {
  if (outputs.empty() || !outputs[0].isTensor() || !outputs[0].toTensor().defined()) return;
  const auto began = Clock::now();
  const at::Tensor& y = outputs[0].toTensor();
  Sighting& sighting = *call.sighting;
  Block copy;
  const View block = look(y, sighting.pick, copy);
  if (block.data == nullptr) return;
  std::vector<float> quiet;
  if (call.seen->training && sighting.function && sighting.function->facts.noisy && !sighting.function->facts.gated) {
    quiet.resize(block.count());
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
      output_hook(observer, sighting, gradient);
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
