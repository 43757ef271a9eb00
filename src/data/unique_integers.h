// Counting the different values of a sequence (Gulcehre et al. 2016): what is remembered must be kept over all of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/generated.h"

namespace ogee::data {

struct UniqueIntegers {
  std::int64_t length = 26, values = 11;
  // False: every value is drawn evenly, so that most sequences have nearly all of them. True: how many different ones
  // there are is drawn evenly first, then one of all sequences with so many.
  bool balanced = false;

  std::int64_t most() const { return length < values ? length : values; }  // different values
};

// A value each, as a char.
std::string draw_integers(const UniqueIntegers& task, Draw& draw);
std::int64_t count_unique(const std::string& sequence);

}  // namespace ogee::data
