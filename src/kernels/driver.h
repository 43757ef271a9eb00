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

}  // namespace ogee::kernels
