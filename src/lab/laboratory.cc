#include "lab/laboratory.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <tuple>

#include "data/dataset.h"
#include "lab/plan.h"
#include "lab/report.h"
#include "lab/run.h"
#include "lab/store.h"
#include "lab/summary.h"
#include "lab/tensorboard.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

using Clock = std::chrono::steady_clock;

// OpenBLAS built without threads shares buffers between its callers without locking them: called from two threads at
// once it returns, now and then, wrong products. (Its builds with threads, and the reference BLAS, are safe.)
bool blas_is_safe() {
  const auto kind = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_parallel"));
  return !kind || kind() != 0;
}

int workers_of(const Options& options) {
  if (!blas_is_safe()) return 1;
  return options.workers > 0 ? options.workers : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

bool stopped(const Options& options) { return options.stop && options.stop->load(); }

// A queue of runs that grows as results come in, and the threads that work it off. Every run is a function of its key
// alone, so that neither the number of workers nor their pace can change a result.
class Workshop {
 public:
  Workshop(const Experiment& experiment, const data::Dataset& data, Store& store, const Options& options)
      : experiment_(experiment), data_(data), store_(store), options_(options) {
    progress_.runs = ArmPlan::runs(experiment) * static_cast<std::int64_t>(experiment.activations.size());
    progress_.steps = ArmPlan::steps(experiment) * static_cast<std::int64_t>(experiment.activations.size());
    for (const std::string& arm : experiment.activations) plans_.emplace(arm, ArmPlan(experiment, arm));
    for (const std::string& arm : experiment.activations) push(plans_.at(arm).start());
  }

  void run() {
    const int wanted = workers_of(options_);
    std::vector<std::thread> workers;
    for (int i = 0; i < wanted; ++i) workers.emplace_back([this] { work(); });
    {
      std::unique_lock lock(mutex_);
      while (!done()) {
        changed_.wait_for(lock, std::chrono::milliseconds(250));
        report(lock);
      }
    }
    changed_.notify_all();
    for (std::thread& worker : workers) worker.join();
    std::unique_lock lock(mutex_);
    report(lock);
    if (error_) std::rethrow_exception(error_);
  }

 private:
  // With the lock held. What the store has already is taken from it at once.
  void push(std::vector<RunKey> keys) {
    while (!keys.empty()) {
      std::vector<RunKey> next;
      for (const RunKey& key : keys) {
        if (const auto known = store_.find(key)) {
          ++progress_.runs_done;
          progress_.steps -= key.steps;
          for (RunKey& more : plans_.at(key.arm).finish(key, *known)) next.push_back(std::move(more));
        } else {
          queue_.emplace(std::tuple(key.stage, key.seed, queued_++), key);
        }
      }
      keys = std::move(next);
    }
  }

  bool done() const { return error_ || (running_ == 0 && (queue_.empty() || stopped(options_))); }

  void work() {
    // Each run is one thread's: operators of this size lose more by sharing than they gain.
    at::set_num_threads(1);
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait_for(lock, std::chrono::milliseconds(250),
                        [this] { return done() || (!queue_.empty() && !stopped(options_)); });
      if (done()) return;
      if (queue_.empty() || stopped(options_)) continue;
      const RunKey key = queue_.extract(queue_.begin()).mapped();
      ++running_;
      lock.unlock();
      std::exception_ptr error;
      RunResult result;
      try {
        result = perform(key);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      --running_;
      if (error) {
        error_ = error;
      } else if (result.status != Status::stopped) {
        ++progress_.runs_done;
        progress_.latest = key.stage == Stage::result ? fmt::format("{}, seed {}", key.arm, key.seed)
                                                      : fmt::format("{}, rate {:g}", key.arm, key.rate);
        push(plans_.at(key.arm).finish(key, result));
      }
      changed_.notify_all();
    }
  }

  RunResult perform(const RunKey& key) {
    const std::int64_t id = store_.begin(key);
    RunHooks hooks;
    hooks.stop = options_.stop;
    hooks.steps_done = &steps_done_;
    hooks.point = [&](const Point& point) { store_.point(id, point); };
    RunResult result = train(experiment_, data_, key, hooks);
    if (result.status == Status::stopped)
      store_.drop(id);
    else
      store_.end(id, result);
    return result;
  }

  void report(std::unique_lock<std::mutex>& lock) {
    if (!options_.progress) return;
    Progress now = progress_;
    now.steps_done = steps_done_.load();
    now.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    lock.unlock();
    options_.progress(now);
    lock.lock();
  }

  const Experiment& experiment_;
  const data::Dataset& data_;
  Store& store_;
  const Options& options_;
  const Clock::time_point start_ = Clock::now();
  std::atomic<std::int64_t> steps_done_ = 0;
  std::mutex mutex_;  // of all below
  std::condition_variable changed_;
  // Stage by stage and seed by seed, so that what an interruption leaves is as even over the arms as can be.
  std::map<std::tuple<Stage, std::uint64_t, std::int64_t>, RunKey> queue_;
  std::int64_t queued_ = 0;
  std::map<std::string, ArmPlan> plans_;
  int running_ = 0;
  std::exception_ptr error_;
  Progress progress_;
};

DataFacts facts_of(const data::Dataset& data) {
  DataFacts facts;
  facts.name = data.name;
  facts.classification = data.goal == data::Goal::classification;
  facts.shape = data.shape;
  facts.classes = static_cast<std::int64_t>(data.classes.size());
  facts.train = data.train.size();
  facts.validation = data.validation.size();
  facts.test = data.test.size();
  facts.baseline = data.baseline;
  facts.notes = data.notes;
  return facts;
}

void to_device(data::Dataset& data, const std::string& device) {
  if (device != "cuda") return;
  for (data::Part* part : {&data.train, &data.validation, &data.test}) {
    part->x = part->x.to(torch::kCUDA);
    part->y = part->y.to(torch::kCUDA);
  }
}

}  // namespace

