// A pool of threads kept between calls.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "ogee/ogee.h"

namespace ogee {
namespace {

using Task = std::function<void(std::size_t)>;

// Workers wait for a batch; the caller works too. One batch at a time: a second caller runs its own work alone, which
// also serves calls from inside a task. Every thread has its own part of the tasks, the same in each batch of as many,
// so that a call over the same arrays finds them in the caches where the last one left them; done with it, it helps the
// others with theirs. A batch of short arrays takes a microsecond or two: what starts and ends it are single words that
// the others poll, before they go to sleep on them.
class Pool {
 public:
  ~Pool() {
    call_.store(stop);
    call_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void run(std::size_t threads, std::size_t count, const Task& task) {
    const std::unique_lock busy(busy_, std::try_to_lock);
    if (!busy.owns_lock() || threads < 2 || count < 2) {
      for (std::size_t i = 0; i < count; ++i) task(i);
      return;
    }
    const std::size_t helpers = std::min({threads, count, std::size_t{most_threads}}) - 1;
    const std::uint32_t last = call_.load(std::memory_order_relaxed);
    if (parts_.size() < helpers + 1) parts_ = std::vector<Part>(helpers + 1);
    while (threads_.size() < helpers) threads_.emplace_back([this, id = threads_.size(), last] { work(id, last); });
    task_ = &task;
    for (std::size_t i = 0; i <= helpers; ++i) {
      parts_[i].next.store(i * count / (helpers + 1), std::memory_order_relaxed);
      parts_[i].end = (i + 1) * count / (helpers + 1);
    }
    error_ = nullptr;
    running_.store(static_cast<std::uint32_t>(helpers), std::memory_order_relaxed);
    const std::uint32_t number = (last / most_threads + 1) % (stop / most_threads);
    call_.store(number * most_threads + static_cast<std::uint32_t>(helpers), std::memory_order_release);
    call_.notify_all();
    drain(task, 0, helpers + 1);
    await(running_, [](std::uint32_t left) { return left == 0; });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  // What wakes the workers: the batch's number, times this, and how many of them are wanted.
  static constexpr std::uint32_t most_threads = 4096;
  static constexpr std::uint32_t stop = ~0U;

  struct alignas(64) Part {
    std::atomic<std::size_t> next{0};
    std::size_t end = 0;
  };

  // Polls a little for what mostly comes soon (the next call, the other thread's last task) before going to sleep,
  // which takes longer than a short array does. Returns the word that met the condition.
  template <class Condition>
  static std::uint32_t await(std::atomic<std::uint32_t>& word, Condition condition) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point end = Clock::now() + std::chrono::microseconds(50);
    std::uint32_t seen = word.load(std::memory_order_acquire);
    while (!condition(seen)) {
      if (Clock::now() > end) word.wait(seen);
      for (int i = 0; i < 16 && !condition(seen); ++i) {
        pause();
        seen = word.load(std::memory_order_acquire);
      }
    }
    return seen;
  }
  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    std::this_thread::yield();
#endif
  }

  void drain(const Task& task, std::size_t own, std::size_t parts) {
    try {
      for (std::size_t k = 0; k < parts; ++k) {
        Part& part = parts_[(own + k) % parts];
        for (std::size_t i = part.next.fetch_add(1); i < part.end; i = part.next.fetch_add(1)) task(i);
      }
    } catch (...) {
      for (std::size_t k = 0; k < parts; ++k) parts_[k].next.store(parts_[k].end);
      const std::lock_guard lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  // Nothing of a batch changes before all that it wants have said that they are done; the others only read its word.
  void work(std::size_t id, std::uint32_t seen) {
    while (true) {
      seen = await(call_, [seen](std::uint32_t now) { return now != seen; });
      if (seen == stop) return;
      const std::size_t wanted = seen % most_threads;
      if (id >= wanted) continue;
      drain(*task_, id + 1, wanted + 1);
      if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_all();
    }
  }

  std::mutex busy_, error_mutex_;
  std::vector<std::thread> threads_;
  std::vector<Part> parts_;  // the caller's, then each worker's
  const Task* task_ = nullptr;
  std::exception_ptr error_;
  alignas(64) std::atomic<std::uint32_t> call_{0};
  alignas(64) std::atomic<std::uint32_t> running_{0};
};

}  // namespace

Parallel on_threads(int threads) {
  if (threads < 1) throw Error("threads must be at least 1, not " + std::to_string(threads));
  return [threads](std::size_t count, const Task& task) {
    static Pool pool;
    pool.run(static_cast<std::size_t>(threads), count, task);
  };
}

}  // namespace ogee
