#include "claims/studies/training_run.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "ogee/libtorch.h"
#include "claims/studies/common.h"
#include "claims/studies/path_probe.h"
#include "claims/studies/unit_probe.h"
#include "lab/optimiser.h"
#include "lab/streams.h"
#include "models/network.h"
#include "models/recording.h"
#include "ogee/torch.h"
#include "tasks/task.h"

namespace ogee::claims {
namespace {

constexpr std::int64_t examples_watched = 32;

class Trainer {
 public:
  Trainer(const TrainingRun& run, const data::Dataset& data)
      : run_(run),
        data_(data),
        batch_(std::min(run.batch, data.train.size())),
        task_(tasks::make_task(data)),
        network_(models::build(settings_of(run), data, lab::seed_of(run.seed, lab::Stream::weights))),
        order_(lab::generator_of(run.seed, lab::Stream::order)),
        noise_(lab::generator_of(run.seed, lab::Stream::noise)) {
    start_from();
    optimiser_ = lab::make_optimiser(run.optimiser, *network_);
    if (run.path) path_.emplace(*network_);
  }

  std::optional<TrainingResult> train(const std::atomic<bool>* stop) {
    const GeneratorGuard noise(noise_);
    network_->train();
    for (std::int64_t step = 0; step < run_.steps; ++step) {
      if (stop && stop->load(std::memory_order_relaxed)) return std::nullopt;
      if (step % run_.every == 0 && look(step)) break;
      if (!take_step()) break;
    }
    // Nothing has been seen of where the last steps led.
    if (!result_.diverged && !done_) look(run_.steps);
    finish();
    return result_;
  }

 private:
  static models::Settings settings_of(const TrainingRun& run) {
    models::Settings settings;
    settings.depth = run.depth;
    settings.width = run.width;
    settings.activation = run.activation;
    return settings;
  }

  void start_from() {
    const torch::NoGradGuard no_gradients;
    std::vector<at::Tensor> weights = weights_of(*network_);
    weights.pop_back();
    for (const at::Tensor& weight : weights) weight.mul_(run_.scale);
    for (const at::Tensor& bias : biases_of(*network_))
      bias.narrow(0, 0, std::llround(run_.share * static_cast<double>(bias.size(0)))).fill_(run_.bias);
  }

  // At the whole training part. True where training ends here.
  bool look(std::int64_t step) {
    {
      const torch::NoGradGuard no_gradients;
      const models::Recording recording(*network_);
      const at::Tensor output = network_->forward(data_.train.x);
      const auto loss = task_->loss(output, data_.train.y).item<double>();
      if (!std::isfinite(loss)) {
        result_.diverged = true;
        return true;
      }
      result_.loss = loss;
      result_.measures["train_error"] =
          task_->error(task_->statistics(output, data_.train.y), static_cast<double>(data_.train.size()));
      units_.look(*network_);
      looked_ = true;
    }
    if (result_.reached < 0 && result_.loss <= run_.target) result_.reached = step;
    done_ = result_.reached >= 0 && run_.stop_at_target;
    if (path_ && !done_) {
      const std::int64_t count = std::min(examples_watched, data_.train.size());
      path_->look(*task_, {data_.train.x.narrow(0, 0, count), data_.train.y.narrow(0, 0, count)});
    }
    return done_;
  }

  // The next examples in an order that is drawn anew for every pass; all of them as they lie.
  data::Part next() {
    if (batch_ == data_.train.size()) return data_.train;
    if (!permutation_.defined() || at_ + batch_ > data_.train.size()) {
      permutation_ = torch::randperm(data_.train.size(), order_, torch::kLong);
      at_ = 0;
    }
    const at::Tensor chosen = permutation_.narrow(0, at_, batch_);
    at_ += batch_;
    return {data_.train.x.index_select(0, chosen), data_.train.y.index_select(0, chosen)};
  }

  bool take_step() {
    const data::Part examples = next();
    optimiser_->zero_gradients();
    const at::Tensor loss = task_->loss(network_->forward(examples.x), examples.y);
    if (!std::isfinite(loss.item<double>())) {
      result_.diverged = true;
      return false;
    }
    loss.backward();
    if (path_) path_->before_step();
    optimiser_->step(run_.rate);
    if (path_) path_->after_step();
    return true;
  }

