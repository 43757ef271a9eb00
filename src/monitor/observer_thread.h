// What the observer's files share: a call between its two callbacks, and what a thread knows of its tensors.
#pragma once

#include <ATen/record_function.h>
#include <torch/types.h>

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "monitor/observer.h"

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
ThreadState& thread_state();

inline bool is_parameter(const at::Tensor& t) { return t.dim() >= 2 && t.requires_grad() && t.is_leaf(); }

// Runs what Observer::when_first_used was given, the first time.
void call_at_first_use();

// What hooks on tensors call: never throws into the program. `observer`: its number.
void weight_hook(std::uint64_t observer, std::size_t weight, const at::Tensor& gradient);
void output_hook(std::uint64_t observer, const std::shared_ptr<Sighting>& sighting, const at::Tensor& gradient);

}  // namespace ogee::monitor
