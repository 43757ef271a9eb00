// How neighbours in a ring of ranks get connected.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "lab/ranks.h"

namespace ogee::lab {

class Board;

// Sockets to the rank after this one and from the one before it, non-blocking; and the board they met at.
struct Neighbours {
  std::unique_ptr<Board> board;
  int next = -1, previous = -1;
};

// Waits until all ranks have come. Throws as Team's constructor does.
Neighbours meet(const Rank& rank, const std::string& identity, const std::atomic<bool>* stop);

}  // namespace ogee::lab
