// A pool of threads kept between calls.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "ogee/ogee.h"

namespace ogee {
namespace {

using Task = std::function<void(std::size_t)>;

// Workers wait for a batch; the caller works too. One batch at a time: a second caller runs its own work alone, which
// also serves calls from inside a task.
class Pool {
 public:
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void run(std::size_t threads, std::size_t count, const Task& task) {
    const std::unique_lock busy(busy_, std::try_to_lock);
    if (!busy.owns_lock() || threads < 2 || count < 2) {
      for (std::size_t i = 0; i < count; ++i) task(i);
      return;
    }
    const std::size_t helpers = std::min(threads, count) - 1;
    {
      const std::lock_guard lock(mutex_);
      while (threads_.size() < helpers) threads_.emplace_back([this, id = threads_.size()] { work(id); });
      task_ = &task;
      count_ = count;
      next_.store(0);
      wanted_ = helpers;
      running_ = helpers;
      error_ = nullptr;
      ++batch_;
    }
    wake_.notify_all();
    drain(task, count);
    spin([this] { return running_.load(std::memory_order_acquire) == 0; });
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  // Waits a little for what mostly comes soon (the next call, the other thread's last task) before going to sleep,
  // which takes longer than a short array does.
  template <class Condition>
  static void spin(Condition condition) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point end = Clock::now() + std::chrono::microseconds(50);
    while (!condition() && Clock::now() < end) {
      for (int i = 0; i < 16 && !condition(); ++i) pause();
    }
  }
  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    std::this_thread::yield();
#endif
  }

  void drain(const Task& task, std::size_t count) {
    try {
      for (std::size_t i = next_.fetch_add(1); i < count; i = next_.fetch_add(1)) task(i);
    } catch (...) {
      next_.store(count);
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  void work(std::size_t id) {
    std::size_t seen = 0;
    std::unique_lock lock(mutex_);
    while (true) {
      lock.unlock();
      spin([&] { return batch_.load(std::memory_order_acquire) != seen; });
      lock.lock();
      wake_.wait(lock, [&] { return stopping_ || (batch_ != seen && id < wanted_); });
      if (stopping_) return;
      seen = batch_;
      const Task* task = task_;
      const std::size_t count = count_;
      lock.unlock();
      drain(*task, count);
      lock.lock();
      if (--running_ == 0) done_.notify_all();
    }
  }

  std::mutex busy_, mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> threads_;
  const Task* task_ = nullptr;
  std::size_t count_ = 0, wanted_ = 0;
  std::atomic<std::size_t> next_{0}, running_{0}, batch_{0};
  std::exception_ptr error_;
  bool stopping_ = false;
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
