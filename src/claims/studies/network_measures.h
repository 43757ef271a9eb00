// What a trained network is measured by beside its errors. Without noise of its own and without gradients; the network
// is left as it was, in training mode, and no generator but one of the seed given is drawn from.
#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "models/network.h"
#include "tasks/task.h"

namespace ogee::claims {

// Of all activation layers together, on the part's first examples (`measured_examples` of them).
inline constexpr std::int64_t measured_examples = 1000;
struct Outputs {
  double zeros;       // the share of outputs that are exactly 0
  double mean;        // the size of a unit's mean over the examples, averaged over the units
  double layer_mean;  // the size of the mean over a layer's units and the examples, averaged over the layers
};
Outputs outputs_of(models::Network& network, const data::Part& part);

struct NoiseResponse {
  double error;  // with normal noise of this deviation added to the inputs
  // By how much outputs move with that noise against how much their pre-activations do (both root mean squares), where
  // the pre-activation is negative without noise: the mean over the layers. NaN where there is none, or of gated
  // layers.
  double off_units;
};
NoiseResponse noise_response(models::Network& network, const tasks::Task& task, const data::Part& part,
                             double deviation, std::uint64_t seed);

// The first learned parameter of each layer's activation, over units. All NaN where nothing is learned.
struct Learned {
  double mean, deviation;  // over all units of all layers; a layer with one parameter counts as one unit
  double first, last;      // the means of the first layer and of the last
};
Learned learned_of(const models::Network& network);

// How a measure falls over a run.
struct CoursePoint {
  double steps, value;  // a value that is NaN is left out
};
// The steps after which it is first at `target` or below, on straight lines between the points; `never` if it is not.
double steps_to(const std::vector<CoursePoint>& course, double target, double never);

}  // namespace ogee::claims
