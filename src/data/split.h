// Which examples train, validate and test: the same for every arm and every seed of an experiment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ogee::data {

struct Indices {
  std::vector<std::int64_t> train, validation, test;
};

// Shares of validation and test; the rest trains. With labels each class is shared out by itself; a class too small to
// go round stays in training. The shuffle is ours (not std::shuffle), so that every standard library splits alike.
Indices split(std::size_t count, const std::vector<int>& labels, double validation, double test, std::uint64_t seed);

// At most `limit` of `chosen`, in their order, classes kept in proportion.
std::vector<std::int64_t> limit(const std::vector<std::int64_t>& chosen, const std::vector<int>& labels,
                                std::size_t limit, std::uint64_t seed);

}  // namespace ogee::data
