// A pool of threads kept between calls.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "ogee/ogee.h"

namespace ogee {
namespace {

using Task = std::function<void(std::size_t)>;
using Clock = std::chrono::steady_clock;

// What moving a task's arrays from one core's cache to another's may take.
constexpr std::chrono::microseconds moving{10};

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// Polls a little for what mostly comes soon (the next call, the other thread's last task) before going to sleep, which
// takes longer than a short array does. Returns the word that met the condition.
template <class Condition>
std::uint32_t await(std::atomic<std::uint32_t>& word, Condition condition) {
  constexpr int polls = 64;
  std::uint32_t seen = word.load(std::memory_order_acquire);
  for (int i = 0; i < polls && !condition(seen); ++i) seen = word.load(std::memory_order_acquire);
  if (condition(seen)) return seen;
  const Clock::time_point end = Clock::now() + std::chrono::microseconds(50);
  while (!condition(seen)) {
    if (Clock::now() > end) word.wait(seen);
    for (int i = 0; i < 16 && !condition(seen); ++i) {
      pause();
      seen = word.load(std::memory_order_acquire);
    }
  }
  return seen;
}

// Of a thread's part of a batch: which batch, whether another than its owner began it, and how many tasks are taken. A
// number only grows, so that who comes late to a batch that is over finds a greater one.
class Progress {
 public:
  explicit Progress(std::uint64_t word) : word_(word) {}
  static Progress begun(std::uint64_t batch) { return Progress(batch << batch_shift); }
  static Progress taken_over(std::uint64_t batch) { return Progress(batch << batch_shift | other); }
  std::uint64_t word() const { return word_; }
  std::uint64_t batch() const { return word_ >> batch_shift; }
  bool is_taken_over() const { return (word_ & other) != 0; }
  std::size_t taken() const { return word_ & most_tasks; }
  Progress one_more() const { return Progress(word_ + 1); }
  Progress all() const { return Progress(word_ | most_tasks); }

  static constexpr std::uint64_t most_tasks = (std::uint64_t{1} << 20) - 1;

 private:
  static constexpr int batch_shift = 21;
  static constexpr std::uint64_t other = most_tasks + 1;
  std::uint64_t word_;
};

struct alignas(64) Part {
  std::atomic<std::uint64_t> progress{0};
  alignas(64) std::atomic<std::uint32_t> done{
      0};  // the last batch that its owner began and finished, the lower half of its number
};

// Workers wait for a batch; the caller works too. One batch at a time: a second caller runs its own work alone, which
// also serves calls from inside a task. Every thread has its own part of the tasks, the same in each batch of as many,
// so that a call over the same arrays finds them in the caches where the last one left them. Whoever is done helps
// those that stay so far behind that it is worth the moving of arrays, and takes over the part of one that has not
// begun: a worker that sleeps is not waited for. A batch of short arrays takes a microsecond or two, and each line of
// memory that another core has written a tenth of one: all that starts a batch is in one line, which the workers poll
// before they go to sleep on it.
class Pool {
 public:
  ~Pool() {
    start_.batch.store(stop);
    ring();
    for (std::thread& thread : threads_) thread.join();
  }

  void run(std::size_t threads, std::size_t count, const Task& task) {
    if (count > Progress::most_tasks) {
      const std::size_t each = count / Progress::most_tasks + 1;
      const Task several = [&](std::size_t i) {
        for (std::size_t j = i * each; j < std::min(count, (i + 1) * each); ++j) task(j);
      };
      return run(threads, (count + each - 1) / each, several);
    }
    const std::unique_lock busy(busy_, std::try_to_lock);
    if (!busy.owns_lock() || threads < 2 || count < 2) {
      for (std::size_t i = 0; i < count; ++i) task(i);
      return;
    }
    const std::size_t parts = std::min({threads, count, most_threads});
    while (threads_.size() + 1 < parts) {
      threads_.emplace_back([this, own = threads_.size() + 1, seen = start_.call.load()] { work(own, seen); });
    }
    error_ = nullptr;
    start_.task = &task;
    start_.count = count;
    const std::uint64_t batch = start_.batch.load(std::memory_order_relaxed) / most_threads + 1;
    start_.batch.store(batch * most_threads + parts - 1, std::memory_order_release);
    ring();
    begin(parts_[0], batch);
    drain(0, parts, batch);
    for (std::size_t p = 1; p < parts; ++p) {
      if (Progress(parts_[p].progress.load(std::memory_order_relaxed)).is_taken_over()) continue;
      await(parts_[p].done, [batch](std::uint32_t done) { return done == static_cast<std::uint32_t>(batch); });
    }
    if (error_) std::rethrow_exception(error_);
  }

