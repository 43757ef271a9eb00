// What is seen of a network's activations.
#pragma once

#include <c10/util/ThreadLocalDebugInfo.h>

#include <memory>
#include <vector>

#include "data/dataset.h"
#include "models/network.h"
#include "tasks/task.h"

namespace ogee::lab {

// A fixed part of the training data, evenly spaced, for what is measured at every epoch.
data::Part probe_of(const data::Part& train);

struct Seen {
  std::vector<double> gradients;                // the norm of the loss's gradient by the input of each activation layer
  std::vector<std::vector<double>> histograms;  // of these inputs, as Point has them; empty unless asked for
};
// Of every activation layer, noise off. Adds to parameters' gradients.
Seen look(models::Network& network, const tasks::Task& task, const data::Part& probe, bool with_histograms);

// While it lives it follows what its thread takes from LibTorch's allocator, on every device.
class PeakMemory {
 public:
  PeakMemory();
  ~PeakMemory();
  PeakMemory(const PeakMemory&) = delete;
  PeakMemory& operator=(const PeakMemory&) = delete;

  // The most that was held at a time beyond what was held at the start, in MiB.
  double peak() const;

 private:
  class Counter;
  std::shared_ptr<Counter> counter_;
  std::unique_ptr<c10::DebugInfoGuard> guard_;
};

struct Health {
  double dead;       // the share of units whose slope is 0 for every example; a convolution's unit is a channel
  double saturated;  // the share of (unit, example) whose slope is below 5 % of the function's largest; gated: unknown
};
// Over the training part (its first 10,000 examples, or steps of sequences), noise off.
Health health(models::Network& network, const data::Part& train);

}  // namespace ogee::lab
