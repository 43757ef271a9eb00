// The contract between the public functions of ogee/sparse.h, which check sizes and share out the work, and the SIMD
// kernels, which do one piece of it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ogee::kernels::sparse {

// Outputs [first, last), columns [from, to) of: y[o] = bias + the sum over pairs p of o of values[p]*weights[index[p]].
// A is the arithmetic's type. bfloat16 is uint16_t here.
template <class W, class A, class Out>
struct Sum {
  const std::size_t* begin;  // the pairs of output o: [begin[o], begin[o + 1])
  const std::uint32_t* index;
  const A* values;
  const W* weights;
  std::size_t rows;   // of weights
  std::size_t width;  // of a row of weights and of y
  const A* bias;      // or null
  Out* y;
  std::size_t first, last, from, to;
  // So many rows of weights are applied to all outputs before the next ones. Only those in [used, used_end), ascending,
  // count where that is not null: they are fetched ahead.
  std::size_t tile;
  const std::uint32_t *used, *used_end;
};

// Pairs of units [first, last) of: values[p] = bias[u] + dot(weights[u], x[t]).
template <class W, class A>
struct Dot {
  const std::size_t* begin;
  const std::uint32_t* index;
  std::size_t tokens;
  const A* x;            // rows of x_stride elements, zeros from `width` on up to a multiple of the vector
  std::size_t x_stride;  // a multiple of the widest vector
  const W* weights;
  std::size_t width;
  const A* bias;  // or null
  A* values;
  std::size_t first, last;
  std::size_t tile;  // as above
  const std::uint32_t *used, *used_end;
};
// No vector has more lanes.
inline constexpr std::size_t widest = 64;

void sum(const Sum<float, float, float>& job);
void sum(const Sum<double, double, double>& job);
void sum(const Sum<std::uint16_t, float, float>& job);
void sum(const Sum<float, float, std::uint16_t>& job);
void dot(const Dot<float, float>& job);
void dot(const Dot<double, double>& job);
void dot(const Dot<std::uint16_t, float>& job);

// Writes the places where z > 0 or NaN (or: z != 0 or NaN) to out, ascending; room for n. Returns how many.
std::size_t scan(const float* z, std::size_t n, bool positive, std::uint32_t* out);
std::size_t scan(const double* z, std::size_t n, bool positive, std::uint32_t* out);

}  // namespace ogee::kernels::sparse
