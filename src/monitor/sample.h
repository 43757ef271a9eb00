// Taking a sample of a tensor, the same places of the tensors that belong together (a function's input, its output and
// the gradients of both).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "monitor/statistics.h"

namespace ogee::monitor {

// Which elements of a tensor seen as [rows][units][inner] are looked at.
struct Pick {
  std::int64_t unit_dim = -1;                                 // of the tensor, from the front
  std::int64_t rows = 0, units = 0, inner = 0;                // of the tensor
  std::int64_t row_step = 1, unit_step = 1, inner_start = 0;  // what is taken
  std::int64_t rows_taken = 0, units_taken = 0, inner_taken = 0;
  std::int64_t first_row = 0;
};

// About `most` elements (0: all), whole examples as far as they go; `turn` moves the choice on from window to window.
// The unit dimension is 1 for pictures ([batch, channels, height, width] and the like), else the last.
Pick pick(at::IntArrayRef sizes, bool channels_first, std::int64_t most, std::uint64_t turn);

// The sample; false if the tensor is of another shape than the pick's, or has no floating-point numbers.
bool take(const at::Tensor& tensor, const Pick& pick, Block& block);

// The same without copying, where the numbers lie as a View can say; else in `copy`. No data where `take` says false.
View look(const at::Tensor& tensor, const Pick& pick, Block& copy);

// A few hundred evenly spaced elements, in order; at most `most`.
std::vector<float> take_evenly(const at::Tensor& tensor, std::int64_t most);
void take_evenly(const at::Tensor& tensor, std::int64_t most, std::vector<float>& values);

}  // namespace ogee::monitor
