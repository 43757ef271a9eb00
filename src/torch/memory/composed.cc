// The memory's step of LibTorch's operators: on any device, differentiable as often as they are, and a second opinion
// on the kernels.
#include "kernels/memory/step.h"
#include "torch/memory/step.h"

namespace ogee::torch_call::memory {

MemoryState composed(const MemoryShape& shape, const at::Tensor& interface, const at::Tensor& memory,
                     const at::Tensor& weights) {
  const std::int64_t width = shape.width;
  std::vector<at::Tensor> looks, erased, added;
  const at::Tensor norms = memory.square().sum(1).add(kernels::memory::epsilon);  // [batch, locations]
  std::int64_t at = 0;
  const auto take = [&](std::int64_t count) {
    at += count;
    return interface.narrow(1, at - count, count);
  };
  for (std::int64_t h = 0; h < shape.heads(); ++h) {
    const at::Tensor key = take(width).tanh(), strength = at::softplus(take(1)), gate = take(1).sigmoid(),
                     shift = at::softmax(take(3), 1), sharpness = at::softplus(take(1)).add(1);
    const at::Tensor key_norm = key.square().sum(1, true).add(kernels::memory::epsilon);
    const at::Tensor similarity = at::bmm(key.unsqueeze(1), memory).squeeze(1).mul(norms.mul(key_norm).rsqrt());
    const at::Tensor content = at::softmax(similarity.mul(strength), 1);
    const at::Tensor mixed = gate.mul(content).add(at::rsub(gate, 1).mul(weights.select(1, h)));
    at::Tensor moved = mixed.mul(shift.narrow(1, 1, 1));
    moved = moved.add(mixed.roll(-1, 1).mul(shift.narrow(1, 0, 1)));
    moved = moved.add(mixed.roll(1, 1).mul(shift.narrow(1, 2, 1)));
    // The softmax of the logarithm of the power, which no power underflows.
    const double least = moved.scalar_type() == at::kDouble ? 2.2250738585072014e-308 : 1.1754943508222875e-38;
    looks.push_back(at::softmax(moved.clamp_min(least).log().mul(sharpness), 1));
    if (h < shape.reads) continue;
    erased.push_back(take(width).sigmoid());
    added.push_back(take(width).tanh());
  }
  const at::Tensor now = at::stack(looks, 1);
  MemoryState after;
  after.weights = now;
  after.reads = at::bmm(now.narrow(1, 0, shape.reads), memory.transpose(1, 2));
  at::Tensor written = memory, sum;
  for (std::size_t j = 0; j < erased.size(); ++j) {
    const at::Tensor w = now.narrow(1, shape.reads + static_cast<std::int64_t>(j), 1);  // [batch, 1, locations]
    written = written.mul(at::rsub(erased[j].unsqueeze(2).mul(w), 1));
    const at::Tensor what = added[j].unsqueeze(2).mul(w);
    sum = sum.defined() ? sum.add(what) : what;
  }
  after.memory = written.add(sum);
  return after;
}

}  // namespace ogee::torch_call::memory
