// What is seen of a network's activations.
#pragma once

#include <vector>

#include "data/dataset.h"
#include "models/network.h"
#include "tasks/task.h"

namespace ogee::lab {

// A fixed part of the training data, evenly spaced, for what is measured at every epoch.
data::Part probe_of(const data::Part& train);

// The norm of the loss's gradient by the input of each activation layer, noise off. Adds to parameters' gradients.
std::vector<double> gradient_norms(models::Network& network, const tasks::Task& task, const data::Part& probe);

struct Health {
  double dead;       // the share of units whose slope is 0 for every example; a convolution's unit is a channel
  double saturated;  // the share of (unit, example) whose slope is below 5 % of the function's largest; gated: unknown
};
// Over the training part (its first 10,000 examples, or steps of sequences), noise off.
Health health(models::Network& network, const data::Part& train);

}  // namespace ogee::lab
