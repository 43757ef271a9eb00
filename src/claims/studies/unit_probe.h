// Units that are off, dead or saturated, over the whole training data.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>

#include "models/network.h"

namespace ogee::claims {

class UnitProbe {
 public:
  // After a forward pass with `network.recording` over all examples.
  void look(const models::Network& network);
  // Of the looks so far.
  std::map<std::string, double> measures() const;

 private:
  // By unit, of all hidden layers; as first seen and as last seen.
  at::Tensor first_off_, last_off_, ever_off_, dead_;
  double saturated_ = 0, dead_first_ = 0;
};

}  // namespace ogee::claims
