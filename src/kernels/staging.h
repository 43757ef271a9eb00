// How elements come into blocks of the arithmetic's type, and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "hwy/aligned_allocator.h"
#include "hwy/cache_control.h"
#include "kernels/convert.h"
#include "ogee/ogee.h"

namespace ogee::kernels {

inline constexpr std::size_t block_size = 1024;
inline constexpr std::size_t narrow_block = 512;  // where only types are converted: memory waits less long for its turn
inline constexpr std::size_t slice_size = 16384;

constexpr std::size_t size_of(Type type) {
  switch (type) {
    case Type::float32: return 4;
    case Type::float64: return 8;
    default: return 2;
  }
}

// Copies n elements that lie `step` apart to a contiguous buffer of the arithmetic's type.
template <class T>
void load(Type type, const void* data, std::ptrdiff_t step, std::size_t n, T* out) {
  if constexpr (std::is_same_v<T, double>) {
    const auto* in = static_cast<const double*>(data);
    for (std::size_t j = 0; j < n; ++j) out[j] = in[static_cast<std::ptrdiff_t>(j) * step];
  } else if (type == Type::float32) {
    const auto* in = static_cast<const float*>(data);
    for (std::size_t j = 0; j < n; ++j) out[j] = in[static_cast<std::ptrdiff_t>(j) * step];
  } else {
    const auto* in = static_cast<const std::uint16_t*>(data);
    std::uint16_t gathered[block_size];
    if (step != 1) {
      for (std::size_t j = 0; j < n; ++j) gathered[j] = in[static_cast<std::ptrdiff_t>(j) * step];
      in = gathered;
    }
    (type == Type::bfloat16 ? bfloat16_to_float : float16_to_float)(in, n, out);
  }
}

template <class T>
void store(Type type, const T* in, std::size_t n, void* data, std::ptrdiff_t step, bool stream) {
  if constexpr (std::is_same_v<T, double>) {
    auto* out = static_cast<double*>(data);
    for (std::size_t j = 0; j < n; ++j) out[static_cast<std::ptrdiff_t>(j) * step] = in[j];
  } else if (type == Type::float32) {
    auto* out = static_cast<float*>(data);
    for (std::size_t j = 0; j < n; ++j) out[static_cast<std::ptrdiff_t>(j) * step] = in[j];
  } else {
    auto* out = static_cast<std::uint16_t*>(data);
    std::uint16_t narrow[block_size];
    const auto convert = type == Type::bfloat16 ? float_to_bfloat16 : float_to_float16;
    convert(in, n, step == 1 ? out : narrow, stream);
    if (step != 1) {
      for (std::size_t j = 0; j < n; ++j) out[static_cast<std::ptrdiff_t>(j) * step] = narrow[j];
    }
  }
}

// Asks for the memory of the next block while this one is computed: the processor's own prefetching follows a block's
// loads, which end long before its arithmetic does.
inline void prefetch(const char* data, std::size_t bytes) {
  constexpr std::size_t line = 64;
  for (std::size_t i = 0; i < bytes; i += line) hwy::Prefetch(data + i);
}

// Blocks begin where vectors do: a load across two lines of the cache costs twice.
template <class U>
class Buffer {
 public:
  void reserve(std::size_t n) {
    if (n <= size_) return;
    data_ = hwy::AllocateAligned<U>(n);
    size_ = n;
  }
  U* data() { return data_.get(); }

 private:
  std::size_t size_ = 0;
  hwy::AlignedFreeUniquePtr<U[]> data_;
};

}  // namespace ogee::kernels
