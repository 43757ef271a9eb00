// Where a function is to be measured, as floats that the type represents exactly.
#pragma once

#include <cstdint>
#include <vector>

#include "ogee/ogee.h"

namespace ogee::accuracy {

// The value of a 16-bit type with these bits.
float widened(Type type, std::uint32_t bits16);
// The nearest value of the type.
float narrowed(Type type, float x);
// Zeros, subnormals, limits, and the neighbourhoods of kinks, roots and other places where branches meet.
std::vector<float> edges(const Spec& spec, Type type);

}  // namespace ogee::accuracy
