#include "lab/workshop.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <tuple>
#include <utility>

#include "lab/clock.h"
#include "ogee/libtorch.h"
#include "lab/blas.h"
#include "lab/checkpoint.h"
#include "lab/plan.h"
#include "lab/run.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

namespace files = std::filesystem;

constexpr double beat_seconds = 5, look_again_seconds = 0.5;

// A queue of runs that grows as results come in, and the threads that work it off. Every run is a function of its key
// alone, so that neither the number of workers nor their pace, nor other processes that share the store, can change a
// result.
class Workshop {
 public:
  Workshop(const Experiment& experiment, const data::Dataset& data, Store& store, const Options& options, Ranks* ranks,
           Together* together)
      : experiment_(experiment),
        data_(data),
        store_(store),
        options_(options),
        ranks_(ranks),
        together_(together),
        checkpoints_(files::path(store.path()).parent_path() / "checkpoints"),
        plan_(experiment) {
    std::error_code error;
    files::create_directories(checkpoints_, error);
    if (store.alone()) clean();
    push(plan_.start());
  }

  std::vector<std::string> run() {
    const int wanted = together_ ? 1 : workers_of(options_);
    std::vector<std::thread> workers;
    for (int i = 0; i < wanted; ++i) workers.emplace_back([this] { work(std::nullopt); });
    {
      std::unique_lock lock(mutex_);
      while (!done()) {
        changed_.wait_for(lock, std::chrono::milliseconds(250));
        halt_ = stopped();
        seat(workers);
        beat(lock);
        look_elsewhere();
        report(lock);
      }
    }
    halt_ = true;  // an error ends the other runs, too
    changed_.notify_all();
    for (std::thread& worker : workers) worker.join();
    std::unique_lock lock(mutex_);
    report(lock);
    if (error_) std::rethrow_exception(error_);
    files::remove(checkpoints_, unimportant_);  // if it is empty
    if (ranks_) {
      for (std::string& text : ranks_->lost()) remark(std::move(text));
    }
    return remarks_;
  }

 private:
  // With the lock held. What the store has already is taken from it at once.
  void push(std::vector<RunKey> keys) {
    while (!keys.empty()) {
      std::vector<RunKey> next;
      for (const RunKey& key : keys) {
        if (const auto known = store_.find(key)) {
          ++runs_done_;
          steps_known_ += key.steps;
          for (RunKey& more : plan_.finish(key, *known)) next.push_back(std::move(more));
        } else {
          queue_.emplace(std::tuple(key.stage, key.seed, queued_++), key);
        }
      }
      keys = std::move(next);
    }
  }

  bool stopped() const { return told_to_stop_ || (options_.stop && options_.stop->load()); }
  bool done() const { return error_ || (running_ == 0 && ((queue_.empty() && elsewhere_.empty()) || stopped())); }

  // With the lock held: what another process had in hand may be done by now, or given up.
  void look_elsewhere() {
    if (elsewhere_.empty() || error_ || seconds_since(looked_) < look_again_seconds) return;
    looked_ = Clock::now();
    try {
      push(std::exchange(elsewhere_, {}));
    } catch (...) {
      error_ = std::current_exception();
    }
    changed_.notify_all();
  }

  void beat(std::unique_lock<std::mutex>& lock) {
    if (error_ || seconds_since(beat_) < beat_seconds) return;
    beat_ = Clock::now();
    lock.unlock();
    std::exception_ptr error;
    try {
      store_.beat();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error) error_ = error;
  }

  // With the lock held: a thread for each thread of another rank, which waits while that one trains.
  void seat(std::vector<std::thread>& workers) {
    if (!ranks_ || error_) return;
    for (const Ranks::Seat& place : ranks_->seats())
      if (seated_.insert(place).second) workers.emplace_back([this, place] { work(place); });
  }

  // On this rank, or at a seat of another one, until there is no more to do or that rank is gone.
  void work(const std::optional<Ranks::Seat>& place) {
    // Each run is one thread's: operators of this size lose more by sharing than they gain.
    at::set_num_threads(1);
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait_for(lock, std::chrono::milliseconds(250),
                        [this] { return done() || (!queue_.empty() && !stopped()); });
      if (done()) return;
      if (queue_.empty() || stopped()) continue;
      const RunKey key = queue_.extract(queue_.begin()).mapped();
      ++running_;
      lock.unlock();
      std::exception_ptr error;
      std::optional<RunResult> result;
      bool gone = false;
      try {
        result = perform(key, place);
      } catch (const Lost&) {  // somebody else's now
      } catch (const Ranks::Gone&) {
        gone = true;
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      --running_;
      try {
        if (error) std::rethrow_exception(error);
        if (gone)
          queue_.emplace(std::tuple(key.stage, key.seed, queued_++), key);
        else if (!result)
          elsewhere_.push_back(key);
        else if (result->status != Status::stopped)
          take_in(key, *result);
      } catch (...) {
        error_ = std::current_exception();
      }
      changed_.notify_all();
      if (gone) return;
    }
  }

  // With the lock held.
  void take_in(const RunKey& key, const RunResult& result) {
    ++runs_done_;
    latest_ = key.stage == Stage::result ? fmt::format("{}, seed {}", key.arm, key.seed)
                                         : fmt::format("{}, rate {:g}", key.arm, key.rate);
    push(plan_.finish(key, result));
  }

