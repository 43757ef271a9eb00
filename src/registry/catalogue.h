// The registry's entries: a Spec, the family and place of its kernels, and the reference in double.
#pragma once

#include <span>
#include <string_view>

#include "kernels/driver.h"
#include "ogee/ogee.h"

namespace ogee {

// The definition at one point in double. `x` and `p` have the sizes of the spec.
struct ReferenceFunctions {
  double (*value)(const double* x, const double* p, double e, Mode mode);
  // The derivative along `direction` (inputs, then parameters), and the second one along `direction` and `other`.
  double (*derivative)(const double* x, const double* p, double e, Mode mode, const double* direction);
  double (*second)(const double* x, const double* p, double e, Mode mode, const double* direction, const double* other);
  // Of the terms whose sum a function is (`terms` in its definition; of a noisy one in training) the largest magnitude,
  // or, where direction is not null, that of their derivatives along it; 0 where the definition names no terms.
  double (*largest_term)(const double* x, const double* p, double e, const double* direction);
};

class Function {
 public:
  const Spec* spec;
  std::string_view family;
  kernels::Place place;
  ReferenceFunctions reference;
};

// Family by family, in the order of the kernel tables.
std::span<const Function> catalogue();

}  // namespace ogee
