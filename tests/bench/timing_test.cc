#include "bench/speed/timing.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "bench/speed/arrays.h"
#include "bench/speed/copies.h"
#include "bench/speed/split.h"

namespace ogee::bench {
namespace {

TEST(Timing, Statistics) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_NEAR(geometric_mean({2, 8}), 4, 1e-12);
}

TEST(Timing, EveryWorkHasItsTurns) {
  const auto work = [](int& count, int microseconds) {
    return [&count, microseconds] {
      ++count;
      const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
      while (std::chrono::steady_clock::now() < end) {
      }
    };
  };
  int few = 0, many = 0;
  const auto timings = time_in_turn({work(many, 50), work(few, 200)}, {.seconds = 0.02, .rounds = 5});
  ASSERT_EQ(timings.size(), 2u);
  EXPECT_GE(timings[0].seconds, 50e-6);
  EXPECT_GE(timings[1].seconds, 200e-6);
  EXPECT_EQ(timings[0].ratio, 1);
  EXPECT_GT(timings[1].ratio, 1);
  EXPECT_GE(few, 5);
  EXPECT_GE(many, 5);
}

TEST(Timing, PartsCoverEverythingOnce) {
  for (std::size_t n : {1u, 1000u, 1024u, 5000u, 100'000u}) {
    for (int threads : {1, 2, 3}) {
      std::vector<unsigned char> seen(n, 0);
      in_parts(n, threads, [&](std::size_t begin, std::size_t count) {
        for (std::size_t i = begin; i < begin + count; ++i) ++seen[i];
      });
      EXPECT_EQ(std::vector<unsigned char>(n, 1), seen) << n << " elements, " << threads << " threads";
    }
  }
}

TEST(Copies, WriteWhatTheySay) {
  constexpr std::size_t n = 10'007;  // no whole number of vectors
  std::vector<float> a(n + 3), b(n + 3), c(n + 3);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<float>(i);
    b[i] = static_cast<float>(2 * i + 1);
    c[i] = static_cast<float>(i % 17);
  }
  for (Stores stores : {Stores::ordinary, Stores::streaming}) {
    for (int threads : {1, 2}) {
      for (std::size_t shift : {0u, 1u, 3u}) {  // misaligned too
        std::vector<float> y(n + 4, -1), z(n + 4, -1);
        copy(a.data(), y.data() + shift, n * sizeof(float), stores, threads);
        for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(y[i + shift], a[i]);
        add(a.data(), b.data(), y.data() + shift, n * sizeof(float), stores, threads);
        for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(y[i + shift], a[i] + b[i]);
        add_twice(a.data(), b.data(), c.data(), y.data() + shift, z.data(), n * sizeof(float), stores, threads);
        for (std::size_t i = 0; i < n; ++i) {
          ASSERT_EQ(y[i + shift], a[i] + b[i]);
          ASSERT_EQ(z[i], a[i] + c[i]);
        }
        EXPECT_EQ(z[n], -1);
      }
    }
  }
}

}  // namespace
}  // namespace ogee::bench
