// A drawing of a function: value, derivative and second derivative over a range.
#pragma once

#include <string>

#include "ogee/ogee.h"

namespace ogee::cli {

// SVG text, readable on dark and light backgrounds. One-input functions, at evaluation.
std::string curve_svg(const Activation& activation, double low, double high);

}  // namespace ogee::cli
