// The rules that SageMaker Debugger documents for activations, gradients and weights, with the thresholds it publishes
// (docs.aws.amazon.com/sagemaker/latest/dg/debugger-built-in-rules.html), computed from the same networks. It saves
// tensors every 500 steps unless told otherwise; here it gets every tenth.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "bench/faults/network.h"

namespace ogee::faults {

class Debugger {
 public:
  static constexpr std::int64_t every = 10;
  explicit Debugger(Net& net) : net_(net) {}
  // Around an optimiser's step in which the network was probing: gradients, inputs and weights, then the new weights.
  void before_update();
  void after_update(double loss);
  // The rules that have fired: "VanishingGradient", ...
  const std::set<std::string>& fired() const { return fired_; }

 private:
  void weights_at_the_start();

  Net& net_;
  std::set<std::string> fired_;
  std::vector<std::vector<float>> weights_;
  std::int64_t looks_ = 0;
};

// Those that would count as finding this fault.
std::set<std::string> debugger_rules_for(const std::string& fault);

}  // namespace ogee::faults
