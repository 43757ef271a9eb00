// Whether a peer computes the function it is timed for.
#pragma once

#include <string>
#include <vector>

#include "bench/speed/arrays.h"
#include "bench/speed/case.h"

namespace ogee::bench {

// How far from the exact value a result may lie, relative to the larger of 1 and that value: a peer's approximation
// passes, another function does not. f32: 2^-12, which is half of the digits (what MKL's enhanced performance mode
// promises) and less than the two forms of GELU differ by. f64: 2^-24. bf16, f16: eight units in the last place.
double tolerance(Type type);

struct Verdict {
  bool qualified;
  double ulp;  // the largest error seen, in units in the last place of the exact value (at least of the smallest
               // normal number), further than 1/4 from the roots that the function declares; infinity for NaN
               // where there is a value
  std::string reason;  // why not
};

// Runs the work once and compares up to 4,096 elements of what it wrote with the exact reference. What the noise was,
// the work must tell.
class Validation {
 public:
  explicit Validation(const Case& c);
  Verdict check(const Arrays& arrays, const Work& work);

 private:
  struct Point {
    double y;
    double dx[max_inputs];
  };
  Point exact_at(std::size_t i, double noise) const;

  Case case_;
  std::vector<std::size_t> places_;
  std::vector<Point> expected_;  // of functions without noise
};

}  // namespace ogee::bench
