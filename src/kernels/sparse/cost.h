// What the dense path's last product costs where it takes the weights as they lie, row by row of a unit.
#pragma once

#include <cstddef>

#include "ogee/ogee.h"

namespace ogee::sparse {

// Few tokens: kernels::dense::multiply from memory beats a BLAS. float32 and float64.
bool in_place_pays(std::size_t tokens);
// In nanoseconds, as dense_cost.
double in_place_cost(Type weights, std::size_t tokens, std::size_t units, std::size_t dim);

}  // namespace ogee::sparse
