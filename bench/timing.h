// What the benchmarks of this directory share: timings taken in turn, which Ctrl-C may end, the bandwidth of reading,
// the BLAS in use.
#pragma once

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace ogee::bench {

using Clock = std::chrono::steady_clock;
using Work = std::function<void()>;

inline double seconds_of(const Work& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// While an Interruptible lives, the first SIGINT or SIGTERM makes in_turn throw Interrupted between two calls; the next
// one ends the program.
struct Interrupted {};
inline volatile std::sig_atomic_t interrupt_seen = 0;
class Interruptible {
 public:
  Interruptible() {
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupt_seen = 1; };
    action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
    sigaction(SIGINT, &action, &interrupt_);
    sigaction(SIGTERM, &action, &terminate_);
  }
  ~Interruptible() {
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGTERM, &terminate_, nullptr);
  }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

 private:
  struct sigaction interrupt_, terminate_;
};
inline void stop_if_interrupted() {
  if (interrupt_seen != 0) throw Interrupted();
}

// A buffer larger than the caches, for what reading costs.
class Memory {
 public:
  explicit Memory(std::size_t megabytes = 256) : words_((megabytes << 20) / 8, 1) {}

  // Reads `share` of the buffer on LibTorch's threads, in `streams` at once each; returns bytes a second.
  double read(std::size_t streams, double share = 1) {
    const auto words = static_cast<std::int64_t>(static_cast<double>(words_.size()) * share);
    const double seconds = seconds_of([&] {
      at::parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t first, std::int64_t last) {
        const std::int64_t begin = words * first / at::get_num_threads();
        const std::int64_t end = words * last / at::get_num_threads();
        const std::int64_t part = (end - begin) / static_cast<std::int64_t>(streams) / 8 * 8;
        std::uint64_t sum[8] = {};
        for (std::int64_t i = 0; i < part; i += 8) {
          for (std::size_t s = 0; s < streams; ++s) {
            const std::uint64_t* at = words_.data() + begin + static_cast<std::int64_t>(s) * part + i;
            for (int k = 0; k < 8; ++k) sum[k] ^= at[k];
          }
        }
        for (const std::uint64_t s : sum) sink_ = sink_ + s;
      });
    });
    return static_cast<double>(words) * 8 / seconds;
  }
  // The best of several ways.
  double bandwidth() {
    double best = 0;
    for (int round = 0; round < 3; ++round) {
      for (const std::size_t streams : {1, 2, 4, 8}) best = std::max(best, read(streams));
    }
    return best;
  }

 private:
  std::vector<std::uint64_t> words_;
  std::atomic<std::uint64_t> sink_{0};
};

// Seconds a call: rounds of `calls` calls of each, in turn; the median round. Work gets the number of the call, to take
// other data each time: what one call read must have left the caches when it is read again.
using Numbered = std::function<void(std::size_t)>;
inline std::vector<double> in_turn(const std::vector<Numbered>& works, std::size_t calls, int rounds) {
  std::vector<std::vector<double>> times(works.size());
  for (const Numbered& work : works) {
    stop_if_interrupted();
    work(0);
  }
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t k = 0; k < works.size(); ++k) {
      const double seconds = seconds_of([&] {
        for (std::size_t i = 0; i < calls; ++i) {
          stop_if_interrupted();
          works[k](i);
        }
      });
      times[k].push_back(seconds / static_cast<double>(calls));
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& t : times) {
    std::nth_element(t.begin(), t.begin() + static_cast<std::ptrdiff_t>(t.size() / 2), t.end());
    medians.push_back(t[t.size() / 2]);
  }
  return medians;
}

// The name of the library that LibTorch's matrix products of floats come from; OpenBLAS's with the processor whose
// kernels it runs, as it takes those of an old one where it does not know this one (OPENBLAS_CORETYPE tells it).
inline std::string blas_in_use() {
  std::ifstream maps("/proc/self/maps");
  std::string line, found = "unknown";
  while (std::getline(maps, line)) {
    const std::string name = line.substr(line.find_last_of('/') + 1);
    if (name.find("openblas") != std::string::npos) {
      void* symbol = dlsym(RTLD_DEFAULT, "openblas_get_corename");
      return symbol == nullptr ? name : name + ", kernels for " + reinterpret_cast<const char* (*)()>(symbol)();
    }
    if (name.find("libmkl_core") != std::string::npos || name.find("libblis") != std::string::npos) return name;
    if (name.rfind("libblas", 0) == 0) found = line.find("/blas/") != std::string::npos ? name + " (reference)" : name;
  }
  return found;
}

}  // namespace ogee::bench
