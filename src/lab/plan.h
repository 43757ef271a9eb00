// Which runs a comparison needs, and in what order they become known.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lab/experiment.h"
#include "lab/run.h"

namespace ogee::lab {

// The stages of one arm: all rates for a short while, the best of them for longer, then the seeds at the best. With a
// rate given, only the seeds. What comes next depends on the arm's own results alone, never on their order.
class ArmPlan {
 public:
  ArmPlan(const Experiment& experiment, std::string arm);

  // The runs that can start now.
  const std::vector<RunKey>& start() const { return current_; }
  // Takes a result in; returns the runs that become possible with it.
  std::vector<RunKey> finish(const RunKey& key, const RunResult& result);
  // All runs of the arm and all their steps, done or not.
  static std::int64_t runs(const Experiment& experiment);
  static std::int64_t steps(const Experiment& experiment);

 private:
  std::vector<RunKey> tune_runs() const;
  std::vector<RunKey> result_runs(double rate) const;
  std::vector<double> best_rates(std::size_t count) const;

  const Experiment& experiment_;
  std::string arm_;
  std::vector<RunKey> current_;
  std::map<RunKey, RunResult> done_;
};

// One stage's rates by merit: error, then loss, both on validation data; what diverged or failed last, low rates first.
struct RateScore {
  double rate;
  Status status;
  double error, loss;
};
void sort_by_merit(std::vector<RateScore>& scores);

}  // namespace ogee::lab
