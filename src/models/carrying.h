// A network whose state may go on from one batch of a text to the next.
#pragma once

#include <vector>

#include "ogee/libtorch.h"

namespace ogee::models {

// Networks that can (lstm and gru) are one beside being a Network; a dynamic_cast tells.
class Carrying {
 public:
  virtual ~Carrying() = default;
  // Whether forward passes start where the one before ended, row by row, as numbers that no gradient goes back through.
  // A pass with fewer rows goes on with the first of them. Not while somebody looks (Network::recording).
  bool carries = false;
  // Layer by layer; empty: the next pass starts from zeros.
  std::vector<at::Tensor> carried;
};

}  // namespace ogee::models
