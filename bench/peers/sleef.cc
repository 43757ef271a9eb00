// SLEEF: vectorised elementary functions, of 1 and of 3.5 ULP.
#include "bench/peers/loop_peer.h"
#include "bench/peers/sleef_loops.h"

#include <fmt/core.h>
#include <sleef.h>

namespace ogee::bench {

void add_sleef(Peers& peers) {
  const std::string version =
      fmt::format("{}.{}.{}", SLEEF_VERSION_MAJOR, SLEEF_VERSION_MINOR, SLEEF_VERSION_PATCHLEVEL);
  peers.push_back(std::make_unique<LoopPeer>("SLEEF u10", version, [](Width width) {
    return width == Width::avx512 ? sleef_avx512_u10() : sleef_avx2_u10();
  }));
  peers.push_back(std::make_unique<LoopPeer>("SLEEF u35", version, [](Width width) {
    return width == Width::avx512 ? sleef_avx512_u35() : sleef_avx2_u35();
  }));
}

}  // namespace ogee::bench
