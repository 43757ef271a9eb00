// What autograd keeps: bytes that a graph holds, by LibTorch's own reports of every allocation and release.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "ogee/torch.h"

namespace ogee::bench {

// Bytes that LibTorch's CPU allocator holds for this thread since the guard was made, and the most it ever held. What
// is freed counts wherever it was allocated, so nothing older may be freed meanwhile.
class Bytes : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t size, std::int64_t, std::int64_t, c10::Device) { add(size); }
  void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) { add(size); }
  bool memoryProfilingEnabled() const override { return true; }
  void add(std::int64_t size) {
    held += size;
    peak = std::max(peak, held);
  }
  std::int64_t held = 0, peak = 0;
};
class BytesGuard {
 public:
  BytesGuard() : bytes_(std::make_shared<Bytes>()), guard_(c10::DebugInfoKind::PROFILER_STATE, bytes_) {}
  std::int64_t held() const { return bytes_->held; }
  std::int64_t peak() const { return bytes_->peak; }

 private:
  std::shared_ptr<Bytes> bytes_;
  c10::DebugInfoGuard guard_;
};

// In bytes: `graph` is what stays when only the graph is left (the inputs and the result, where something saved them,
// included); `extra` is what is held beside inputs and result as long as those live anyway.
struct Kept {
  std::int64_t graph = 0, extra = 0;
};

using Forward = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

// Of f, whose inputs are computed from leaves by something that saves nothing itself.
inline Kept kept_by(const Forward& f, const std::vector<at::Tensor>& leaves) {
  Kept kept;
  f(leaves);  // whatever is made once
  const BytesGuard bytes;
  std::vector<at::Tensor> inputs;
  for (const at::Tensor& leaf : leaves) inputs.push_back(leaf.add(0));
  at::Tensor y = f(inputs);
  std::int64_t alive = static_cast<std::int64_t>(y.numel() * y.element_size());
  for (const at::Tensor& x : inputs) alive += static_cast<std::int64_t>(x.numel() * x.element_size());
  kept.extra = bytes.held() - alive;
  const auto graph = y.grad_fn();
  y.reset();
  inputs.clear();
  kept.graph = bytes.held();
  return kept;
}

}  // namespace ogee::bench
