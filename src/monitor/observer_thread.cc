#include "monitor/observer_thread.h"
//
#include <ATen/core/dispatch/Dispatcher.h>

#include <map>
#include <mutex>

#include "ogee/libtorch.h"

namespace ogee::monitor {

ThreadState& thread_state() {
  thread_local ThreadState state;
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

}  // namespace ogee::monitor
