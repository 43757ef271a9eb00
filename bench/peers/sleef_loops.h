// SLEEF's loops, by set of instructions and accuracy.
#pragma once

#include "bench/peers/loops.h"

namespace ogee::bench {

NamedLoops sleef_avx2_u10();
NamedLoops sleef_avx2_u35();
NamedLoops sleef_avx512_u10();
NamedLoops sleef_avx512_u35();

}  // namespace ogee::bench
