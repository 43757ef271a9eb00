// Eigen's loops, by set of instructions.
#pragma once

#include "bench/peers/loops.h"

namespace ogee::bench {

NamedLoops eigen_avx2();
NamedLoops eigen_avx512();

}  // namespace ogee::bench
