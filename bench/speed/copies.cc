#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/speed/copies.cc"
#include "hwy/foreach_target.h"
//
#include "bench/speed/copies.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::bench::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Streaming stores want aligned addresses: whole vectors from the first aligned one on, the ends by ordinary stores.
template <bool streaming, class D, class Vector>
HWY_ATTR void put(Vector v, D d, float* to) {
  if constexpr (streaming) {
    hn::Stream(v, d, to);
  } else {
    hn::StoreU(v, d, to);
  }
}

// y[i] = a[i] (+ b[i]) and z[i] = a[i] + c[i], whichever arrays there are.
template <int arrays, bool streaming>
HWY_ATTR void pass(const float* a, const float* b, const float* c, float* y, float* z, std::size_t n) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  const auto one = [&](std::size_t j) {
    y[j] = arrays == 2 ? a[j] : a[j] + b[j];
    if (arrays == 5) z[j] = a[j] + c[j];
  };
  if (streaming) {
    while (i < n && reinterpret_cast<std::uintptr_t>(y + i) % (lanes * sizeof(float)) != 0) one(i++);
  }
  // Where z is aligned differently, it cannot be streamed in step with y.
  const bool both = arrays < 5 || reinterpret_cast<std::uintptr_t>(z + i) % (lanes * sizeof(float)) == 0;
  constexpr std::size_t unroll = 4;
  for (; i + unroll * lanes <= n; i += unroll * lanes) {
    for (std::size_t u = 0; u < unroll; ++u) {
      const std::size_t j = i + u * lanes;
      const auto va = hn::LoadU(d, a + j);
      if constexpr (arrays == 2) {
        put<streaming>(va, d, y + j);
      } else {
        put<streaming>(hn::Add(va, hn::LoadU(d, b + j)), d, y + j);
      }
      if constexpr (arrays == 5) {
        const auto vz = hn::Add(va, hn::LoadU(d, c + j));
        if (both) {
          put<streaming>(vz, d, z + j);
        } else {
          hn::StoreU(vz, d, z + j);
        }
      }
    }
  }
  for (; i < n; ++i) one(i);
  if (streaming) hwy::FlushStream();
}

template <int arrays>
void run(const float* a, const float* b, const float* c, float* y, float* z, std::size_t n, bool streaming) {
  streaming ? pass<arrays, true>(a, b, c, y, z, n) : pass<arrays, false>(a, b, c, y, z, n);
}
void run_copy(const float* a, const float* b, const float* c, float* y, float* z, std::size_t n, bool streaming) {
  run<2>(a, b, c, y, z, n, streaming);
}
void run_add(const float* a, const float* b, const float* c, float* y, float* z, std::size_t n, bool streaming) {
  run<3>(a, b, c, y, z, n, streaming);
}
void run_add_twice(const float* a, const float* b, const float* c, float* y, float* z, std::size_t n, bool streaming) {
  run<5>(a, b, c, y, z, n, streaming);
}

}  // namespace ogee::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "bench/speed/split.h"

namespace ogee::bench {
HWY_EXPORT(run_copy);
HWY_EXPORT(run_add);
HWY_EXPORT(run_add_twice);
namespace {

using Loop = void (*)(const float*, const float*, const float*, float*, float*, std::size_t, bool);

void split(Loop loop, const void* a, const void* b, const void* c, void* y, void* z, std::size_t bytes, Stores stores,
           int threads) {
  const auto from = [](const void* p, std::size_t i) {
    return p == nullptr ? nullptr : static_cast<const float*>(p) + i;
  };
  const auto to = [](void* p, std::size_t i) { return p == nullptr ? nullptr : static_cast<float*>(p) + i; };
  in_parts(bytes / sizeof(float), threads, [&](std::size_t begin, std::size_t n) {
    loop(from(a, begin), from(b, begin), from(c, begin), to(y, begin), to(z, begin), n, stores == Stores::streaming);
  });
}

}  // namespace

void copy(const void* x, void* y, std::size_t bytes, Stores stores, int threads) {
  split(HWY_DYNAMIC_DISPATCH(run_copy), x, nullptr, nullptr, y, nullptr, bytes, stores, threads);
}
void add(const void* a, const void* b, void* y, std::size_t bytes, Stores stores, int threads) {
  split(HWY_DYNAMIC_DISPATCH(run_add), a, b, nullptr, y, nullptr, bytes, stores, threads);
}
void add_twice(const void* a, const void* b, const void* c, void* y, void* z, std::size_t bytes, Stores stores,
               int threads) {
  split(HWY_DYNAMIC_DISPATCH(run_add_twice), a, b, c, y, z, bytes, stores, threads);
}

}  // namespace ogee::bench
#endif
