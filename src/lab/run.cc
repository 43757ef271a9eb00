#include "lab/run.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <optional>
#include <stdexcept>

#include "lab/clock.h"
#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "lab/alike.h"
#include "lab/batch.h"
#include "lab/checkpoint.h"
#include "lab/curriculum.h"
#include "lab/measure.h"
#include "lab/optimiser.h"
#include "lab/run_json.h"
#include "lab/slice.h"
#include "lab/streams.h"
#include "lab/team.h"
#include "models/carrying.h"
#include "models/chain.h"
#include "models/network.h"
#include "ogee/monitor.h"
#include "ogee/torch.h"
#include "tasks/task.h"

namespace ogee::lab {
namespace {

// What a step costs, in seconds from an arbitrary start. On the CPU a run is one thread's, and that thread's own time
// does not grow when other runs or programs want the same core. A GPU, or another rank, is waited for.
double cost_now(bool thread_alone) {
  timespec time{};
  clock_gettime(thread_alone ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

using Json = nlohmann::ordered_json;

constexpr const char* stage_names[] = {"scout", "tune", "result"};
constexpr const char* status_names[] = {"finished", "diverged", "failed", "stopped"};

double median(std::vector<double> values) {
  if (values.empty()) return unknown;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Ranks draw different noise for their parts of a batch, and each step of each rank has a stream of its own, so that a
// run which goes on from a checkpoint needs none of the others' generators. (SplitMix64's mixing.)
std::uint64_t step_stream(std::uint64_t seed, std::int64_t step, int rank) {
  std::uint64_t z = seed_of(seed, Stream::noise) + 0x9e3779b97f4a7c15 * static_cast<std::uint64_t>(step + 1) +
                    0xd1b54a32d192ed03 * static_cast<std::uint64_t>(rank);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// The step, from 0, whose memory is measured: the optimiser has what it keeps by then, and the monitor, which looks at
// the first steps and then every eighth at most, does not look. It takes the way that everybody's steps take, of which
// a chain (models/chain.h) would show nothing.
constexpr std::int64_t typical_step = 5;

double rate_at(const RunKey& key, const RateCourse& course, std::int64_t step, std::int64_t epoch) {
  if (course.epochs > 0)
    return key.rate *
           std::pow(course.factor, static_cast<double>(std::max<std::int64_t>(0, epoch + 1 - course.epochs)));
  const double warm_up = std::max(1.0, static_cast<double>(key.steps) / 20);
  const double up = std::min(1.0, static_cast<double>(step + 1) / warm_up);
  const double down =
      0.5 * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / static_cast<double>(key.steps)));
  return key.rate * up * down;
}

// Weights and biases, not what activations learn.
void start_uniformly(models::Network& network, double range, at::Generator random) {
  const torch::NoGradGuard no_gradients;
  for (const auto& item : network.named_parameters())
    if (item.key().find("_activation.") == std::string::npos) item.value().uniform_(-range, range, random);
}

class Run {
 public:
  Run(const Experiment& experiment, const data::Dataset& data, const RunKey& key, const RunHooks& hooks)
      : data_(data),
        key_(key),
        arm_(experiment.arm(key.arm)),
        taught_(arm_.regime.empty() ? data.train : data.levels.train),
        hooks_(hooks),
        team_(hooks.team),
        leads_(!team_ || team_->leads()),
        batch_(experiment.batch_of(arm_)),
        cuda_(experiment.device == "cuda"),
        measured_(key.stage == Stage::result),
        task_(tasks::make_task(data, experiment.metric)),
        network_(models::build(settings_of(experiment, arm_, key), data, seed_of(key.seed, Stream::weights))),
        carrying_(experiment.carry_state ? dynamic_cast<models::Carrying*>(network_.get()) : nullptr),
        rate_course_(experiment.rate_course),
        order_(generator_of(key.seed, Stream::order)),
        noise_(generator_of(key.seed, Stream::noise)) {
    if (experiment.initial_range > 0)
      start_uniformly(*network_, experiment.initial_range, generator_of(key.seed, Stream::weights));
    if (carrying_) carrying_->carries = true;
    for (const Schedule& schedule : arm_.schedules) lowered_.push_back({schedule.from});
    if (cuda_) network_->to(torch::kCUDA);
    optimiser_ = make_optimiser(experiment.optimiser, *network_);
    result_.parameters = network_->parameter_count();
    if (measured_ && leads_) probe_ = probe_of(data.train);
    if (arm_.curriculum > 0) curriculum_ = Curriculum(data.difficulty, arm_.curriculum, key.steps);
    if (!arm_.regime.empty()) {
      climb_.emplace(arm_.regime, data.levels.sizes);
      judge_ = tasks::make_task(data, "error");
    }
    epoch_order_ = order_.get_state();
    // At fixed steps, so that the same run finds the same.
    watch_.every(std::max<std::int64_t>(8, key.steps / 40)).this_thread(true).print(false);
  }

  // Goes on from what `state` gave. Throws on anything else, and must not be used then.
  void restore(const std::string& state) {
    const Json json = Json::from_cbor(state);
    for (std::size_t i = 0; const at::Tensor& tensor : tensors()) unpack(json.at("tensors").at(i++), tensor);
    step_ = json.at("step").get<std::int64_t>();
    optimiser_->steps = step_;
    epoch_ = json.at("epoch").get<std::int64_t>();
    in_epoch_ = json.at("in_epoch").get<std::int64_t>();
    loss_sum_ = json.at("loss_sum").get<double>();
    result_.memory = json.at("memory").get<double>();
    set_state(order_, json.at("order"));
    set_state(noise_, json.at("noise"));
    seconds_before_ = json.at("seconds").get<double>();
    step_seconds_ = json.at("step_seconds").get<std::vector<double>>();
    watched_ = json.at("watched").get<std::string>();
    if (carrying_)
      for (const Json& each : json.at("carried"))
        carrying_->carried.push_back(each.is_null() ? at::Tensor() : unpacked(each));
    for (std::size_t i = 0; Lowering & lowered : lowered_) {
      const Json& its = json.at("lowered").at(i++);
      lowered = {its.at(0).get<double>(), its.at(1).get<double>(), its.at(2).get<std::int64_t>()};
    }
    if (climb_) {
      const Json& its = json.at("climb");
      climb_->state = {its.at(0).get<std::int64_t>(), its.at(1).get<double>(), its.at(2).get<std::int64_t>()};
    }
    json.at("points").get_to(result_.points);
    if (hooks_.point)
      for (const Point& point : result_.points) hooks_.point(point);
    if (hooks_.steps_done) hooks_.steps_done->fetch_add(step_, std::memory_order_relaxed);
    resumed_ = true;
  }

  RunResult train() {
    const GeneratorGuard noise(noise_);
    network_->train();
    if (!resumed_ && measured_) {
      measure(0, unknown);
      if (hooks_.network) hooks_.network(*network_, false);
    }
    if (leads_) {
      watching_ = std::make_unique<Monitor>(*network_, watch_);
      if (resumed_) watching_->restore(watched_, *network_);
    }
    while (step_ < key_.steps && result_.status == Status::finished) train_epoch();
    if (watching_) result_.findings = watching_->findings();
    watching_.reset();  // on the thread that made it
    if (result_.status == Status::finished) finish();
    result_.ms_per_step = 1e3 * median(std::move(step_seconds_));
    result_.seconds = seconds();
    return std::move(result_);
  }

 private:
  static models::Settings settings_of(const Experiment& experiment, const ArmSettings& arm, const RunKey& key) {
    models::Settings settings;
    settings.model = experiment.model;
    settings.depth = arm.depth > 0 ? arm.depth : experiment.depth;
    settings.width = arm.width > 0 ? arm.width : experiment.width;
    settings.activation = activation_of(arm, key.attributes);
    settings.match_parameters = experiment.match_parameters;
    settings.per_channel = arm.per_channel;
    settings.design = experiment.design;
    return settings;
  }

  static void set_state(at::Generator& generator, const Json& json) {
    at::Tensor state = generator.get_state();
    unpack(json, state);
    generator.set_state(state);
  }

  // All that a step changes.
  std::vector<at::Tensor> tensors() const {
    std::vector<at::Tensor> all = optimiser_->state();
    for (const at::Tensor& buffer : network_->buffers()) all.push_back(buffer);
    return all;
  }

  double seconds() const { return seconds_before_ + seconds_since(start_); }

  // Between two steps. False while the monitor looks, which is over a few steps later, and before the memory of a step
  // has been measured, which a process's first steps have more of.
  bool keep() {
    if (step_ <= typical_step) return false;
    const std::string watched = watching_->save();
    if (watched.empty()) return false;
    Json json{{"step", step_},
              {"epoch", epoch_},
              {"in_epoch", in_epoch_},
              {"loss_sum", loss_sum_},
              {"memory", result_.memory},
              {"order", pack(epoch_order_)},
              {"noise", pack(noise_.get_state())},
              {"seconds", seconds()},
              {"step_seconds", step_seconds_},
              {"watched", watched},
              {"tensors", Json::array()},
              {"points", result_.points}};
    for (const at::Tensor& tensor : tensors()) json["tensors"].push_back(pack(tensor));
    if (carrying_) {
      json["carried"] = Json::array();
      for (const at::Tensor& each : carrying_->carried) json["carried"].push_back(each.defined() ? pack(each) : Json());
    }
    for (const Lowering& each : lowered_) json["lowered"].push_back({each.value, each.best, each.waited});
    if (climb_) json["climb"] = {climb_->state.level, climb_->state.best, climb_->state.waited};
    const auto bytes = Json::to_cbor(json);
    hooks_.keep({bytes.begin(), bytes.end()});
    kept_ = Clock::now();
    return true;
  }

  // Whether to stop here.
  bool pause_here() {
    if (team_) return pause_together();
    if (!hooks_.keep) return stopped();
    if (stopped()) return keep();
    if (seconds_since(kept_) >= hooks_.keep_seconds) keep();
    return false;
  }
  // All ranks must stop at the same step: the leader says so along with a step's gradients, once it has kept the state,
  // and what that step did is done again.
  bool pause_together() {
    if (!leads_) return false;
    if (stop_wanted_ || stopped())
      leaving_ = !hooks_.keep || keep();
    else if (hooks_.keep && seconds_since(kept_) >= hooks_.keep_seconds)
      keep();
    return false;
  }
  bool stopped() const { return hooks_.stop && hooks_.stop->load(std::memory_order_relaxed); }

  // What is left of an epoch, and what is measured after it.
  void train_epoch() {
    const std::int64_t whole = data_.train.size() / batch_;
    const std::int64_t steps = std::min(whole, key_.steps - (step_ - in_epoch_));
    epoch_order_ = order_.get_state();
    at::Tensor order;
    if (carrying_) {
      // A row's windows follow one another; the first of all rows are the first step.
      order = torch::arange(whole * batch_, torch::kLong).view({batch_, whole}).t().reshape({-1});
      if (in_epoch_ == 0) carrying_->carried.clear();
    } else {
      const at::Tensor permutation = torch::randperm(data_.train.size(), order_, torch::kLong);
      order = climb_ ? climb_->order(permutation, order_)
                     : alike(curriculum_.order(permutation, step_ - in_epoch_), data_.lengths, batch_);
    }
    order = order.to(taught_.x.device());
    while (in_epoch_ < steps) {
      if (pause_here()) {
        result_.status = Status::stopped;
        return;
      }
      train_step(order.narrow(0, in_epoch_ * batch_, batch_));
      if (result_.status != Status::finished) return;
    }
    ++epoch_;
    const double loss = loss_sum_ / static_cast<double>(steps);
    in_epoch_ = 0;
    loss_sum_ = 0;
    if (measured_)
      measure(epoch_, loss);
    else if (by_validation())
      lower(evaluate(data_.validation).error);
    if (climb_ && climb_->climbs() && step_ < key_.steps) climb();
  }

  // To the next level, or not yet.
  void climb() {
    if (watching_) watching_->pause();
    const data::Part& reached = data_.levels.validation[static_cast<std::size_t>(climb_->state.level)];
    climb_->look(1 - evaluate(reached, *judge_).error);
    if (watching_) watching_->resume();
  }

  bool by_validation() const {
    return std::any_of(arm_.schedules.begin(), arm_.schedules.end(),
                       [](const Schedule& s) { return s.shape == Schedule::Shape::validation; });
  }
  void lower(double error) {
    for (std::size_t i = 0; i < lowered_.size(); ++i)
      if (arm_.schedules[i].shape == Schedule::Shape::validation) lowered_[i].look(arm_.schedules[i], error);
  }

  void train_step(const at::Tensor& chosen) {
    // One step's memory stands for all.
    std::optional<PeakMemory> memory;
    if (measured_ && step_ == typical_step) memory.emplace();
    const bool thread_alone = !cuda_ && !team_;
    const double start = cost_now(thread_alone);
    if (watching_) watching_->between_steps();
    for (std::size_t i = 0; i < lowered_.size(); ++i) {
      const Schedule& schedule = arm_.schedules[i];
      const double value =
          schedule.shape == Schedule::Shape::validation ? lowered_[i].value : schedule.at(step_, key_.steps);
      for (auto& layer : network_->layers) layer.unit->set(schedule.attribute, value);
    }
    const double value = team_ ? differentiate_together(chosen) : differentiate(chosen);
    optimiser_->step(rate_at(key_, rate_course_, step_, epoch_));
    if (cuda_) torch::cuda::synchronize();
    step_seconds_.push_back(cost_now(thread_alone) - start);
    if (memory) result_.memory = memory->peak();
    ++step_;
    ++in_epoch_;
    if (hooks_.steps_done) hooks_.steps_done->fetch_add(1, std::memory_order_relaxed);
    loss_sum_ += value;
    if (!std::isfinite(value))
      diverge("the training loss became " + std::string(std::isnan(value) ? "NaN" : "infinite"));
    else if (told_to_leave_)
      result_.status = Status::stopped;
  }

  // The loss of these examples; its gradients are the optimiser's then.
  double differentiate(const at::Tensor& chosen) {
    const auto [x, y] = batch_of(taught_, chosen);
    if (models::Chain* const chain = network_->chain(); chain && step_ != typical_step) {
      if (const at::Tensor rows = x.flatten(1); chain->trains(rows)) {
        const tasks::Task::Differentiated found = task_->differentiated(chain->forward(rows, true), y);
        chain->backward(found.gradient);
        return found.loss;
      }
    }
    at::Tensor loss = task_->loss(network_->forward(x), y);
    if (const at::Tensor more = network_->penalty(); more.defined()) loss = loss + more;
    // On a GPU this waits for it, so that the time of the step is all of it.
    const double value = loss.item<double>();
    optimiser_->zero_gradients();
    loss.backward();
    return value;
  }

  // The same by all ranks, each with its part of the examples. Losses are means over examples or tokens, so that parts
  // count by how many they have. What else all must know goes along: the loss, who wants to stop, whether the leader
  // says so, and whether it failed somewhere.
  double differentiate_together(const at::Tensor& chosen) {
    const Slice mine = slice_of(chosen.size(0), team_->rank(), team_->world());
    const at::Tensor asked = taught_.y.index_select(0, chosen);
    const double weight = task_->weight(asked.narrow(0, mine.from, mine.count)) / task_->weight(asked);
    noise_.set_current_seed(step_stream(key_.seed, step_, team_->rank()));
    double value = 0;
    std::string failure;
    try {
      if (weight > 0)
        value = differentiate(chosen.narrow(0, mine.from, mine.count));
      else
        optimiser_->zero_gradients();
    } catch (const std::exception& error) {
      failure = error.what();
      optimiser_->zero_gradients();
    }
    const torch::NoGradGuard no_gradients;
    at::Tensor exchanged = optimiser_->exchanged();
    optimiser_->gradients().mul_(weight);
    at::Tensor said = exchanged.narrow(0, exchanged.numel() - FlatOptimiser::spare, FlatOptimiser::spare);
    said.copy_(
        torch::tensor({weight * value, stopped() ? 1.0 : 0.0, leaving_ ? 1.0 : 0.0, failure.empty() ? 0.0 : 1.0}));
    team_->sum(exchanged);
    const at::Tensor heard = said.to(torch::kCPU, torch::kDouble);
    const auto* numbers = heard.data_ptr<double>();
    stop_wanted_ = numbers[1] > 0;
    told_to_leave_ = numbers[2] > 0;
    if (numbers[3] > 0) fail_together(failure);
    return numbers[0];
  }
  [[noreturn]] void fail_together(const std::string& failure) {
    const std::vector<std::string> failures = team_->from_all(failure);
    const auto first = std::find_if(failures.begin(), failures.end(), [](const auto& text) { return !text.empty(); });
    throw std::runtime_error(*first);
  }

  // By all ranks, each with its part of the examples.
  tasks::Score evaluate(const data::Part& part) const { return evaluate(part, *task_); }
  tasks::Score evaluate(const data::Part& part, const tasks::Task& task) const {
    if (!team_) return tasks::evaluate(task, *network_, part);
    const Slice mine = slice_of(part.size(), team_->rank(), team_->world());
    return tasks::evaluate(task, *network_, part,
                           tasks::Share{mine.from, mine.count, [this](at::Tensor& sums) { team_->sum(sums); }});
  }

  void measure(std::int64_t epoch, double train_loss) {
    if (watching_) watching_->pause();
    const tasks::Score score = evaluate(data_.validation);
    if (epoch > 0) lower(score.error);  // runs that tune do not look at the untrained network
    if (!leads_) return;
    Seen seen = look(*network_, *task_, probe_, key_.seed == 1);
    Point point{epoch, train_loss, score.error, score.loss, std::move(seen.gradients), std::move(seen.histograms), {}};
    for (const Schedule& schedule : arm_.schedules)
      point.scheduled[schedule.attribute] = network_->layers.at(0).unit->activation().parameter(schedule.attribute);
    if (climb_ && climb_->staged()) point.scheduled["level"] = static_cast<double>(climb_->state.level + 1);
    if (hooks_.point) hooks_.point(point);
    result_.points.push_back(std::move(point));
    if (watching_) watching_->resume();
  }

  void finish() {
    const tasks::Score validation = evaluate(data_.validation);
    if (!std::isfinite(validation.loss)) return diverge("the network's outputs are no finite numbers");
    result_.validation_error = validation.error;
    result_.validation_loss = validation.loss;
    if (!measured_) return;
    if (leads_) {
      const Health seen = health(*network_, data_.train);
      result_.dead = seen.dead;
      result_.saturated = seen.saturated;
    }
    const tasks::Score test = evaluate(data_.test);
    if (!std::isfinite(test.loss)) return diverge("the network's outputs are no finite numbers");
    result_.test_error = test.error;
    result_.test_loss = test.loss;
    result_.further = test.further;
    if (hooks_.network) hooks_.network(*network_, true);
  }

  void diverge(std::string message) {
    result_.status = Status::diverged;
    result_.message = std::move(message) + " at step " + std::to_string(step_);
  }

  const data::Dataset& data_;
  const RunKey& key_;
  const ArmSettings& arm_;
  const data::Part& taught_;  // what steps take their examples from
  const RunHooks& hooks_;
  Team* const team_;
  const bool leads_;
  const std::int64_t batch_;
  const bool cuda_, measured_;
  const std::unique_ptr<tasks::Task> task_;
  const std::shared_ptr<models::Network> network_;
  models::Carrying* const carrying_;  // where batches go on from one another
  const RateCourse rate_course_;
  at::Generator order_, noise_;
  std::unique_ptr<FlatOptimiser> optimiser_;
  data::Part probe_;
  Curriculum curriculum_;
  std::optional<Climb> climb_;          // where the arm has a curriculum by levels
  std::unique_ptr<tasks::Task> judge_;  // of accuracy, for it
  MonitorOptions watch_;
  std::unique_ptr<Monitor> watching_;
  RunResult result_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point kept_ = start_;
  // All that a checkpoint carries beside the tensors.
  std::int64_t step_ = 0, epoch_ = 0, in_epoch_ = 0;  // steps, whole epochs, steps of the epoch at hand
  double loss_sum_ = 0;                               // of the epoch at hand
  at::Tensor epoch_order_;                            // of `order_`, before it drew the epoch's order
  double seconds_before_ = 0;
  std::vector<double> step_seconds_;
  std::string watched_;
  std::vector<Lowering> lowered_;  // one for each schedule of the arm
  bool resumed_ = false;
  bool stop_wanted_ = false, leaving_ = false, told_to_leave_ = false;  // with a team
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
    auto run = std::make_unique<Run>(experiment, data, key, hooks);
    if (!hooks.state.empty()) {
      try {
        run->restore(hooks.state);
      } catch (const StoreFailure&) {
        throw;
      } catch (const std::exception& error) {
        if (hooks.damaged) hooks.damaged(error.what());
        run = std::make_unique<Run>(experiment, data, key, hooks);
      }
    }
    return run->train();
  } catch (const StoreFailure&) {
    throw;
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
