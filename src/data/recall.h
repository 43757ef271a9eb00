// Sequences of bits of which some are to be given back: copying and associative recall (Graves, Wayne, Danihelka 2014,
// 1410.5401), the tasks of networks with a memory of their own.
#pragma once

#include <cstdint>
#include <string>

#include "data/generated.h"

namespace ogee::data {

// Vectors of random bits, an end mark, and as many steps at which they are to be given back, in order.
struct Copy {
  std::int64_t bits = 8;
  std::int64_t shortest = 1, longest = 20;  // how many vectors

  std::int64_t columns() const { return bits + 1; }
  std::int64_t steps() const { return 2 * longest + 1; }  // of the longest
};

// Items of some vectors of random bits, each behind a first mark; a second mark and one of the items, but the last,
// once more; again a second mark, and as many steps at which the item that followed it is to be given back.
struct AssociativeRecall {
  std::int64_t bits = 6;
  std::int64_t length = 3;            // vectors of an item
  std::int64_t fewest = 2, most = 6;  // items

  std::int64_t columns() const { return bits + 2; }
  std::int64_t steps() const { return (length + 1) * (most + 2); }
};

// The vectors' bits, one after another, as '0' and '1'; of a recall, then the number of the item asked for, 'a' the
// first, which is no other one's copy.
std::string draw_copy(const Copy& task, Draw& draw);
std::string draw_recall(const AssociativeRecall& task, Draw& draw);

}  // namespace ogee::data
