#include "monitor/observer_thread.h"
//
#include <ATen/core/dispatch/Dispatcher.h>

#include <map>
#include <mutex>

#include "ogee/libtorch.h"

namespace ogee::monitor {

namespace {

// Asked for several times an operator: an address that needs no call to find it.
[[gnu::tls_model("initial-exec")]] thread_local ThreadState* state_here = nullptr;

}  // namespace

ThreadState& thread_state() {
  if (state_here != nullptr) return *state_here;
  thread_local ThreadState state;
  state_here = &state;
  return state;
}

void* CallContext::operator new(std::size_t size) {
  auto& kept = thread_state().contexts;
  if (kept.empty()) return new std::byte[size];
  void* const memory = kept.back().release();
  kept.pop_back();
  return memory;
}
void CallContext::operator delete(void* memory) {
  auto& kept = thread_state().contexts;
  std::unique_ptr<std::byte[]> bytes(static_cast<std::byte*>(memory));
  if (kept.size() < 16) kept.push_back(std::move(bytes));
}

const Operator* operator_of(const at::RecordFunction& fn) {
  KnownOperators& known = thread_state().operators;
  if (const Operator* found = known.find(fn.name())) return found;
  constexpr std::size_t most = 16384;
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
  if (all.size() >= most && !all.contains(key)) {  // names made up as the program goes
    static const Operator other;
    return &other;
  }
  auto& op = all[key];
  if (!op) {
    op = std::make_unique<Operator>(operator_named(fn.name(), arguments));
    op->results = results;
  }
  known.add(fn.name(), op.get());
  return op.get();
}

}  // namespace ogee::monitor