 private:
  static constexpr std::size_t most_threads = 1024;
  static constexpr std::uint64_t stop = ~std::uint64_t{0};

  // All is written before `batch`, and not again until all who began their parts are done.
  struct alignas(64) Start {
    std::atomic<std::uint32_t> call{0};   // what workers wait on: another number, another batch
    std::atomic<std::uint64_t> batch{0};  // its number, and how many threads it wants, less one
    const Task* task = nullptr;
    std::size_t count = 0;
  };

  void ring() {
    start_.call.store(start_.call.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    start_.call.notify_all();
  }

  // Begins the thread's own part, unless another has or the batch is over.
  static bool begin(Part& part, std::uint64_t batch) {
    std::uint64_t seen = part.progress.load(std::memory_order_relaxed);
    return Progress(seen).batch() < batch &&
           part.progress.compare_exchange_strong(seen, Progress::begun(batch).word(), std::memory_order_acq_rel,
                                                 std::memory_order_relaxed);
  }

  // Takes the next of a part's n tasks, of one that its owner has begun only if `wanted` says so of the numbers of
  // tasks left and taken. Returns the task's number, or n.
  template <class Wanted>
  static std::size_t take(Part& part, std::uint64_t batch, std::size_t n, Wanted wanted) {
    std::uint64_t seen = part.progress.load(std::memory_order_relaxed);
    while (true) {
      Progress now(seen);
      if (now.batch() != batch) now = Progress::taken_over(batch);
      const std::size_t next = now.taken();
      if (next >= n || !(now.is_taken_over() || wanted(n - next, next))) return n;
      if (part.progress.compare_exchange_weak(seen, now.one_more().word(), std::memory_order_acq_rel,
                                              std::memory_order_relaxed)) {
        return next;
      }
    }
  }
  static void take_all(Part& part, std::uint64_t batch) {
    std::uint64_t seen = part.progress.load(std::memory_order_relaxed), all = 0;
    do {
      all = (Progress(seen).batch() == batch ? Progress(seen) : Progress::taken_over(batch)).all().word();
    } while (!part.progress.compare_exchange_weak(seen, all, std::memory_order_acq_rel, std::memory_order_relaxed));
  }

  // The thread's own part, then what is worth it of the others': by how long they have taken so far, what is left would
  // take them longer than moving its arrays. Until nothing is left, one may still turn out to be slow.
  void drain(std::size_t own, std::size_t parts, std::uint64_t batch) {
    const std::size_t count = start_.count;
    const Task& task = *start_.task;
    const auto first = [&](std::size_t p) { return p * count / parts; };
    const auto size = [&](std::size_t p) { return first(p + 1) - first(p); };
    const auto run_one = [&](std::size_t p, const auto& wanted) {
      const std::size_t i = take(parts_[p], batch, size(p), wanted);
      if (i == size(p)) return false;
      task(first(p) + i);
      return true;
    };
    try {
      const Clock::time_point start = Clock::now();
      while (run_one(own, [](std::size_t, std::size_t) { return true; })) {
      }
      for (bool all_taken = false; !all_taken;) {
        all_taken = true;
        const Clock::duration so_far = Clock::now() - start;
        const auto slow = [&](std::size_t left, std::size_t taken) {
          return so_far * left > moving * std::max<std::size_t>(taken, 1);
        };
        for (std::size_t k = 1; k < parts; ++k) {
          const std::size_t p = (own + k) % parts;
          if (run_one(p, slow) || Progress(parts_[p].progress.load(std::memory_order_relaxed)).taken() < size(p)) {
            all_taken = false;
          }
        }
        if (!all_taken) pause();
      }
    } catch (...) {
      for (std::size_t p = 0; p < parts; ++p) take_all(parts_[p], batch);
      const std::lock_guard lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  void work(std::size_t own, std::uint32_t seen) {
    while (true) {
      seen = await(start_.call, [seen](std::uint32_t now) { return now != seen; });
      const std::uint64_t word = start_.batch.load(std::memory_order_acquire);  // of a later call, it may be
      if (word == stop) return;
      const std::uint64_t batch = word / most_threads;
      const std::size_t parts = word % most_threads + 1;
      if (own >= parts || !begin(parts_[own], batch)) continue;
      drain(own, parts, batch);
      parts_[own].done.store(static_cast<std::uint32_t>(batch), std::memory_order_release);
      parts_[own].done.notify_one();
    }
  }

  std::mutex busy_, error_mutex_;
  std::vector<std::thread> threads_;
  std::exception_ptr error_;
  Start start_;
  Part parts_[most_threads];  // the caller's, then each worker's
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
