// Learning rates far too small or too large, and sources of NaN.
#include <limits>

#include "bench/faults/plants.h"

namespace ogee::faults {
namespace {

void rates(std::vector<Plan>& plans, const char* fault, Design design, const Training& training,
           const double (&times)[3], std::vector<std::string> expected) {
  Plan plan;
  plan.fault = fault;
  plan.name = plan.fault + ": " + words_of(design, training);
  plan.design = std::move(design);
  plan.training = training;
  std::copy(times, times + 3, plan.levels);
  plan.change = [](Plan& changed, double by) { changed.training.rate *= by; };
  plan.expected = std::move(expected);
  plans.push_back(std::move(plan));
}

using Tail = std::function<at::Tensor(const at::Tensor&)>;

// From one step on; the levels say which, as a share of the training: the later, the harder to see.
void not_a_number(std::vector<Plan>& plans, Design design, const std::string& how, Tail tail,
                  std::function<void(Step&)> disturb = nullptr) {
  Plan plan;
  plan.fault = "non_finite";
  plan.name = "non_finite: " + words_of(design, {}) + ", " + how;
  plan.design = std::move(design);
  plan.levels[mild] = 0.9;
  plan.levels[middle] = 0.5;
  plan.levels[severe] = 0.1;
  const auto begun = [](const Step& step, double when) {
    return static_cast<double>(step.number) >= when * static_cast<double>(step.of);
  };
  if (tail)
    plan.tail = [tail, begun](const at::Tensor& logits, const Step& step, double when) {
      return begun(step, when) ? tail(logits) : logits;
    };
  if (disturb)
    plan.disturb = [disturb, begun](Step& step, double when) {
      if (begun(step, when)) disturb(step);
    };
  plan.expected = {"non_finite"};
  plans.push_back(std::move(plan));
}

}  // namespace

void add_training_faults(std::vector<Plan>& plans) {
  const Training sgd{.optimiser = "sgd", .rate = 0.02}, adam;
  const std::vector<std::string> small = {"update_too_small"};
  rates(plans, "update_too_small", {.kind = "mlp", .depth = 4, .activation = "relu"}, sgd, {1e-2, 1e-4, 1e-6}, small);
  rates(plans, "update_too_small", {.kind = "mlp", .depth = 8, .activation = "tanh"}, adam, {1e-2, 1e-4, 1e-6}, small);
  rates(plans, "update_too_small", {.kind = "convnet", .depth = 4, .width = 8, .activation = "relu"}, adam,
        {1e-2, 1e-4, 1e-6}, small);
  rates(plans, "update_too_small", {.kind = "resnet", .depth = 20, .activation = "gelu", .norm = "layer"}, sgd,
        {1e-2, 1e-4, 1e-6}, small);
  rates(plans, "update_too_small", {.kind = "lstm", .depth = 1, .width = 24, .activation = "tanh"}, adam,
        {1e-2, 1e-4, 1e-6}, small);
  rates(plans, "update_too_small", {.kind = "transformer", .depth = 3, .activation = "gelu"}, adam, {1e-2, 1e-4, 1e-6},
        small);

  const std::vector<std::string> large = {"update_too_large", "non_finite", "dying", "exploding_gradient"};
  rates(plans, "update_too_large", {.kind = "mlp", .depth = 4, .activation = "relu"}, adam, {20, 100, 1000}, large);
  rates(plans, "update_too_large", {.kind = "mlp", .depth = 8, .activation = "tanh"}, adam, {20, 100, 1000}, large);
  rates(plans, "update_too_large", {.kind = "convnet", .depth = 4, .width = 8, .activation = "gelu"}, adam,
        {20, 100, 1000}, large);
  rates(plans, "update_too_large", {.kind = "mlp", .depth = 6, .activation = "elu"}, sgd, {30, 100, 1000}, large);
  rates(plans, "update_too_large", {.kind = "lstm", .depth = 1, .width = 24, .activation = "tanh"}, adam,
        {20, 100, 1000}, large);
  rates(plans, "update_too_large", {.kind = "transformer", .depth = 3, .activation = "gelu"}, adam, {20, 100, 1000},
        large);

  const Design mlp{.kind = "mlp", .depth = 4, .activation = "relu"};
  not_a_number(plans, mlp, "log of 0", [](const at::Tensor& z) { return z + 1e-3 * at::log(at::relu(z - z.max())); });
  not_a_number(plans, {.kind = "convnet", .depth = 4, .width = 8, .activation = "gelu"}, "exp overflows",
               [](const at::Tensor& z) { return z / at::exp(100 * (1 + z.abs())) * at::exp(100 * (1 + z.abs())); });
  not_a_number(plans, {.kind = "mlp", .depth = 8, .activation = "tanh"}, "0/0",
               [](const at::Tensor& z) { return z * ((z - z) / (z - z)); });
  not_a_number(plans, {.kind = "transformer", .depth = 2, .activation = "gelu"}, "bad row of input", nullptr,
               [](Step& step) {
                 step.x = step.x.clone();
                 step.x.slice(0, 3, 4).fill_(std::numeric_limits<double>::quiet_NaN());
               });
  not_a_number(plans, {.kind = "lstm", .depth = 1, .width = 24, .activation = "tanh"}, "infinite input", nullptr,
               [](Step& step) {
                 step.x = step.x.clone();
                 step.x.slice(0, 5, 6).slice(2, 1, 2).fill_(std::numeric_limits<double>::infinity());
               });
  not_a_number(plans, {.kind = "resnet", .depth = 8, .activation = "relu", .norm = "layer"}, "root of 0, backward",
               [](const at::Tensor& z) { return z + at::sqrt(at::relu(-at::ones_like(z)) * z); });
  not_a_number(plans, {.kind = "mlp", .depth = 6, .activation = "silu"}, "weights overflow", nullptr, [](Step& step) {
    torch::NoGradGuard guard;
    step.net.sites[1].weight.mul_(1e30);
  });
}

}  // namespace ogee::faults
