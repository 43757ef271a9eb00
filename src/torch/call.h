// One application of a function to tensors: what was asked (Request), where its elements lie (Plan), and the two ways
// to compute it, by the core's kernels on the CPU and composed from LibTorch's operators anywhere.
#pragma once

#include <ATen/core/ivalue.h>  // first: in C++20 Clang needs it whole before LibTorch 1.13's lists
//
#include <ATen/ATen.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "ogee/ogee.h"

namespace ogee::torch_call {

struct Composed;  // a definition over tensors, see compose.cc

// What is known of a function before any call.
struct Entry {
  const Function* function;
  const Spec* spec;
  const Composed* composed;
};
const Entry& entry_of(const Function& function);
const Entry& entry_named(std::string_view name);  // canonical names; throws

// The arguments that forward, backward and second have in common. References: it lives as long as one call.
struct Request {
  const Entry& entry;
  const at::Tensor& a;                 // the only input, the first one, or both packed
  const c10::optional<at::Tensor>& b;  // the second one
  at::TensorList parameters;           // those parameters that were given as tensors,
  at::IntArrayRef slots;               // and which ones they are
  at::ArrayRef<double> values;         // of every parameter; the tensors take precedence
  std::int64_t channel_dim;
  Layout layout;
  std::int64_t gate_dim;
  bool training;
  const c10::optional<at::Tensor>& key;  // two int64: the stream of noise; only in training of noisy functions
  // The order in which noise numbers the elements: dimensions, outermost first; empty: as they come. It is settled in
  // forward, because a tensor saved for backward may come back with other strides.
  at::IntArrayRef order;
  bool composed;  // never the kernels

  const Spec& spec() const { return *entry.spec; }
  bool packed() const { return layout != Layout::two; }
  bool draws_noise() const { return training && spec().noise != Noise::none; }
  // "ogee::gelu: ", the beginning of every error.
  std::string prefix() const { return "ogee::" + std::string(spec().name) + ": "; }
};

// Shapes, checked, and the order of the walk over memory.
struct Plan {
  explicit Plan(const Request& request);

  at::DimVector sizes;                    // of the result
  at::DimVector order;                    // dimensions from the outermost in memory to the innermost
  std::int64_t gate_dim = 0, half = 0;    // packed inputs only
  std::int64_t channels = 1, inner = 1;   // inner: elements between one channel and the next, in the order of the walk
  bool per_channel[max_parameters] = {};  // by position in Request::parameters
  std::int64_t numel = 1;

  // A dense tensor in the order of the walk, like `a` or like the result.
  at::Tensor empty_result(const Request& request) const;
  at::Tensor empty_input(const Request& request) const;
  // Halves of a packed tensor; the tensor itself and the other one where there are two.
  std::array<at::Tensor, 2> inputs(const Request& request, const at::Tensor& a,
                                   const c10::optional<at::Tensor>& b) const;
};
// Whether there are kernels for it.
inline bool is_float(at::ScalarType type) {
  return type == at::kFloat || type == at::kDouble || type == at::kBFloat16 || type == at::kHalf;
}
// Dimensions sorted by stride, outermost first; empty where that is the order they are in.
at::DimVector order_of(const at::Tensor& tensor);

// A bit for each of a Request's parameter tensors: those whose gradients are wanted.
using Wanted = std::int64_t;
constexpr bool wants(Wanted wanted, std::size_t i) { return ((wanted >> i) & 1) != 0; }
constexpr Wanted all_wanted = (Wanted{1} << max_parameters) - 1;

// backward returns the gradient of a, of b where there are two tensors, and of each tensor in `parameters` that is
// wanted. second returns the gradient of dy, and then the same for all of them; dda, ddb and ddp (with slots) are the
// gradients flowing into backward's results, undefined ones counting as zeros.
struct Second {
  const at::Tensor& dy;
  const c10::optional<at::Tensor>&dda, &ddb;
  at::TensorList ddp;
  at::IntArrayRef ddp_slots;
};

at::Tensor kernel_forward(const Request& request);
// Functions of one input, into its memory.
void kernel_forward_in_place(const Request& request);
std::vector<at::Tensor> kernel_backward(const at::Tensor& dy, const Request& request, Wanted wanted);
// The same for packed inputs, writing their gradient where they are.
std::vector<at::Tensor> kernel_backward_in_place(const at::Tensor& dy, const Request& request, Wanted wanted);
std::vector<at::Tensor> kernel_second(const Second& directions, const Request& request);

at::Tensor composed_forward(const Request& request);
std::vector<at::Tensor> composed_backward(const at::Tensor& dy, const Request& request, Wanted wanted);
std::vector<at::Tensor> composed_second(const Second& directions, const Request& request);

at::Tensor meta_forward(const Request& request);
std::vector<at::Tensor> meta_backward(const at::Tensor& dy, const Request& request, Wanted wanted);
std::vector<at::Tensor> meta_second(const Second& directions, const Request& request);

const Composed* composed_named(std::string_view name);
NoiseKey read_key(const Request& request);
// The core's pieces of work on LibTorch's threads.
const Parallel& on_torch_threads();

}  // namespace ogee::torch_call
