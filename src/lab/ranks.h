// A comparison's runs shared over processes on one machine or many: started by torchrun, mpirun or srun, the ranks meet
// at LibTorch's TCPStore. Rank 0 keeps the database and hands out runs; the others train what they are given and send
// back what came of it. A rank that gives no sign of life any more loses its run, which another one goes on with from
// the last checkpoint that it had sent.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lab/run.h"

namespace ogee::data {
struct Dataset;
}

namespace ogee::lab {

struct Options;

// Where this process stands among the others that were started with it.
struct Rank {
  int rank = 0, world = 1;
  std::string address;  // of rank 0
  std::uint16_t port = 29500;
};
// As torchrun (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, whose next one is taken, as torchrun's own agent has it),
// Open MPI's mpirun (OMPI_COMM_WORLD_RANK and _SIZE) or srun (SLURM_PROCID, SLURM_NTASKS) say; mpirun and srun name no
// meeting place: MASTER_ADDR and MASTER_PORT, or on one machine 127.0.0.1:29500, or the first host of
// SLURM_JOB_NODELIST. Nothing if this process is alone. Throws Error on numbers that make no sense.
std::optional<Rank> rank_of_environment();

// Rank 0's side.
class Ranks {
 public:
  // Waits for nobody: ranks take part from when they come. Throws Error if the store cannot be served or reached.
  // `identity` is the experiment as JSON: a rank that was started for another one is told so, and ends.
  Ranks(const Rank& rank, const std::string& identity);
  ~Ranks();  // tells the others that it is over
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  // One for each thread of the ranks that have come by now and are alive; each serves one run at a time.
  struct Seat {
    int rank, thread;
    auto operator<=>(const Seat&) const = default;
  };
  std::vector<Seat> seats();
  // Like lab::train, at that seat. Throws Gone if its rank is: what it had sent of the run's state was given to
  // hooks.keep.
  RunResult train(const Seat& seat, const RunKey& key, const RunHooks& hooks);
  class Gone : public std::runtime_error {
   public:
    using std::runtime_error::runtime_error;
  };
  // Ranks that were there and are not any more, in words.
  std::vector<std::string> lost();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What the other ranks do, from start to end: trains on options.workers threads what rank 0 hands out. Throws Error if
// rank 0 cannot be reached, compares something else, or is gone.
void serve_runs(const Rank& rank, const Experiment& experiment, const std::string& identity, const data::Dataset& data,
                const Options& options);

}  // namespace ogee::lab
