// The division of a loop among threads, for what has no threads of its own.
#pragma once

#include <algorithm>
#include <cstddef>

#include "ogee/ogee.h"

namespace ogee::bench {

// task(begin, count) for consecutive parts of n elements, one a thread, in whole multiples of 1,024 elements.
template <class Task>
void in_parts(std::size_t n, int threads, const Task& task) {
  if (threads == 1) {
    task(std::size_t{0}, n);
    return;
  }
  constexpr std::size_t grain = 1024;
  const auto parts = static_cast<std::size_t>(threads);
  const std::size_t size = (n / parts + grain) / grain * grain;
  on_threads(threads)(parts, [&](std::size_t k) {
    const std::size_t begin = std::min(k * size, n), end = k + 1 == parts ? n : std::min(begin + size, n);
    if (begin < end) task(begin, end - begin);
  });
}

}  // namespace ogee::bench
