// Eigen: array expressions.
#include "bench/peers/eigen_loops.h"
#include "bench/peers/loop_peer.h"

#include <Eigen/src/Core/util/Macros.h>
#include <fmt/core.h>

namespace ogee::bench {

void add_eigen(Peers& peers) {
  const std::string version = fmt::format("{}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION);
  peers.push_back(std::make_unique<LoopPeer>(
      "Eigen", version, [](Width width) { return width == Width::avx512 ? eigen_avx512() : eigen_avx2(); }));
}

}  // namespace ogee::bench
