// The memory that is timed: aligned, touched, filled, and kept between measurements.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "bench/speed/case.h"

namespace ogee::bench {

// Inputs are independent draws from N(0, 2^2), gradients from N(0, 1): what a layer sees, tails and both signs
// included, and nothing that a branch predictor learns.
class Arrays {
 public:
  // Room for cases of this type and up to that many elements, which repeat after `period`.
  Arrays(Type type, std::size_t elements, std::size_t period = std::size_t{1} << 20);

  Type type() const { return type_; }
  std::size_t capacity() const { return elements_; }
  Case make(const Activation& activation, Direction direction, std::size_t elements, int threads) const;
  // Spoils the arrays that a case writes, so that what is not written is seen.
  void spoil(const Case& c) const;
  // Element i of one of the arrays, in double.
  static double at(Type type, const void* data, std::size_t i);

 private:
  struct Free {
    void operator()(void* p) const;
  };
  using Memory = std::unique_ptr<void, Free>;
  Memory allocate(std::size_t which) const;
  void fill(void* data, std::uint64_t seed, double deviation) const;

  Type type_;
  std::size_t elements_, period_;
  std::vector<Memory> memory_;
  std::vector<void*> data_;
};

}  // namespace ogee::bench
