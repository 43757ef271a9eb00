#include "bench/faults/train.h"

#include <torch/torch.h>

#include <chrono>
#include <cmath>
#include <map>
#include <optional>

#include "data/dataset.h"
#include "bench/faults/debugger.h"
#include "ogee/monitor.h"

namespace ogee::faults {
namespace {

constexpr std::int64_t fashion_examples = 6000;

const data::Dataset& data_named(const std::string& name) {
  static std::map<std::string, data::Dataset> loaded;
  const auto found = loaded.find(name);
  if (found != loaded.end()) return found->second;
  data::Request request;
  request.data = name;
  if (name != "optdigits") request.train_limit = fashion_examples;
  return loaded.emplace(name, data::load(request)).first->second;
}

std::unique_ptr<torch::optim::Optimizer> optimizer_for(const Training& training, Net& net) {
  // Learned parameters of functions in a group of their own.
  std::vector<at::Tensor> weights, slopes;
  for (const auto& item : net.named_parameters())
    (item.key().find("_activation.") != std::string::npos ? slopes : weights).push_back(item.value());
  std::vector<torch::optim::OptimizerParamGroup> groups{torch::optim::OptimizerParamGroup(weights)};
  const auto with = [&](auto options) {
    if (!slopes.empty()) {
      auto faster = options;
      faster.lr(training.rate * training.rate_of_slopes);
      groups.emplace_back(slopes, std::make_unique<decltype(options)>(faster));
    }
    return options;
  };
  if (training.optimiser == "sgd") {
    const auto options = with(torch::optim::SGDOptions(training.rate).momentum(0.9));
    return std::make_unique<torch::optim::SGD>(groups, options);
  }
  const auto options = with(torch::optim::AdamOptions(training.rate));
  return std::make_unique<torch::optim::Adam>(groups, options);
}

double accuracy_of(Net& net, const data::Part& part) {
  torch::NoGradGuard guard;
  net.eval();
  const std::int64_t most = std::min<std::int64_t>(part.size(), 500);
  const at::Tensor answers = net.forward(part.x.slice(0, 0, most)).argmax(1);
  return answers.eq(part.y.slice(0, 0, most)).to(torch::kDouble).mean().item<double>();
}

}  // namespace

Outcome train(const Plan& given, Level level, std::uint64_t seed, std::int64_t every) {
  Plan plan = given;
  const double strength = plan.levels[level];
  if (plan.change) plan.change(plan, strength);
  const Training& training = plan.training;
  const data::Dataset& data = data_named(training.data);
  const auto begun = std::chrono::steady_clock::now();
  torch::manual_seed(seed);
  const auto net = build(plan.design, data.shape, data.outputs());
  if (plan.plant) plan.plant(*net, strength);
  const auto optimizer = optimizer_for(training, *net);
  const std::int64_t examples =
      training.examples > 0 ? std::min(training.examples, data.train.size()) : data.train.size();
  Debugger debugger(*net);
  Outcome outcome;
  at::Tensor order = torch::randperm(examples);
  std::int64_t next = 0;
  double recent = 0, weight = 0;
  {
    std::optional<Monitor> monitor;
    monitor.emplace(*net, *optimizer, MonitorOptions().every(every).print(false));
    for (std::int64_t number = 1; number <= training.steps; ++number) {
      if (next + training.batch > examples) {
        order = torch::randperm(examples);
        next = 0;
      }
      const at::Tensor chosen = order.slice(0, next, next + training.batch);
      next += training.batch;
      Step step{*net, number, training.steps, data.train.x.index_select(0, chosen),
                data.train.y.index_select(0, chosen)};
      if (plan.disturb) plan.disturb(step, strength);
      const bool look = number % Debugger::every == 1;
      net->probing = look;
      optimizer->zero_grad();
      at::Tensor logits = net->forward(step.x);
      if (plan.tail) logits = plan.tail(logits, step, strength);
      const at::Tensor loss = at::cross_entropy_loss(logits, step.y);
      loss.backward();
      const double value = *loss.detach().data_ptr<float>();
      if (look) debugger.before_update();
      optimizer->step();
      if (look) debugger.after_update(value);
      if (number == 1) outcome.first_loss = value;
      recent = recent * 0.9 + 0.1 * value;
      weight = weight * 0.9 + 0.1;
    }
    outcome.record = monitor->record();
  }
  outcome.last_loss = recent / weight;
  outcome.debugger = debugger.fired();
  outcome.accuracy = accuracy_of(*net, data.test);
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return outcome;
}

}  // namespace ogee::faults
