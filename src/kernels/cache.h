// What a call may count on of the last-level cache, and when its results are better written past all caches.
#pragma once

#include <cstddef>

namespace ogee::kernels {

// In bytes, from the size that the system reports (0 or less: none): that, or, of a large one, which many processors
// share and a virtual machine of a few of them is told of as its own, a part.
constexpr std::size_t counted_on(long reported) {
  constexpr std::size_t most = std::size_t{32} << 20;
  return reported > 0 && static_cast<std::size_t>(reported) < most ? static_cast<std::size_t>(reported) : most;
}

// This system's.
std::size_t cache_size();

// Whether no cache will hold what a call touches: then memory is not to be read first just to be overwritten.
constexpr bool streams(std::size_t touched, std::size_t cache) { return touched > cache; }
inline bool streams(std::size_t touched) { return streams(touched, cache_size()); }

}  // namespace ogee::kernels
