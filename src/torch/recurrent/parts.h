// What the fused forms of recurrent layers and of attention share: activations made ready, and rows of a batch as
// pieces of work.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "kernels/recurrent/step.h"
#include "torch/call.h"

namespace ogee::torch_call::recurrent {

// Activations with one value a unit for each learned parameter; `units` of each activation. learned: of all of them,
// in order, each undefined, one element or a row; or empty.
template <class T>
std::vector<kernels::recurrent::Gate<T>> gates_of(const std::vector<Activation>& activations,
                                                  const std::vector<at::Tensor>& learned,
                                                  const std::vector<std::int64_t>& units) {
  std::vector<kernels::recurrent::Gate<T>> gates;
  std::size_t next = 0;
  for (std::size_t slot = 0; slot < activations.size(); ++slot) {
    const Activation& activation = activations[slot];
    std::vector<std::vector<double>> its;
    for (std::size_t k = 0; k < activation.spec().parameters.size(); ++k) {
      if (activation.spec().parameters[k].role != Role::learned) continue;
      std::vector<double> values(static_cast<std::size_t>(units[slot]), activation.parameters()[k]);
      if (next < learned.size() && learned[next].defined()) {
        const at::Tensor& given = learned[next];  // of T, one element or a row with any stride
        const T* const p = static_cast<const T*>(given.data_ptr());
        const std::int64_t stride = given.numel() == 1 ? 0 : given.stride(0);
        for (std::int64_t j = 0; j < units[slot]; ++j) values[static_cast<std::size_t>(j)] = p[j * stride];
      }
      ++next;
      its.push_back(std::move(values));
    }
    gates.emplace_back(activation, std::move(its));
  }
  return gates;
}

// Rows of the batch as pieces of work, cut by the shapes alone, so that sums over them are the same on any number of
// threads.
class Slices {
 public:
  Slices(std::int64_t batch, std::int64_t units) : batch_(static_cast<std::size_t>(batch)) {
    constexpr std::int64_t least = 2048, most = 16;
    rows_ = static_cast<std::size_t>(
        std::max({std::int64_t{1}, least / std::max<std::int64_t>(units, 1), (batch + most - 1) / most}));
    count_ = (batch_ + rows_ - 1) / rows_;
    parallel_ = count_ > 1 && at::get_num_threads() > 1 && !at::in_parallel_region();
  }
  std::size_t count() const { return count_; }
  template <class F>
  void run(F f) const {  // f(slice, first row, last row)
    const auto task = [&](std::size_t i) { f(i, i * rows_, std::min(batch_, (i + 1) * rows_)); };
    if (parallel_) return on_torch_threads()(count_, task);
    for (std::size_t i = 0; i < count_; ++i) task(i);
  }

 private:
  std::size_t batch_, rows_, count_;
  bool parallel_;
};

template <class T>
const T* data_of(const at::Tensor& t) {
  return t.defined() ? static_cast<const T*>(t.data_ptr()) : nullptr;
}

}  // namespace ogee::torch_call::recurrent
