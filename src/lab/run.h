// One training run, from its seed to its measured end.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "lab/experiment.h"
#include "ogee/monitor_record.h"

namespace ogee::models {
class Network;
}

namespace ogee::lab {

inline constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

enum class Stage { scout, tune, result };
enum class Status { finished, diverged, failed, stopped };
const char* name_of(Stage stage);
const char* name_of(Status status);
Stage stage_named(const std::string& name);
Status status_named(const std::string& name);

// What a run is; with its experiment, all that its result depends on.
struct RunKey {
  std::string arm;
  Stage stage = Stage::result;
  std::uint64_t seed = 1;
  double rate = 1e-3;
  std::int64_t steps = 0;
  std::string attributes = {};  // tuning's choice: "c=0.3, alpha=1"

  auto operator<=>(const RunKey&) const = default;
};

// Taken before training (epoch 0) and after each epoch.
inline constexpr double histogram_low = -6, histogram_high = 6;
inline constexpr int histogram_bins = 48;
struct Point {
  std::int64_t epoch = 0;
  double train_loss = unknown;  // the epoch's mean, noise on, as the optimiser saw it
  double validation_error = unknown, validation_loss = unknown;
  // The norm of the loss's gradient by each activation layer's input, on a fixed part of the training data, noise off.
  std::vector<double> gradients;
  // What goes into each activation layer, on the same examples: shares of values by bin, from histogram_low to
  // histogram_high in histogram_bins equal steps; the outermost bins take what lies beyond. Gated layers: their gate.
  // Of seed 1 only.
  std::vector<std::vector<double>> histograms{};
  // Attributes that follow a schedule, as they stood; the "level" of a curriculum by levels, from 1.
  std::map<std::string, double> scheduled = {};
};

struct RunResult {
  Status status = Status::finished;
  std::string message;
  std::int64_t parameters = 0;
  double validation_error = unknown, validation_loss = unknown;
  double test_error = unknown, test_loss = unknown;
  std::map<std::string, double> further = {};  // of the test part: tasks::Task::further
  double ms_per_step = unknown, seconds = unknown;
  double memory = unknown;  // MiB that a training step needs at its peak beyond what lies between steps
  double dead = unknown, saturated = unknown;  // shares
  std::vector<Point> points;
  std::vector<monitor::Finding> findings;  // what the monitor says of the training
};

class Team;

struct RunHooks {
  const std::atomic<bool>* stop = nullptr;
  std::atomic<std::int64_t>* steps_done = nullptr;
  std::function<void(const Point&)> point;
  // Sees a result's network before its first step, and trained, before the run ends. It must leave the network as it
  // was and draw from no default generator.
  std::function<void(models::Network&, bool trained)> network = nullptr;
  // Gets the whole state of the run every `keep_seconds`, and when it is stopped: bytes with which the same run goes on
  // elsewhere to the same result, to the last bit.
  std::function<void(const std::string&)> keep;
  double keep_seconds = 20;
  // Such a state to go on from; "": from the start.
  std::string state = {};
  // Told why where `state` was of no use; the run then starts anew.
  std::function<void(const std::string&)> damaged;
  // Ranks that train this run together, each a part of every batch; all must be given the same state, and the leader
  // alone keeps, measures and gives a full result. Null: this process alone.
  Team* team = nullptr;
};

// What the store or the disk does to a run is not the run's fault: `train` lets it through.
class StoreFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Results (Stage::result) are measured in full and see the test part, once, at the end; the others only validate.
// Throws nothing but what the hooks throw of StoreFailure: other errors make a run that failed.
RunResult train(const Experiment& experiment, const data::Dataset& data, const RunKey& key, const RunHooks& hooks);

}  // namespace ogee::lab
