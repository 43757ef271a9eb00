// What the plants have in common.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bench/faults/plan.h"

namespace ogee::faults {

// "mlp of 6 relu", with what distinguishes it.
std::string words_of(const Design& design, const Training& training);
// Adds to the biases of a share of a site's units.
void shift(Net& net, std::size_t site, double by, double share = 1);

}  // namespace ogee::faults
