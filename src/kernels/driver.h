// Runs a function over a Call: shapes, strides, types, channels, noise and threads. The row kernels do the arithmetic.
#pragma once

#include <cstddef>

#include "kernels/row.h"
#include "ogee/ogee.h"

namespace ogee::kernels {

enum class Pass { forward, backward, second };

// Where a function's kernels are: family's table and place in it.
struct Place {
  std::size_t family;
  std::size_t index;
};

void run(Pass pass, const Spec& spec, Place place, const Call& call);

// What most calls are: contiguous arrays of the arithmetic's own type, one value a parameter, no noise, one thread, no
// gradients of parameters. Forward reads y, backward dy and dx. Without the preparations of `run`, which a short array
// would feel.
template <class T>
struct Plain {
  const T* input[max_inputs];
  const T* dy;
  T* y;
  T* dx[max_inputs];
  const double* parameter;
  std::size_t n;
  Precision precision;
};
inline constexpr std::size_t longest_plain = 16384;
template <class T>
void run_plain(Pass pass, const Spec& spec, Place place, const Plain<T>& call);
// Whether a call is one that run_plain serves; then runs it. Results that no cache will hold are not its affair.
template <class T>
bool run_if_plain(Pass pass, const Spec& spec, Place place, const Call& call);

}  // namespace ogee::kernels