void write_atomically(const std::string& path, const std::string& content) {
  const std::string temporary = path + ".tmp";
  {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    file << content;
    file.close();
    if (!file) throw Error(fmt::format("{}: cannot write", temporary));
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) throw Error(fmt::format("{}: cannot write: {}", path, error.message()));
}

Outcome compare(const Experiment& wanted, const Options& options) {
  data::Dataset data = data::load({wanted.data, wanted.target, wanted.train_limit});
  const Experiment experiment = resolve(wanted, data);
  const std::filesystem::path folder = options.out;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!std::filesystem::is_directory(folder))
    throw Error(
        fmt::format("--out {}: cannot make this folder: {}", options.out, error ? error.message() : "in the way"));
  Store store((folder / "results.db").string(), to_json(experiment).dump());
  to_device(data, experiment.device);

  const auto start = Clock::now();
  Workshop(experiment, data, store, options).run();
  Environment environment;
  environment.command = options.command;
  environment.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  environment.target = target();
  environment.libtorch = TORCH_VERSION;
  environment.workers = workers_of(options);
  if (!blas_is_safe())
    environment.note = "one worker only: this OpenBLAS is the build without threads, which two must not call at once";

  const std::vector<StoredRun> runs = store.all();
  Outcome outcome{Ending::complete, summarise(experiment, facts_of(data), environment, runs)};
  if (!options.tensorboard.empty()) write_events(options.tensorboard, runs);
  write_atomically((folder / "results.json").string(), outcome.results.dump(1) + "\n");
  write_atomically((folder / "report.html").string(), html_report(outcome.results));
  if (!outcome.results["complete"].get<bool>())
    outcome.ending = Ending::stopped;
  else if (outcome.results["recommendation"]["arm"].is_null())
    outcome.ending = Ending::nothing_worked;
  return outcome;
}

}  // namespace ogee::lab
