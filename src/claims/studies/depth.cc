// Gradients through deep stacks, before training: how much of what the loss sends back arrives at the first layer.
//
// Networks of linear layers and one activation, nothing else, of growing depth, with weights that keep the second
// moment of what passes forward (the activation's own gain), or of a gain that the arm states. All in double precision:
// in float, 60 layers of sigmoid would underflow.

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "ogee/libtorch.h"
#include "claims/studies/common.h"
#include "claims/studies/studies.h"
#include "lab/streams.h"
#include "lab/toml_table.h"
#include "models/gain.h"
#include "models/network.h"
#include "ogee/torch.h"
#include "tasks/task.h"

namespace ogee::claims {
namespace {

constexpr double nothing = -300;    // stands for the decimal logarithm of 0
constexpr double rounding = 1e-16;  // steps that are smaller, in parts of a weight, are lost in double precision

double logarithm(double value) { return value > 0 ? std::max(std::log10(value), nothing) : nothing; }

double norm_of(const std::vector<at::Tensor>& tensors) {
  double sum = 0;
  for (const at::Tensor& tensor : tensors) sum += std::pow(tensor.norm().item<double>(), 2);
  return std::sqrt(sum);
}

// The slope of the line that fits best: of y over the layers' numbers.
double fitted_slope(const std::vector<double>& x, const std::vector<double>& y) {
  const auto count = static_cast<double>(x.size());
  double mean_x = 0, mean_y = 0, xy = 0, xx = 0;
  for (std::size_t i = 0; i < x.size(); ++i) mean_x += x[i] / count, mean_y += y[i] / count;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean_x) * (y[i] - mean_y);
    xx += (x[i] - mean_x) * (x[i] - mean_x);
  }
  return xy / xx;
}

class Depth : public CellStudy {
 public:
  explicit Depth(lab::Table& table) : arms_(take_arms(table, names_, {"gain"})) {
    source_.take(table);
    table.take("depths", depths_, 1, 1000);
    table.take("width", width_, 2, 1 << 14);
    table.take("batch", batch_, 2, 1 << 16);
    table.take("steps", steps_, 1, 1'000'000);
    table.take("step_size", step_size_, 0, false, 1);
    table.take("seeds", seeds_, 1, 100000);
    for (const auto& [name, arm] : arms_) {
      const bool gated = Activation(arm.activation).spec().inputs > 1;
      if (gated && arm.set.contains("gain")) table.fail("arms", name + ": gated functions have no gain to set");
      if (arm.get("gain", 1) <= 0) table.fail("arms", name + ": expected a gain above 0");
    }
  }

  nlohmann::ordered_json settings() const override {
    return {{"study", "depth"},
            {"arms", names_},
            {"data", source_.name()},
            {"fingerprint", source_.fingerprint()},
            {"train_limit", source_.limit()},
            {"depths", depths_},
            {"width", width_},
            {"batch", batch_},
            {"steps", steps_},
            {"step_size", step_size_},
            {"seeds", seeds_}};
  }
  std::map<std::string, std::string> measures() const override {
    return {
        {"ratio",
         "the norm of the loss's gradient by what goes into the first activation over that at the last, its decimal "
         "logarithm (a gradient of 0: -300)"},
        {"weight_ratio", "the same of the gradients by the first and the last hidden layer's weights"},
        {"decay",
         "powers of ten that the gradient's norm loses per layer on its way back: the slope of a line fitted to all "
         "layers; none at depth 1"},
        {"moved",
         "how far the first hidden layer's weights have moved, in parts of their norm, over the same of the last, "
         "the decimal logarithm, after a few steps of gradient descent, each of a set length; 10^-16 stands for "
         "less"}};
  }
  std::string missing() const override { return source_.missing(); }

 protected:
  std::vector<Cell> cells() const override { return grid(names_, {depths_.begin(), depths_.end()}, seeds_); }

