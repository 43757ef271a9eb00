// Gradients that vanish or explode with depth, and weights drawn at a wrong scale.
#include "bench/faults/plan.h"

namespace ogee::faults {
namespace {

void gain(Plan& plan, double level) { plan.design.gain = level; }

void add(std::vector<Plan>& plans, const char* fault, Design design, Training training, const double (&levels)[3],
         std::vector<std::string> expected) {
  Plan plan;
  plan.fault = fault;
  plan.name = plan.fault + ": " + design.kind + " of " + std::to_string(design.depth) + " " + design.activation +
              (design.norm == "none" ? "" : ", " + design.norm + " norm") + ", " + training.optimiser;
  plan.design = std::move(design);
  plan.training = std::move(training);
  std::copy(levels, levels + 3, plan.levels);
  plan.change = gain;
  plan.expected = std::move(expected);
  plans.push_back(std::move(plan));
}

}  // namespace

void add_gradient_faults(std::vector<Plan>& plans) {
  const Training sgd{.optimiser = "sgd", .rate = 0.02}, adam;
  const std::vector<std::string> vanish = {"vanishing_gradient", "poor_initialisation"};
  const auto vanishing = [&](Design design, const Training& training, double mildly, double middling, double severely) {
    add(plans, "vanishing_gradient", std::move(design), training, {mildly, middling, severely}, vanish);
  };
  // At its own gain a sigmoid layer loses 60 % of the gradient, a tanh layer none.
  vanishing({.kind = "mlp", .depth = 8, .activation = "sigmoid"}, sgd, 1, 0.7, 0.3);
  vanishing({.kind = "mlp", .depth = 12, .activation = "sigmoid"}, sgd, 1, 0.7, 0.3);
  vanishing({.kind = "mlp", .depth = 20, .activation = "sigmoid"}, sgd, 1, 0.8, 0.3);
  vanishing({.kind = "mlp", .depth = 10, .activation = "sigmoid"}, adam, 0.8, 0.5, 0.2);
  vanishing({.kind = "mlp", .depth = 20, .activation = "tanh"}, sgd, 0.6, 0.4, 0.2);
  vanishing({.kind = "mlp", .depth = 40, .activation = "tanh"}, sgd, 0.65, 0.5, 0.3);
  vanishing({.kind = "mlp", .depth = 60, .activation = "tanh"}, sgd, 0.65, 0.5, 0.3);
  vanishing({.kind = "mlp", .depth = 30, .activation = "relu"}, sgd, 0.8, 0.6, 0.3);
  vanishing({.kind = "mlp", .depth = 16, .activation = "gelu"}, sgd, 0.7, 0.4, 0.2);
  vanishing({.kind = "mlp", .depth = 24, .activation = "silu"}, adam, 0.7, 0.4, 0.2);
  vanishing({.kind = "convnet", .depth = 8, .width = 8, .activation = "sigmoid"}, sgd, 1, 0.6, 0.3);
  vanishing({.kind = "convnet", .depth = 12, .width = 8, .activation = "tanh"}, sgd, 0.6, 0.4, 0.2);

  const std::vector<std::string> explode = {"exploding_gradient", "poor_initialisation", "non_finite"};
  const auto exploding = [&](Design design, double mildly, double middling, double severely) {
    add(plans, "exploding_gradient", std::move(design), sgd, {mildly, middling, severely}, explode);
  };
  exploding({.kind = "mlp", .depth = 12, .activation = "relu"}, 1.6, 2.5, 5);
  exploding({.kind = "mlp", .depth = 20, .activation = "relu"}, 1.4, 2, 4);
  exploding({.kind = "mlp", .depth = 40, .activation = "leaky_relu"}, 1.25, 1.6, 3);
  exploding({.kind = "mlp", .depth = 60, .activation = "relu"}, 1.15, 1.4, 2);
  exploding({.kind = "mlp", .depth = 30, .activation = "gelu"}, 1.25, 1.6, 3);
  exploding({.kind = "convnet", .depth = 12, .width = 8, .activation = "relu"}, 1.6, 2.5, 5);
  exploding({.kind = "convnet", .depth = 8, .width = 8, .activation = "elu"}, 2, 4, 8);
  exploding({.kind = "resnet", .depth = 40, .activation = "relu"}, 2, 4, 8);

  const std::vector<std::string> small = {"poor_initialisation", "vanishing_gradient"},
                                 large = {"poor_initialisation", "exploding_gradient", "saturated", "non_finite"};
  const auto poor = [&](Design design, const Training& training, double mildly, double middling, double severely,
                        const std::vector<std::string>& expected) {
    add(plans, "poor_initialisation", std::move(design), training, {mildly, middling, severely}, expected);
  };
  poor({.kind = "mlp", .depth = 6, .activation = "relu"}, sgd, 0.4, 0.15, 0.02, small);
  poor({.kind = "mlp", .depth = 10, .activation = "mish"}, sgd, 0.4, 0.15, 0.02, small);
  poor({.kind = "mlp", .depth = 8, .activation = "elu"}, adam, 0.3, 0.1, 0.01, small);
  poor({.kind = "convnet", .depth = 6, .width = 8, .activation = "relu"}, sgd, 0.4, 0.15, 0.02, small);
  poor({.kind = "convnet", .depth = 8, .width = 8, .activation = "silu"}, sgd, 0.4, 0.15, 0.02, small);
  poor({.kind = "mlp", .depth = 8, .activation = "tanh"}, sgd, 2.5, 6, 20, large);
  poor({.kind = "mlp", .depth = 6, .activation = "relu"}, sgd, 2.5, 6, 20, large);
  poor({.kind = "mlp", .depth = 10, .activation = "hardtanh"}, sgd, 2.5, 6, 20, large);
  poor({.kind = "convnet", .depth = 6, .width = 8, .activation = "gelu"}, sgd, 2.5, 6, 20, large);
  poor({.kind = "lstm", .depth = 2, .width = 24, .activation = "tanh"}, adam, 4, 12, 40, large);
}

}  // namespace ogee::faults
