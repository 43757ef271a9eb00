// Looking at a network's pre-activations.
#pragma once

#include <vector>

#include "models/network.h"

namespace ogee::models {

// While it lives the network keeps its pre-activations, without noise; then it is in training mode again.
class Recording {
 public:
  explicit Recording(Network& network) : network_(network) {
    network_.eval();
    network_.recording = true;
  }
  ~Recording() {
    network_.recording = false;
    for (auto& layer : network_.layers) layer.z = at::Tensor();
    network_.train();
  }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  std::vector<at::Tensor> pre_activations(const at::Tensor& x) {
    network_.forward(x);
    std::vector<at::Tensor> all;
    for (const auto& layer : network_.layers) all.push_back(layer.z);
    return all;
  }

 private:
  Network& network_;
};

}  // namespace ogee::models