  void finish() {
    std::map<std::string, double>& measures = result_.measures;
    measures["test_error"] = data_.baseline;
    if (!result_.diverged) {
      const tasks::Score test = tasks::evaluate(*task_, *network_, data_.test);
      // A loss that is finite on one part only.
      result_.diverged = !std::isfinite(test.loss);
      if (!result_.diverged) measures["test_error"] = test.error;
    }
    if (result_.diverged) {
      result_.reached = -1;
      result_.loss = data_.classes.empty() ? 1 : std::log(static_cast<double>(data_.classes.size()));
      measures["train_error"] = data_.baseline;
    }
    measures["diverged"] = result_.diverged ? 1 : 0;
    measures["reached"] = result_.reached >= 0 ? 1 : 0;
    measures["steps"] = static_cast<double>(result_.reached >= 0 ? result_.reached : run_.steps);
    measures["train_loss"] = result_.loss;
    if (looked_) measures.merge(units_.measures());
    if (path_ && !result_.diverged) measures.merge(path_->measures());
  }

  const TrainingRun& run_;
  const data::Dataset& data_;
  const std::int64_t batch_;
  const std::unique_ptr<tasks::Task> task_;
  const std::shared_ptr<models::Network> network_;
  at::Generator order_, noise_;
  std::unique_ptr<lab::FlatOptimiser> optimiser_;
  UnitProbe units_;
  std::optional<PathProbe> path_;
  at::Tensor permutation_;
  std::int64_t at_ = 0;
  bool done_ = false, looked_ = false;
  TrainingResult result_;
};

}  // namespace

bool TrainingResult::better_than(const TrainingResult& other) const {
  const auto rank = [](const TrainingResult& each) {
    return std::tuple(each.diverged, each.reached < 0, each.reached, each.loss);
  };
  return rank(*this) < rank(other);
}

std::map<std::string, std::string> training_measures(bool path) {
  std::map<std::string, std::string> words{
      {"steps", "steps until the loss on the training part is at most the target; the limit where it never is"},
      {"reached", "1 where the target is reached, else 0"},
      {"diverged", "1 where the loss became infinite or NaN, else 0"},
      {"train_loss", "the loss on the training part at the end; diverged: that of an even guess"},
      {"train_error", "the share of wrong answers on the training part at the end; diverged: of a constant answer"},
      {"test_error", "the same on the test part"},
      {"off_first",
       "before training, the share of hidden units whose pre-activation is above 0 for no training example"},
      {"off", "the same at the end (diverged: at the last look before)"},
      {"ever_off", "the share of units seen off at any look"},
      {"recovered", "of the units seen off at any look, the share that are on at the end; none where none was off"},
      {"dead_first", "before training, the share of hidden units whose slope is below 10^-6 for all training examples"},
      {"dead", "the same at the end (diverged: at the last look before)"},
      {"saturated_first",
       "before training, the share of (unit, example) whose slope is below a twentieth of the function's largest"}};
  if (!path) return words;
  words.merge(std::map<std::string, std::string>{
      {"example_agreement",
       "the larger share of one sign among a neuron's weight gradients of a single example, mean over neurons fed by "
       "activations, examples and looks; where signs are drawn at random somewhat above 0.5"},
      {"batch_agreement", "the same of the gradients that the steps are taken by"},
      {"reversals", "the share of a neuron's successive steps that point to opposite sides (a cosine below 0)"},
      {"zigzag", "how far a neuron's step goes back along the one before: the mean of max(0, -cosine)"},
      {"alignment", "the mean size of the cosine between a neuron's successive steps"},
      {"path_ratio", "the length of the way that the weights go, over the distance they arrive at"}});
  return words;
}

std::optional<TrainingResult> train(const TrainingRun& run, const data::Dataset& data, const std::atomic<bool>* stop) {
  return Trainer(run, data).train(stop);
}

}  // namespace ogee::claims
