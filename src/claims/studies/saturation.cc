// What gets through saturated units while a network trains: a network that starts saturated, plainly trained, is looked
// at after so many steps; from draw to draw of the noise its gradients have a mean, the signal, and a deviation.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "ogee/libtorch.h"
#include "claims/studies/common.h"
#include "claims/studies/studies.h"
#include "lab/optimiser.h"
#include "lab/schedule.h"
#include "lab/streams.h"
#include "lab/toml_table.h"
#include "models/network.h"
#include "ogee/ogee.h"
#include "ogee/torch.h"
#include "tasks/task.h"

namespace ogee::claims {
namespace {

// What a noisy unit is made from; a function without noise: itself.
std::string base_of(const Activation& activation) {
  const Spec& spec = activation.spec();
  return spec.noise != Noise::none && spec.variant == "base" ? std::string(spec.choice) : activation.text();
}

class SaturationStudy : public CellStudy {
 public:
  explicit SaturationStudy(lab::Table& table) {
    table.take("arms", names_);
    arms_ = take_arms(table, names_, {"anneal_from"});
    source_.take(table);
    table.take("depth", depth_, 1, 1000);
    table.take("width", width_, 1, 1 << 14);
    table.take("weight_scale", scale_, 0, false, 1e6);
    table.take("rate", rate_, 0, false, 1e6);
    table.take("batch", batch_, 1, 1 << 24);
    table.take("steps", steps_, 1, 1'000'000'000);
    table.take("at", at_, 0, true, 1e9);
    table.take("draws", draws_, 2, 100000);
    table.take("seeds", seeds_, 1, 100000);
    for (const auto& [name, arm] : arms_) {
      const Activation activation(arm.activation);
      if (activation.spec().inputs != 1) table.fail("arms", name + " takes two inputs; expected functions of one");
      if (!arm.set.contains("anneal_from")) continue;
      try {
        Activation(arm.activation).set("c", arm.get("anneal_from", 1));
      } catch (const Error& error) {
        table.fail("arms", name + ": " + error.what());
      }
    }
    for (const double at : at_)
      if (at != std::floor(at) || at > static_cast<double>(steps_))
        table.fail("at", "expected numbers of steps, none above those of the whole training");
  }

  nlohmann::ordered_json settings() const override {
    return {{"study", "saturation"},
            {"arms", names_},
            {"data", source_.name()},
            {"fingerprint", source_.fingerprint()},
            {"depth", depth_},
            {"width", width_},
            {"weight_scale", scale_},
            {"rate", rate_},
            {"batch", batch_},
            {"steps", steps_},
            {"at", at_},
            {"draws", draws_},
            {"seeds", seeds_},
            {"train_limit", source_.limit()}};
  }
  std::map<std::string, std::string> measures() const override {
    return {{"saturated",
             "the share of (unit, example) where the slope of the function that the unit is made from is "
             "below a twentieth of its largest"},
            {"passing", "of these, the share with a slope that is not 0, in training; none where there are none"},
            {"slope", "there, the size of the slope in training, the mean"},
            {"flow",
             "the norm of the loss's gradient by the first layer's weights, the mean over draws of the noise, "
             "in powers of ten"},
            {"signal_to_noise",
             "of that gradient over draws: the square of its mean over its variance, in powers of "
             "ten; about one over the number of draws where there is no signal, none without "
             "noise"},
            {"train_loss", "on the training part, without noise"},
            {"test_error", "on the test part"}};
  }
  std::string missing() const override { return source_.missing(); }

 protected:
  std::vector<Cell> cells() const override { return grid(names_, at_, seeds_); }

  std::map<std::string, double> measure(const Cell& cell, const std::atomic<bool>* stop) const override {
    const data::Dataset& data = source_.get();
    const Arm& arm = arms_.at(cell.arm);
    const auto task = tasks::make_task(data);
    models::Settings settings;
    settings.depth = depth_;
    settings.width = width_;
    settings.activation = arm.activation;
    const auto network = models::build(settings, data, lab::seed_of(cell.seed, lab::Stream::weights));
    {
      const torch::NoGradGuard no_gradients;
      std::vector<at::Tensor> weights = weights_of(*network);
      weights.pop_back();
      for (const at::Tensor& weight : weights) weight.mul_(scale_);
    }
    lab::OptimiserSettings how;
    how.name = "sgd";
    const auto optimiser = lab::make_optimiser(how, *network);
    at::Generator order = lab::generator_of(cell.seed, lab::Stream::order),
                  noise = lab::generator_of(cell.seed, lab::Stream::noise);
    const GeneratorGuard guard(noise);
    network->train();
    const auto anneal = [&](std::int64_t step) {
      if (!arm.set.contains("anneal_from")) return;
      lab::Schedule schedule{"c", arm.get("anneal_from", 1), Activation(arm.activation).parameter("c"),
                             lab::Schedule::Shape::inverse_root};
      schedule.every = 1;
      for (auto& layer : network->layers) layer.unit->set("c", schedule.at(step, steps_));
    };
    const auto wanted = static_cast<std::int64_t>(cell.at);
    const std::int64_t batch = std::min(batch_, data.train.size());
    for (std::int64_t step = 0; step < wanted; ++step) {
      if (stop && stop->load(std::memory_order_relaxed)) throw Stopped();
      anneal(step);
      const at::Tensor chosen = torch::randperm(data.train.size(), order, torch::kLong).narrow(0, 0, batch);
      optimiser->zero_gradients();
      task->loss(network->forward(data.train.x.index_select(0, chosen)), data.train.y.index_select(0, chosen))
          .backward();
      optimiser->step(rate_);
    }
    anneal(wanted);
    std::map<std::string, double> seen = through_units(*network, data, Activation(arm.activation));
    seen.merge(gradients(*network, *task, data, *optimiser));
    const tasks::Score training = tasks::evaluate(*task, *network, data.train);
    seen["train_loss"] = training.loss;
    seen["test_error"] = tasks::evaluate(*task, *network, data.test).error;
    return seen;
  }

 private:
  data::Part examples(const data::Dataset& data) const {
    const std::int64_t count = std::min<std::int64_t>(128, data.train.size());
    return {data.train.x.narrow(0, 0, count), data.train.y.narrow(0, 0, count)};
  }

  // Slopes under a draw of the noise, where the base is saturated.
  std::map<std::string, double> through_units(models::Network& network, const data::Dataset& data,
                                              const Activation& activation) const {
    nn::Activation base{nn::ActivationOptions(base_of(activation))};
    const double limit = 0.05 * properties(base->activation()).lipschitz;
    network.recording = true;
    network.forward(examples(data).x);
    network.recording = false;
    double units = 0, saturated = 0, passing = 0, slopes = 0;
    for (auto& layer : network.layers) {
      const at::Tensor z = layer.z.detach().clone().requires_grad_();
      layer.z = at::Tensor();
      const at::Tensor flat = base->slope(z.detach()).abs().lt(limit);
      const at::Tensor slope = torch::autograd::grad({layer.unit->forward(z).sum()}, {z})[0].masked_select(flat).abs();
      units += static_cast<double>(z.numel());
      saturated += static_cast<double>(slope.numel());
      passing += slope.ne(0).sum().item<double>();
      slopes += slope.to(torch::kDouble).sum().item<double>();
    }
    std::map<std::string, double> seen{{"saturated", saturated / units}};
    if (saturated > 0) {
      seen["passing"] = passing / saturated;
      seen["slope"] = slopes / saturated;
    }
    return seen;
  }

  std::map<std::string, double> gradients(models::Network& network, const tasks::Task& task, const data::Dataset& data,
                                          lab::FlatOptimiser& optimiser) const {
    const data::Part part = examples(data);
    const at::Tensor weight = weights_of(network).front();
    at::Tensor sum = torch::zeros(weight.sizes(), torch::kDouble);
    double squares = 0, norms = 0;
    for (std::int64_t i = 0; i < draws_; ++i) {
      optimiser.zero_gradients();
      task.loss(network.forward(part.x), part.y).backward();
      const at::Tensor gradient = weight.grad().to(torch::kDouble);
      sum += gradient;
      const auto square = gradient.square().sum().item<double>();
      squares += square;
      norms += std::sqrt(square);
    }
    const auto count = static_cast<double>(draws_);
    const double of_mean = (sum / count).square().sum().item<double>();
    const double variance = std::max(0.0, squares / count - of_mean) * count / (count - 1);
    std::map<std::string, double> seen{{"flow", std::log10(norms / count)}};
    if (variance > 1e-9 * of_mean) seen["signal_to_noise"] = std::log10(of_mean / variance);
    return seen;
  }

  std::vector<std::string> names_ = {"hardtanh", "nan(base=hard_tanh)"};
  std::map<std::string, Arm> arms_;
  Source source_;
  std::int64_t depth_ = 3, width_ = 64, batch_ = 32, steps_ = 1000, draws_ = 64, seeds_ = 5;
  double scale_ = 3, rate_ = 0.05;
  std::vector<double> at_ = {0, 1000};
};

}  // namespace

std::unique_ptr<Study> make_saturation(lab::Table& table) { return std::make_unique<SaturationStudy>(table); }

}  // namespace ogee::claims
