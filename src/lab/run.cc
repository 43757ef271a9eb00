#include "lab/run.h"

#include <ATen/CPUGeneratorImpl.h>
#include <time.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include "data/dataset.h"
#include "lab/measure.h"
#include "lab/optimiser.h"
#include "models/network.h"
#include "ogee/monitor.h"
#include "ogee/torch.h"
#include "tasks/task.h"

namespace ogee::lab {
namespace {

using Clock = std::chrono::steady_clock;

// What a step costs, in seconds from an arbitrary start. On the CPU a run is one thread's, and that thread's own time
// does not grow when other runs or programs want the same core.
double cost_now(bool cuda) {
  timespec time{};
  clock_gettime(cuda ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

constexpr const char* stage_names[] = {"scout", "tune", "result"};
constexpr const char* status_names[] = {"finished", "diverged", "failed", "stopped"};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double median(std::vector<double> values) {
  if (values.empty()) return unknown;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Streams of random numbers of one seed that must not overlap. All arms of a seed share them: the same order of
// examples, the same first weights where shapes agree.
enum : std::uint64_t { for_weights, for_order, for_noise };
std::uint64_t stream(std::uint64_t seed, std::uint64_t which) { return seed * 8 + which; }

double rate_at(const RunKey& key, std::int64_t step) {
  const double warm_up = std::max(1.0, static_cast<double>(key.steps) / 20);
  const double up = std::min(1.0, static_cast<double>(step + 1) / warm_up);
  const double down =
      0.5 * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / static_cast<double>(key.steps)));
  return key.rate * up * down;
}

models::Settings settings_of(const Experiment& experiment, const std::string& arm) {
  models::Settings settings;
  settings.model = experiment.model;
  settings.depth = experiment.depth;
  settings.width = experiment.width;
  settings.activation = arm;
  settings.design = experiment.design;
  return settings;
}

class Run {
 public:
  Run(const Experiment& experiment, const data::Dataset& data, const RunKey& key, const RunHooks& hooks)
      : data_(data),
        key_(key),
        hooks_(hooks),
        batch_(experiment.batch),
        cuda_(experiment.device == "cuda"),
        measured_(key.stage == Stage::result),
        task_(tasks::make_task(data)),
        network_(models::build(settings_of(experiment, key.arm), data, stream(key.seed, for_weights))),
        order_(at::detail::createCPUGenerator(stream(key.seed, for_order))) {
    if (cuda_) network_->to(torch::kCUDA);
    optimiser_ = std::make_unique<FlatAdam>(*network_);
    result_.parameters = network_->parameter_count();
    if (measured_) probe_ = probe_of(data.train);
  }

  RunResult train() {
    const auto start = Clock::now();
    const GeneratorGuard noise(at::detail::createCPUGenerator(stream(key_.seed, for_noise)));
    const std::int64_t steps_per_epoch = data_.train.size() / batch_;
    network_->train();
    if (measured_) measure(0, unknown);
    // At fixed steps, so that the same run finds the same.
    watching_ = std::make_unique<Monitor>(
        *network_, MonitorOptions().every(std::max<std::int64_t>(8, key_.steps / 40)).this_thread(true).print(false));
    for (std::int64_t epoch = 1; step_ < key_.steps && result_.status == Status::finished; ++epoch) {
      const double loss = train_epoch(std::min(steps_per_epoch, key_.steps - step_));
      if (result_.status == Status::finished && measured_) measure(epoch, loss);
    }
    result_.findings = watching_->findings();
    watching_.reset();  // on the thread that made it
    if (result_.status == Status::finished) finish();
    result_.ms_per_step = 1e3 * median(std::move(step_seconds_));
    result_.seconds = seconds_since(start);
    return std::move(result_);
  }

 private:
  // The mean loss of the epoch.
  double train_epoch(std::int64_t steps) {
    const at::Tensor order = torch::randperm(data_.train.size(), order_, torch::kLong).to(data_.train.x.device());
    double sum = 0;
    for (std::int64_t i = 0; i < steps; ++i) {
      if (hooks_.stop && hooks_.stop->load(std::memory_order_relaxed)) {
        result_.status = Status::stopped;
        return unknown;
      }
      const double start = cost_now(cuda_);
      const at::Tensor chosen = order.narrow(0, i * batch_, batch_);
      const at::Tensor loss =
          task_->loss(network_->forward(data_.train.x.index_select(0, chosen)), data_.train.y.index_select(0, chosen));
      // On a GPU this waits for it, so that the time of the step is all of it.
      const double value = loss.item<double>();
      optimiser_->zero_gradients();
      loss.backward();
      optimiser_->step(rate_at(key_, step_));
      if (cuda_) torch::cuda::synchronize();
      step_seconds_.push_back(cost_now(cuda_) - start);
      ++step_;
      if (hooks_.steps_done) hooks_.steps_done->fetch_add(1, std::memory_order_relaxed);
      sum += value;
      if (!std::isfinite(value)) {
        diverge("the training loss became " + std::string(std::isnan(value) ? "NaN" : "infinite"));
        return unknown;
      }
    }
    return sum / static_cast<double>(steps);
  }

  void measure(std::int64_t epoch, double train_loss) {
    if (watching_) watching_->pause();
    const tasks::Score score = tasks::evaluate(*task_, *network_, data_.validation);
    Point point{epoch, train_loss, score.error, score.loss, gradient_norms(*network_, *task_, probe_)};
    if (hooks_.point) hooks_.point(point);
    result_.points.push_back(std::move(point));
    if (watching_) watching_->resume();
  }

  void finish() {
    const tasks::Score validation = tasks::evaluate(*task_, *network_, data_.validation);
    if (!std::isfinite(validation.loss)) return diverge("the network's outputs are no finite numbers");
    result_.validation_error = validation.error;
    result_.validation_loss = validation.loss;
    if (!measured_) return;
    const Health seen = health(*network_, data_.train);
    result_.dead = seen.dead;
    result_.saturated = seen.saturated;
    const tasks::Score test = tasks::evaluate(*task_, *network_, data_.test);
    if (!std::isfinite(test.loss)) return diverge("the network's outputs are no finite numbers");
    result_.test_error = test.error;
    result_.test_loss = test.loss;
  }

  void diverge(std::string message) {
    result_.status = Status::diverged;
    result_.message = std::move(message) + " at step " + std::to_string(step_);
  }

  const data::Dataset& data_;
  const RunKey& key_;
  const RunHooks& hooks_;
  const std::int64_t batch_;
  const bool cuda_, measured_;
  const std::unique_ptr<tasks::Task> task_;
  const std::shared_ptr<models::Network> network_;
  at::Generator order_;
  std::unique_ptr<FlatAdam> optimiser_;
  data::Part probe_;
  std::int64_t step_ = 0;
  std::vector<double> step_seconds_;
  std::unique_ptr<Monitor> watching_;
  RunResult result_;
};

template <std::size_t N>
std::size_t index_of(const char* const (&names)[N], const std::string& name) {
  const auto found = std::find(std::begin(names), std::end(names), name);
  if (found == std::end(names)) throw std::runtime_error("results.db: unknown word '" + name + "'");
  return static_cast<std::size_t>(found - names);
}

}  // namespace

const char* name_of(Stage stage) { return stage_names[static_cast<std::size_t>(stage)]; }
const char* name_of(Status status) { return status_names[static_cast<std::size_t>(status)]; }
Stage stage_named(const std::string& name) { return static_cast<Stage>(index_of(stage_names, name)); }
Status status_named(const std::string& name) { return static_cast<Status>(index_of(status_names, name)); }

RunResult train(const Experiment& experiment, const data::Dataset& data, const RunKey& key, const RunHooks& hooks) {
  try {
    return Run(experiment, data, key, hooks).train();
  } catch (const std::exception& error) {
    // One arm that cannot run must not take the others with it.
    RunResult result;
    result.status = Status::failed;
    result.message = error.what();
    result.message = result.message.substr(0, result.message.find('\n'));
    return result;
  }
}

}  // namespace ogee::lab
