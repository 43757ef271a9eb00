// Every run trained by all ranks together: what rank 0 starts, the others take part in.
#pragma once

#include <optional>
#include <string>

#include "lab/run.h"
#include "lab/team.h"

namespace ogee::data {
struct Dataset;
}

namespace ogee::lab {

struct Options;

// Rank 0's side. Like lab::train, by all ranks; from one thread at a time.
class Together {
 public:
  // Waits for all ranks, as Team does.
  Together(const Rank& rank, const std::string& identity, const std::atomic<bool>* stop);
  ~Together();  // tells the others that it is over, unless one was lost
  Together(const Together&) = delete;
  Together& operator=(const Together&) = delete;

  // Throws RankLost where a rank is gone. Stopped also where another rank was told to stop.
  RunResult train(const Experiment& experiment, const data::Dataset& data, const RunKey& key, RunHooks hooks);
  int world() const { return team_.world(); }

 private:
  Team team_;
  bool lost_ = false;
};

// What the other ranks do, from start to end.
void take_part(const Rank& rank, const Experiment& experiment, const std::string& identity, const data::Dataset& data,
               const Options& options);

// Throws Error where a batch has fewer examples than there are ranks.
void check_batches(const Experiment& experiment, int world);

}  // namespace ogee::lab
