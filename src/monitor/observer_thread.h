// What the observer's files share: a call between its two callbacks, and what a thread knows of its tensors.
#pragma once

#include <ATen/record_function.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "monitor/observer.h"

namespace ogee::monitor {

// An operator's call between its two callbacks.
struct CallContext : at::ObserverContext {
  // One is made for every operator: their memory is used again.
  static void* operator new(std::size_t size);
  static void operator delete(void* memory);

  const Operator* op = nullptr;
  Origin origin;
  bool follows = false;     // its results come from `origin`
  bool activation = false;  // counted in the thread's depth
  bool opaque = false;      // likewise
  bool hushed = false;      // LibTorch calls nobody for what runs within
  bool node = false;        // no operator's, but a whole node's of the backward graph
  std::shared_ptr<Sighting> sighting;
  std::optional<Recognised> seen;
  std::unique_ptr<NonFiniteTrace::Pending> trace;
};

// What is known of tensors by their addresses. It is emptied at every step, and asked several times an operator.
template <class T>
class AddressMap {
 public:
  using Key = const c10::TensorImpl*;
  // nullptr: nothing.
  T* find(Key key) {
    for (std::size_t i = place(key);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].turn != turn_) return nullptr;
      if (slots_[i].key == key) return &slots_[i].value;
    }
  }
  T& operator[](Key key) {
    if (2 * ++size_ > slots_.size()) grow();  // at most: an address may be there already
    for (std::size_t i = place(key);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].turn != turn_) slots_[i] = {turn_, key, T()};
      if (slots_[i].key == key) return slots_[i].value;
    }
  }
  void clear() {
    ++turn_;
    size_ = 0;
  }
  std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint64_t turn = 0;  // a slot of another turn is empty
    Key key = nullptr;
    T value{};
  };
  std::size_t place(Key key) const {
    return (std::bit_cast<std::uintptr_t>(key) * 0x9e3779b97f4a7c15U >> 32) & (slots_.size() - 1);
  }
  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    std::swap(old, slots_);
    size_ = 1;
    for (const Slot& slot : old) {
      if (slot.turn == turn_) (*this)[slot.key] = slot.value;
    }
  }
  std::vector<Slot> slots_ = std::vector<Slot>(256);
  std::uint64_t turn_ = 1;
  std::size_t size_ = 0;
};

// Operators by the address of their name, which most have for good; but a name may also be a string of that moment, and
// the next one lie in its place: so it is read, too. Of fixed size, as such names have no end.
class KnownOperators {
 public:
  // nullptr: not known.
  const Operator* find(const char* name) const {
    for (const Slot& slot : set(name)) {
      if (slot.name == name && slot.op->name == name) return slot.op;
    }
    return nullptr;
  }
  void add(const char* name, const Operator* op) {
    auto& slots = const_cast<Set&>(set(name));
    Slot* place = std::find_if(slots.begin(), slots.end(), [&](const Slot& s) { return s.name == name; });
    if (place == slots.end()) place = std::find_if(slots.begin(), slots.end(), [](const Slot& s) { return !s.name; });
    if (place == slots.end()) place = &slots[next_++ % slots.size()];
    *place = {name, op};
  }

 private:
  struct Slot {
    const char* name = nullptr;
    const Operator* op = nullptr;
  };
  using Set = std::array<Slot, 4>;
  const Set& set(const char* name) const {
    return sets_[(std::bit_cast<std::uintptr_t>(name) * 0x9e3779b97f4a7c15U >> 32) % sets_.size()];
  }
  std::vector<Set> sets_ = std::vector<Set>(512);
  std::size_t next_ = 0;
};

struct ThreadState {
  std::uint64_t observer = 0;
  std::uint64_t stretch = 0;
  std::int64_t step = -1;
  int activations = 0;  // nested
  int opaque = 0;
  int own = 0;             // inside the monitor itself, nested
  std::int64_t place = 0;  // activations without a weight, in this pass
  std::string node;        // whose backward runs
  AddressMap<Origin> origins;
  AddressMap<const c10::TensorImpl*> views_of_weights;
  KnownOperators operators;
  std::int64_t engine_step = -1;                       // the step in which nodes of a backward pass began to run here
  std::vector<float> slopes;                           // where gradients are computed
  std::vector<std::unique_ptr<std::byte[]>> contexts;  // memory for those of calls to come
};
ThreadState& thread_state();

// What the monitor does itself is not to be seen by itself, nor differentiated. (LibTorch's way of calling nobody costs
// thousands of instructions a time, as it makes the list of whom to call anew.)
class Own {
 public:
  Own() { ++thread_.own; }
  ~Own() { --thread_.own; }
  Own(const Own&) = delete;
  Own& operator=(const Own&) = delete;

 private:
  ThreadState& thread_ = thread_state();
  at::NoGradGuard no_grad_;
};

inline bool is_parameter(const at::Tensor& t) { return t.dim() >= 2 && t.requires_grad() && t.is_leaf(); }

// Runs what Observer::when_first_used was given, the first time.
void call_at_first_use();

// The operator behind a call, found once.
const Operator* operator_of(const at::RecordFunction& fn);

// What hooks on tensors call: never throws into the program. `observer`: its number.
void weight_hook(std::uint64_t observer, std::size_t weight, const at::Tensor& gradient);
void output_hook(std::uint64_t observer, const std::shared_ptr<Sighting>& sighting, const at::Tensor& gradient);

}  // namespace ogee::monitor
