// Which runs a comparison needs, and in what order they become known.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lab/experiment.h"
#include "lab/run.h"

namespace ogee::lab {

// One setting that tuning tries.
struct Candidate {
  double rate;
  std::string attributes;  // as in RunKey

  auto operator<=>(const Candidate&) const = default;
};
// All rates with all combinations of the attributes that are tuned, low rates first; one where there is nothing to
// tune.
std::vector<Candidate> candidates_of(const Experiment& experiment, const ArmSettings& arm);

// Tuning is successive halving: all candidates for a short while, the better half for longer, and so on down to two, of
// which the better one is taken. `steps`: of each candidate's run, from its start.
struct Rung {
  std::size_t candidates;
  std::int64_t steps;
};
// Every arm may take as many steps in all: an arm with fewer candidates runs each of them for longer (no longer than a
// whole run). Without a budget in the experiment, that is what the arm with the most candidates takes if its first rung
// runs for scout_steps and its last for tune_steps. Empty where there is nothing to tune.
std::vector<Rung> rungs_of(const Experiment& experiment, const ArmSettings& arm);

// One stage's candidates by merit: error, then loss, both on validation data; what diverged or failed last, low rates
// first.
struct Score {
  Candidate candidate;
  Status status;
  double error, loss;
};
void sort_by_merit(std::vector<Score>& scores);

// All arms' tuning and the runs with seeds 1, 2, 3... at what tuning chose. What comes next depends on results alone,
// never on their order.
//
// Seeds are blocks: where the experiment says stop_early, a block starts when all arms still in the race have finished
// the one before (the first Race::first_look blocks are one), and an arm that cannot win any more by what is known then
// (race.h) gets no further seeds.
class Plan {
 public:
  explicit Plan(const Experiment& experiment);

  // The runs that can start now.
  std::vector<RunKey> start();
  // Takes a result in; returns the runs that become possible with it.
  std::vector<RunKey> finish(const RunKey& key, const RunResult& result);

  // Of all arms, done or not, less the seeds that arms out of the race are spared.
  std::int64_t runs() const;
  std::int64_t steps() const;
  bool complete() const { return static_cast<std::int64_t>(done_.size()) >= runs(); }
  // Arms out of the race, by name: after how many seeds.
  const std::map<std::string, std::int64_t>& stopped() const { return stopped_; }

 private:
  struct Arm {
    const ArmSettings* settings;
    std::vector<Rung> rungs;
    std::size_t rung = 0;
    std::vector<RunKey> current;    // of the rung at hand
    std::vector<Candidate> chosen;  // those that go on
    bool tuned = false;
    std::int64_t asked = 0;  // seeds
  };
  std::vector<RunKey> rung_runs(Arm& arm) const;
  std::vector<RunKey> release(Arm& arm);
  std::vector<RunKey> close_blocks();
  bool block_done() const;
  RunKey result_key(const Arm& arm, std::int64_t seed) const;

  const Experiment& experiment_;
  std::vector<Arm> arms_;
  std::map<RunKey, RunResult> done_;
  std::map<std::string, std::int64_t> stopped_;
  std::int64_t block_ = 0;  // seeds that may run now
};

struct StoredRun;
// The plan after these results, as far as they lead.
Plan replay(const Experiment& experiment, const std::vector<StoredRun>& runs);

}  // namespace ogee::lab
