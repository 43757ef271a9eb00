// Several tensors as rows of evenly spaced elements, which is how the core's kernels see them.
#pragma once

#include <array>

#include "torch/call.h"

namespace ogee::torch_call {

// Strides of a tensor without gaps, its dimensions in this order from the outermost.
at::DimVector dense_strides(at::IntArrayRef sizes, at::IntArrayRef order);
bool is_dense_in(const at::Tensor& tensor, at::IntArrayRef order);
at::Tensor made_dense(const at::Tensor& tensor, at::IntArrayRef order);

// Several tensors of one shape as rows of evenly spaced elements: dimensions are merged wherever all of them allow it.
class Walk {
 public:
  Walk(const Request& request, const Plan& plan) : request_(request), plan_(plan) {}

  // A tensor with the shape of the result.
  std::size_t add(const at::Tensor& t) { return add(t.data_ptr(), t.strides(), 0, 1); }

  // A dense tensor with the shape of the result that is not there yet.
  void add_dense() { add(nullptr, dense_strides(plan_.sizes, plan_.order), 0, 1); }

  // A tensor with the shape of `a`: one operand, or the two that are packed in it.
  void add_input(const at::Tensor& t, std::size_t first[2]) {
    if (!request_.packed()) {
      first[0] = add(t);
      return;
    }
    const std::int64_t stride = t.stride(plan_.gate_dim);
    const bool interleaved = request_.layout == Layout::interleaved;
    const std::int64_t apart = interleaved ? stride : plan_.half * stride;
    const bool last = request_.layout == Layout::gate_last;
    const std::int64_t size = t.element_size();
    first[0] = add(t.data_ptr(), t.strides(), last ? apart * size : 0, interleaved ? 2 : 1);
    first[1] = add(t.data_ptr(), t.strides(), last ? 0 : apart * size, interleaved ? 2 : 1);
  }

  // Whether two dimensions are enough.
  bool collapse() {
    dims_ = 0;
    for (const std::int64_t d : plan_.order) {
      const std::int64_t size = plan_.sizes[d];
      if (size == 1) continue;
      bool merges = dims_ > 0;
      for (std::size_t k = 0; merges && k < count_; ++k) {
        merges = operands_[k].collapsed[dims_ - 1] == operands_[k].strides[d] * size;
      }
      if (!merges) {
        if (dims_ == 2) return false;
        size_[dims_++] = 1;
      }
      size_[dims_ - 1] *= size;
      for (std::size_t k = 0; k < count_; ++k) operands_[k].collapsed[dims_ - 1] = operands_[k].strides[d];
    }
    return true;
  }

  std::size_t rows() const { return dims_ == 2 ? static_cast<std::size_t>(size_[0]) : 1; }
  std::size_t length() const { return dims_ == 0 ? 1 : static_cast<std::size_t>(size_[dims_ - 1]); }

  template <class Pointer>
  Strided<Pointer> operand(std::size_t k) const {
    const Operand& o = operands_[k];
    const std::int64_t step = dims_ == 0 ? 1 : o.collapsed[dims_ - 1];
    const std::int64_t row = dims_ == 2 ? o.collapsed[0] : step * static_cast<std::int64_t>(length());
    return {static_cast<Pointer>(o.data), row, step};
  }

 private:
  struct Operand {
    void* data;
    at::DimVector strides;
    std::int64_t collapsed[2];
  };

  std::size_t add(void* data, at::IntArrayRef strides, std::int64_t offset, std::int64_t gate_factor) {
    Operand& o = operands_[count_];
    o.data = static_cast<char*>(data) + offset;
    o.strides.assign(strides.begin(), strides.end());
    if (gate_factor != 1) o.strides[plan_.gate_dim] *= gate_factor;
    return count_++;
  }

  const Request& request_;
  const Plan& plan_;
  std::array<Operand, 9> operands_;
  std::size_t count_ = 0;
  std::size_t dims_ = 0;
  std::int64_t size_[2] = {1, 1};
};

// What a call reads; each may be replaced by a dense copy.
struct Sources {
  at::Tensor a, b, dy, dda, ddb;
};

// Copies as few of them as possible, so that all of them can be walked together with dense results.
void make_walkable(const Request& request, const Plan& plan, Sources& sources);

}  // namespace ogee::torch_call
