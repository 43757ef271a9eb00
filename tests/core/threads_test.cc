// The pool of threads: every task once, whoever calls, however often, whatever a task throws.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "ogee/ogee.h"

namespace ogee {
namespace {

TEST(Threads, EveryTaskRunsOnceForSeveralCallersAtATime) {
  std::atomic<bool> all_once = true;
  std::atomic<int> thrown = 0;
  std::vector<std::thread> callers;
  callers.reserve(3);
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 1000; ++round) {
        const std::size_t count = 1 + static_cast<std::size_t>(round * 7 % 23);
        const Parallel parallel = on_threads(1 + (round + caller) % 5);
        std::vector<int> runs(count);
        parallel(count, [&](std::size_t i) { ++runs[i]; });
        for (const int r : runs) all_once = all_once && r == 1;
        if (round % 97 == 0) {
          try {
            parallel(count, [&](std::size_t i) {
              if (i == count / 2) throw std::runtime_error("a task's own");
            });
          } catch (const std::runtime_error&) {
            ++thrown;
          }
        }
        // Long enough for the workers to fall asleep.
        if (round % 400 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_TRUE(all_once);
  EXPECT_EQ(thrown, 3 * 11);
}

TEST(Threads, ATaskMayCallAgain) {
  std::atomic<int> runs = 0;
  on_threads(3)(8, [&](std::size_t) { on_threads(3)(5, [&](std::size_t) { ++runs; }); });
  EXPECT_EQ(runs, 40);
}

TEST(Threads, AnotherThreadHelpsWithWhatIsLeft) {
  // The first part holds all the work: with two threads both must take of it.
  std::atomic<int> others = 0;
  const auto caller = std::this_thread::get_id();
  on_threads(2)(64, [&](std::size_t i) {
    if (i < 32) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (std::this_thread::get_id() != caller) ++others;
    }
  });
  EXPECT_GT(others, 0);
}

TEST(Threads, MoreTasksThanAPartCanCount) {
  const std::size_t count = (std::size_t{5} << 20) + 3;
  std::vector<unsigned char> runs(count);
  on_threads(3)(count, [&](std::size_t i) { ++runs[i]; });
  EXPECT_EQ(std::count(runs.begin(), runs.end(), 1), static_cast<std::ptrdiff_t>(count));
}

TEST(Threads, ABatchDoesNotWaitForASleeper) {
  // Between batches the workers fall asleep; whether they come in time or not, all is done when the call returns.
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> runs = 0;
    on_threads(2 + round % 3)(7, [&](std::size_t) { ++runs; });
    EXPECT_EQ(runs, 7);
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

}  // namespace
}  // namespace ogee
