// A rank's part of something that all ranks share.
#pragma once

#include <cstdint>

namespace ogee::lab {

struct Slice {
  std::int64_t from = 0, count = 0;
};

// The parts are neighbours, and differ by one at most: of 20 for three ranks 6, 7 and 7.
inline Slice slice_of(std::int64_t whole, int rank, int world) {
  const std::int64_t from = whole * rank / world, to = whole * (rank + 1) / world;
  return {from, to - from};
}

}  // namespace ogee::lab
