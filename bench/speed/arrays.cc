#include "bench/speed/arrays.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <numbers>

namespace ogee::bench {
namespace {

constexpr std::size_t page = 4096;
// The arrays begin at different places within a page, so that no two of them meet in the same sets of a cache.
constexpr std::size_t stagger = 9 * 64;
constexpr std::size_t count = 6;  // two inputs, dy, y, two gradients

std::uint64_t mix(std::uint64_t z) {  // splitmix64
  z += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

void store(Type type, void* data, std::size_t i, double value) {
  switch (type) {
    case Type::float64: static_cast<double*>(data)[i] = value; return;
    case Type::float32: static_cast<float*>(data)[i] = static_cast<float>(value); return;
    case Type::bfloat16: {
      const auto wide = static_cast<float>(value);
      convert(std::span<const float>(&wide, 1), std::span<bfloat16>(static_cast<bfloat16*>(data) + i, 1));
      return;
    }
    case Type::float16: {
      const auto wide = static_cast<float>(value);
      convert(std::span<const float>(&wide, 1), std::span<float16>(static_cast<float16*>(data) + i, 1));
      return;
    }
  }
}

}  // namespace

void Arrays::Free::operator()(void* p) const { std::free(p); }

Arrays::Memory Arrays::allocate(std::size_t which) const {
  const std::size_t bytes = elements_ * bytes_of(type_) + which * stagger;
  void* p = std::aligned_alloc(page, (bytes + page - 1) / page * page);
  if (p == nullptr) throw std::bad_alloc();
  return Memory(p);
}

Arrays::Arrays(Type type, std::size_t elements, std::size_t period)
    : type_(type), elements_(elements), period_(period) {
  for (std::size_t k = 0; k < count; ++k) {
    memory_.push_back(allocate(k));
    data_.push_back(static_cast<char*>(memory_.back().get()) + k * stagger);
    fill(data_.back(), k, k == 2 ? 1 : 2);
  }
}

void Arrays::fill(void* data, std::uint64_t seed, double deviation) const {
  const std::size_t drawn = std::min(elements_, period_);
  for (std::size_t i = 0; i < drawn; ++i) {
    const std::uint64_t bits = mix(seed << 40 | i);
    const double u = (static_cast<double>(bits >> 32) + 0.5) * 0x1p-32;
    const double v = static_cast<double>(bits & 0xFFFFFFFFu) * 0x1p-32;
    store(type_, data, i, deviation * std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v));
  }
  const std::size_t bytes = drawn * bytes_of(type_), all = elements_ * bytes_of(type_);
  for (std::size_t done = bytes; done < all; done += bytes) {
    std::memcpy(static_cast<char*>(data) + done, data, std::min(bytes, all - done));
  }
}

Case Arrays::make(const Activation& activation, Direction direction, std::size_t elements, int threads) const {
  return {.activation = &activation,
          .direction = direction,
          .type = type_,
          .elements = elements,
          .threads = threads,
          .input = {data_[0], data_[1]},
          .dy = data_[2],
          .y = data_[3],
          .dx = {data_[4], data_[5]}};
}

void Arrays::spoil(const Case& c) const {
  const std::size_t bytes = c.elements * bytes_of(type_);
  for (void* p : {c.y, c.dx[0], c.dx[1]}) std::memset(p, 0xFF, bytes);  // NaN in every type
}

double Arrays::at(Type type, const void* data, std::size_t i) {
  float wide = 0;
  switch (type) {
    case Type::float64: return static_cast<const double*>(data)[i];
    case Type::float32: return static_cast<const float*>(data)[i];
    case Type::bfloat16:
      convert(std::span<const bfloat16>(static_cast<const bfloat16*>(data) + i, 1), std::span<float>(&wide, 1));
      return wide;
    case Type::float16:
      convert(std::span<const float16>(static_cast<const float16*>(data) + i, 1), std::span<float>(&wide, 1));
      return wide;
  }
  return wide;
}

}  // namespace ogee::bench
