// Calls on few elements.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/speed/arrays.h"

namespace ogee::bench {

struct SmallCall {
  std::size_t elements;
  double ns;              // a call of ours
  double overhead_ns;     // of it, above the arithmetic; NaN through LibTorch
  double libtorch_ratio;  // LibTorch's own operator's time over ours through LibTorch; NaN over spans
};
struct SmallResult {
  std::string function;
  Direction direction;
  bool through_libtorch;
  std::vector<SmallCall> calls;
};

// Over spans, forward and backward: a call's time less `elements` times the arithmetic's, which is the difference
// between calls on 2,048 and 1,024 elements. Through LibTorch: a call beside LibTorch's own operator (forward not
// recorded; training: forward and backward through autograd), both with results of their own making.
std::vector<SmallResult> measure_small(std::vector<std::string> activations, double seconds);

nlohmann::ordered_json small_json(const std::vector<SmallResult>& results);

}  // namespace ogee::bench
