// Streams of random numbers of one seed that must not overlap.
#pragma once

#include <ATen/CPUGeneratorImpl.h>

#include <cstdint>

namespace ogee::lab {

// Stored results depend on these numbers. All arms of a seed share them: the same order of examples, the same first
// weights where shapes agree.
enum class Stream : std::uint64_t { weights, order, noise };

inline std::uint64_t seed_of(std::uint64_t seed, Stream stream) {
  return seed * 8 + static_cast<std::uint64_t>(stream);
}
inline at::Generator generator_of(std::uint64_t seed, Stream stream) {
  return at::detail::createCPUGenerator(seed_of(seed, stream));
}

}  // namespace ogee::lab
