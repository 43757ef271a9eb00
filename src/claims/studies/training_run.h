// One small network's training, watched closely: how fast it learns, which units go dead, which way its steps go.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "data/dataset.h"
#include "lab/experiment.h"

namespace ogee::claims {

struct TrainingRun {
  std::string activation = "relu";
  std::int64_t depth = 3, width = 64;
  lab::OptimiserSettings optimiser{"sgd"};
  double rate = 0.1;        // the same at every step
  double scale = 1;         // multiplies the hidden layers' first weights
  double bias = 0;          // the hidden units' first bias
  double share = 1;         // of each layer's units, those that begin with it; the others begin with 0
  std::int64_t batch = 32;  // at most all of the training part
  std::int64_t steps = 1000;
  std::int64_t every = 25;  // steps between two looks at the whole training part
  double target = 0.3;      // a loss on the training part
  bool stop_at_target = false;
  bool path = false;  // whether to follow signs and steps, which takes time
  std::uint64_t seed = 1;
};

struct TrainingResult {
  bool diverged = false;
  std::int64_t reached = -1;  // steps to the target; -1: never
  double loss = 0;            // at the end, on the training part
  std::map<std::string, double> measures;

  bool better_than(const TrainingResult& other) const;
};

// What `measures` holds, in words.
std::map<std::string, std::string> training_measures(bool path);

// Nothing if it was stopped.
std::optional<TrainingResult> train(const TrainingRun& run, const data::Dataset& data, const std::atomic<bool>* stop);

}  // namespace ogee::claims