  std::map<std::string, double> measure(const Cell& cell, const std::atomic<bool>* stop) const override {
    const data::Dataset& data = source_.get();
    const Arm& arm = arms_.at(cell.arm);
    models::Settings settings;
    settings.depth = static_cast<std::int64_t>(cell.at);
    settings.width = width_;
    settings.activation = arm.activation;
    const auto network = models::build(settings, data, lab::seed_of(cell.seed, lab::Stream::weights));
    network->to(torch::kDouble);
    at::Generator random = lab::generator_of(cell.seed, lab::Stream::order);
    const GeneratorGuard guard(random);  // the noise of an activation that has some comes from it, too
    const std::vector<at::Tensor> weights = weights_of(*network);
    set_gain(arm, weights);
    const at::Tensor chosen =
        torch::randperm(data.train.size(), random, torch::kLong).narrow(0, 0, std::min(batch_, data.train.size()));
    const at::Tensor x = data.train.x.index_select(0, chosen).to(torch::kDouble);
    const at::Tensor y = data.train.y.index_select(0, chosen);
    const auto task = tasks::make_task(data);

    network->recording = true;
    const auto backward = [&] {
      network->zero_grad();
      task->loss(network->forward(x), y).backward();
    };
    backward();
    std::map<std::string, double> measured = seen(*network, weights);
    network->recording = false;

    const std::size_t last = weights.size() - 2;
    const std::vector<at::Tensor> parameters = network->parameters();
    const at::Tensor first_before = weights.front().detach().clone(), last_before = weights[last].detach().clone();
    for (std::int64_t step = 0; step < steps_; ++step) {
      if (stop && stop->load(std::memory_order_relaxed)) throw Stopped();
      if (step > 0) backward();
      const torch::NoGradGuard no_gradients;
      std::vector<at::Tensor> gradients;
      for (const at::Tensor& parameter : parameters) gradients.push_back(parameter.grad());
      const double length = norm_of(gradients);
      if (length == 0 || !std::isfinite(length)) break;
      const double rate = step_size_ * norm_of(parameters) / length;
      for (const at::Tensor& parameter : parameters) parameter.add_(parameter.grad(), -rate);
    }
    const auto moved = [](const at::Tensor& now, const at::Tensor& before) {
      return std::log10(
          std::max((now.detach() - before).norm().item<double>() / before.norm().item<double>(), rounding));
    };
    measured["moved"] = moved(weights.front(), first_before) - moved(weights[last], last_before);
    return measured;
  }

 private:
  // Behind activations only: the first layer sees the data.
  static void set_gain(const Arm& arm, const std::vector<at::Tensor>& weights) {
    if (!arm.set.contains("gain")) return;
    const torch::NoGradGuard no_gradients;
    const double factor = arm.set.at("gain") / models::gain(Activation(arm.activation));
    for (std::size_t i = 1; i < weights.size(); ++i) weights[i].mul_(factor);
  }

  static std::map<std::string, double> seen(const models::Network& network, const std::vector<at::Tensor>& weights) {
    std::vector<double> at, norms;
    // A gated block is two layers of weights.
    const double apart = static_cast<double>(weights.size() - 1) / static_cast<double>(network.layers.size());
    for (const auto& layer : network.layers) {
      at.push_back(apart * static_cast<double>(at.size()));
      norms.push_back(logarithm(layer.z.grad().norm().item<double>()));
    }
    std::map<std::string, double> measured{
        {"ratio", norms.front() - norms.back()},
        {"weight_ratio", logarithm(weights.front().grad().norm().item<double>()) -
                             logarithm(weights[weights.size() - 2].grad().norm().item<double>())}};
    if (norms.size() > 1) measured["decay"] = fitted_slope(at, norms);
    return measured;
  }

  std::vector<std::string> names_ = {"sigmoid", "tanh", "relu"};
  std::map<std::string, Arm> arms_;
  Source source_;
  std::vector<std::int64_t> depths_ = {1, 10, 50};
  std::int64_t width_ = 64, batch_ = 128, steps_ = 10, seeds_ = 8;
  double step_size_ = 0.01;
};

}  // namespace

std::unique_ptr<Study> make_depth(lab::Table& table) { return std::make_unique<Depth>(table); }

}  // namespace ogee::claims
