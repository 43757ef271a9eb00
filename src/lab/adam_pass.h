// Adam's update of flat float arrays in one pass over memory.
#pragma once

#include <cstddef>

namespace ogee::lab {

struct AdamPass {
  float keep;          // what the values are multiplied by first (decoupled weight decay); 1: nothing
  float beta1, rest1;  // rest: 1 - beta, which floats cannot subtract to more than five digits
  float beta2, rest2;
  float rate;     // with both corrections folded in
  float epsilon;  // with the correction of the second moment folded in
};

// keep * w - rate * m / (sqrt(v) + epsilon), with m and v, the running means of g and g^2, moved on first. Arrays of
// `size` that do not overlap. The same bits on every processor: no fused multiply-adds, no approximate divisions.
void adam_pass(const AdamPass& pass, std::size_t size, const float* g, float* m, float* v, float* w);

}  // namespace ogee::lab
