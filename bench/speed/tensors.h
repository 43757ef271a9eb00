// A case's arrays as LibTorch's tensors.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "ogee/libtorch.h"
#include "bench/speed/case.h"

namespace ogee::bench {

inline at::ScalarType scalar_type(Type type) {
  switch (type) {
    case Type::float32: return at::kFloat;
    case Type::float64: return at::kDouble;
    case Type::bfloat16: return at::kBFloat16;
    case Type::float16: return at::kHalf;
  }
  return at::kFloat;
}

inline at::Tensor tensor_of(const Case& c, const void* data) {
  return at::from_blob(const_cast<void*>(data), {static_cast<std::int64_t>(c.elements)},
                       at::TensorOptions().dtype(scalar_type(c.type)));
}

inline void copy_to(const Case& c, const at::Tensor& from, void* to) {
  const at::Tensor dense = from.detach().contiguous();
  std::memcpy(to, dense.data_ptr(), c.elements * bytes_of(c.type));
}

// Forward recorded by autograd, then backward with the case's dy. `forward` gets the inputs, then a tensor of one
// element for each learned parameter (undefined for the others); all of them require gradients.
using RecordedForward =
    std::function<at::Tensor(const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& parameters)>;
struct Leaves {
  std::vector<at::Tensor> inputs, parameters, all;
};
Leaves leaves_of(const Case& c);
Work training_work(const Case& c, RecordedForward forward);
// Backward alone: what forward recorded once is run backward again and again.
Work recorded_backward_work(const Case& c, const RecordedForward& forward);

}  // namespace ogee::bench