  // Nothing if another process has it in hand. Throws Ranks::Gone with the claim given back.
  std::optional<RunResult> perform(const RunKey& key, const std::optional<Ranks::Seat>& place) {
    const Claim claim = store_.claim(key);
    if (claim.state == Claim::State::elsewhere) return std::nullopt;
    if (claim.state == Claim::State::done) return claim.result;
    const std::string path = (checkpoints_ / fmt::format("run-{}", claim.run)).string();
    RunHooks hooks;
    hooks.stop = &halt_;
    hooks.steps_done = &steps_done_;
    hooks.keep_seconds = options_.keep_seconds;
    hooks.point = [&](const Point& point) { store_.point(claim.run, point); };
    if (options_.network)
      hooks.network = [&](models::Network& network, bool trained) { options_.network(key, network, data_, trained); };
    hooks.keep = [&](const std::string& bytes) { keep(path, bytes); };
    hooks.damaged = [&](const std::string& why) { remark(fmt::format("{}: {}; the run started anew", path, why)); };
    if (claim.begun) {
      try {
        hooks.state = read_checkpoint(path);
      } catch (const Error& error) {
        remark(fmt::format("{}; the run started anew", error.what()));
      }
    }
    RunResult result;
    try {
      result = together_ ? together_->train(experiment_, data_, key, hooks)
               : place   ? ranks_->train(*place, key, hooks)
                         : train(experiment_, data_, key, hooks);
      // Any rank may be told to stop, and all do.
      if (together_ && result.status == Status::stopped) told_to_stop_ = true;
      // A rank that stops while the rest goes on has been told to leave.
      if (place && result.status == Status::stopped && !halt_) throw Ranks::Gone("stopped");
    } catch (const Ranks::Gone&) {
      store_.release(claim.run);
      throw;
    }
    if (result.status == Status::stopped) {
      store_.release(claim.run);
    } else {
      store_.end(claim.run, result);
      std::error_code ignored;
      files::remove(path, ignored);
    }
    return result;
  }

  // A checkpoint that cannot be written costs nothing but the work it would have saved.
  void keep(const std::string& path, const std::string& bytes) {
    try {
      write_checkpoint(path, bytes);
    } catch (const std::exception& error) {
      remark(fmt::format("a checkpoint could not be kept: {}", error.what()));
    }
  }

  void remark(std::string text) {
    const std::lock_guard lock(remarks_mutex_);
    if (std::find(remarks_.begin(), remarks_.end(), text) == remarks_.end()) remarks_.push_back(std::move(text));
  }

  // What ended programs left: checkpoints of runs that are done, halves of files.
  void clean() {
    std::set<std::string> wanted;
    for (const std::int64_t run : store_.begun()) wanted.insert(fmt::format("run-{}", run));
    for (const auto& entry : files::directory_iterator(checkpoints_, unimportant_))
      if (!wanted.contains(entry.path().filename().string())) files::remove(entry.path(), unimportant_);
    for (const auto& entry : files::directory_iterator(checkpoints_.parent_path(), unimportant_))
      for (const char* ours : {"results.json.", "report.html.", "experiment.toml."})
        if (const std::string name = entry.path().filename().string(); name.starts_with(ours) && name.ends_with(".tmp"))
          files::remove(entry.path(), unimportant_);
  }

  void report(std::unique_lock<std::mutex>& lock) {
    if (!options_.progress) return;
    Progress now;
    now.runs_done = runs_done_;
    now.runs = plan_.runs();
    now.steps_done = steps_done_.load();
    now.steps = plan_.steps() - steps_known_;
    now.seconds = seconds_since(start_);
    now.latest = latest_;
    lock.unlock();
    options_.progress(now);
    lock.lock();
  }

  const Experiment& experiment_;
  const data::Dataset& data_;
  Store& store_;
  const Options& options_;
  Ranks* const ranks_;        // null: nobody else gets runs from this process
  Together* const together_;  // null: runs are not shared
  const files::path checkpoints_;
  const Clock::time_point start_ = Clock::now();
  std::atomic<std::int64_t> steps_done_ = 0;
  std::atomic<bool> halt_ = false, told_to_stop_ = false;
  std::mutex remarks_mutex_;
  std::vector<std::string> remarks_;
  std::error_code unimportant_;
  std::mutex mutex_;  // of all below
  std::condition_variable changed_;
  // Stage by stage and seed by seed, so that what an interruption leaves is as even over the arms as can be.
  std::map<std::tuple<Stage, std::uint64_t, std::int64_t>, RunKey> queue_;
  std::set<Ranks::Seat> seated_;
  std::vector<RunKey> elsewhere_;  // in other processes' hands
  std::int64_t queued_ = 0, runs_done_ = 0, steps_known_ = 0;
  Plan plan_;
  int running_ = 0;
  std::exception_ptr error_;
  std::string latest_;
  Clock::time_point beat_ = start_, looked_ = start_;
};

}  // namespace

int workers_of(const Options& options) {
  if (!blas_is_safe()) return 1;
  return options.workers > 0 ? options.workers : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::string why_one_worker() {
  return blas_is_safe()
             ? ""
             : "one worker only: this OpenBLAS is the build without threads, which two must not call at once";
}

std::vector<std::string> work_off(const Experiment& experiment, const data::Dataset& data, Store& store,
                                  const Options& options, Ranks* ranks, Together* together) {
  const OneBlasThread one;
  return Workshop(experiment, data, store, options, ranks, together).run();
}

}  // namespace ogee::lab
