// Ranks that train one run together: a ring over plain sockets, in which every rank hears from the one before it and
// speaks to the one after it.
//
// c10d's own ProcessGroupGloo is in LibTorch's libraries, but its header asks for Gloo's headers, which LibTorch's
// packages leave out. A ring takes little: sums in two rounds, each rank sending every number about twice, whatever the
// number of ranks. The ranks find each other through c10d's TCPStore (board.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lab/ranks.h"
#include "lab/run.h"

namespace ogee::lab {

class Board;

// A rank ended, or cannot be reached any more.
class RankLost : public StoreFailure {
 public:
  using StoreFailure::StoreFailure;
};

// Every call must be made by all ranks, in the same order; each throws RankLost where one of them is gone or does
// something else. Nothing is waited for in vain: a process that ends closes its connections, and a host that falls
// silent is noticed by the kernel within half a minute.
class Team {
 public:
  // Returns when all ranks have come, which takes five minutes at most. `identity` is the experiment as JSON: throws
  // Error on all ranks where one was started for another one, RankLost where one does not come or `stop` becomes true.
  Team(const Rank& rank, const std::string& identity, const std::atomic<bool>* stop = nullptr);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int rank() const { return rank_.rank; }
  int world() const { return rank_.world; }
  bool leads() const { return rank_.rank == 0; }

  // Replaces the numbers, floating ones on any device, by their sums over the ranks: the same bits on each.
  void sum(at::Tensor& numbers);
  // Rank 0's text.
  std::string from_leader(const std::string& text);
  // Every rank's text, by rank.
  std::vector<std::string> from_all(const std::string& text);

 private:
  struct Flow;
  template <class T>
  void sum_up(T* numbers, std::int64_t count);
  // With `expected`, the first piece that comes in must be that tag.
  void exchange(Flow out, Flow in, const std::uint64_t* expected = nullptr);
  void check_tag(const std::uint64_t* seen, const std::uint64_t* expected) const;
  [[noreturn]] void lost(int rank);

  const Rank rank_;
  const int next_rank_, previous_rank_;
  std::unique_ptr<Board> board_;
  int next_ = -1, previous_ = -1;  // sockets
  std::uint64_t calls_ = 0;
};

}  // namespace ogee::lab
