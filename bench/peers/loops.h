// Loops over float arrays that a peer's file provides, compiled for one set of instructions each.
#pragma once

#include <cstddef>

namespace ogee::bench {

// y[i] = phi(x[i]), or with dy: y[i] = dy[i]*phi'(x[i]).
using FloatLoop = void (*)(const float* x, const float* dy, float* y, std::size_t n);

struct NamedLoop {
  const char* function;  // at default parameters
  FloatLoop forward;
  FloatLoop backward;  // null: none
};

struct NamedLoops {
  const NamedLoop* loops;
  std::size_t count;
};

}  // namespace ogee::bench
