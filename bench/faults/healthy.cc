// Networks with nothing wrong: they train well, which each run has to show.
#include "bench/faults/plants.h"

namespace ogee::faults {
namespace {

void add(std::vector<Plan>& plans, Design design, Training training = {}) {
  Plan plan;
  if (training.steps == Training{}.steps) training.steps = 160;
  plan.name = "healthy: " + words_of(design, training);
  if (design.gain != 1) plan.name += ", LibTorch's weights";
  plan.design = std::move(design);
  plan.training = std::move(training);
  plans.push_back(std::move(plan));
}

}  // namespace

std::vector<Plan> healthy_plans(bool with_fashion) {
  std::vector<Plan> plans;
  const Training sgd{.optimiser = "sgd", .rate = 0.02}, adam;
  // LibTorch draws weights uniformly, of deviation 1/sqrt(3 fan_in): 0.41 times what relu asks for.
  constexpr double libtorch = 0.41;
  for (const char* name : {"relu", "tanh", "gelu", "silu", "elu", "selu", "mish", "leaky_relu", "hardtanh",
                           "hard_swish", "softsign", "softplus", "relu6"})
    add(plans, {.kind = "mlp", .depth = 4, .activation = name});
  add(plans, {.kind = "mlp", .depth = 4, .activation = "squared_relu", .norm = "layer"});
  for (const char* name : {"prelu", "swish_beta", "xsilu", "nah(base=tanh)", "rrelu", "noisy_rectifier"})
    add(plans, {.kind = "mlp", .depth = 4, .activation = name});
  add(plans, {.kind = "mlp", .depth = 2, .activation = "sigmoid"}, {.rate = 5e-3, .steps = 200});
  add(plans, {.kind = "mlp", .depth = 2, .activation = "hard_sigmoid"}, {.rate = 5e-3, .steps = 200});
  add(plans, {.kind = "mlp", .depth = 5, .activation = "relu", .gain = libtorch});
  add(plans, {.kind = "mlp", .depth = 4, .activation = "tanh", .gain = libtorch});
  add(plans, {.kind = "mlp", .depth = 3, .activation = "gelu", .gain = libtorch}, sgd);
  add(plans, {.kind = "mlp", .depth = 3, .width = 256, .activation = "relu"});
  add(plans, {.kind = "mlp", .depth = 4, .activation = "relu"}, sgd);
  add(plans, {.kind = "mlp", .depth = 6, .activation = "tanh"}, sgd);
  add(plans, {.kind = "mlp", .depth = 12, .activation = "elu"}, sgd);
  add(plans, {.kind = "mlp", .depth = 12, .activation = "relu"});
  add(plans, {.kind = "mlp", .depth = 20, .activation = "selu"});
  add(plans, {.kind = "mlp", .depth = 20, .activation = "tanh"}, {.rate = 1e-3, .steps = 200});
  add(plans, {.kind = "mlp", .depth = 30, .activation = "leaky_relu", .norm = "layer"}, {.rate = 1e-3, .steps = 200});
  add(plans, {.kind = "mlp", .depth = 8, .activation = "relu", .norm = "batch"});
  add(plans, {.kind = "mlp", .depth = 8, .activation = "tanh", .norm = "batch"}, sgd);
  add(plans, {.kind = "mlp", .depth = 6, .activation = "sigmoid", .norm = "batch"}, {.rate = 5e-3, .steps = 200});
  add(plans, {.kind = "mlp", .depth = 8, .activation = "gelu", .norm = "layer"});
  add(plans, {.kind = "mlp", .depth = 16, .activation = "silu", .norm = "layer"});
  for (const char* name : {"relu", "gelu", "tanh", "elu", "leaky_relu"})
    add(plans, {.kind = "convnet", .depth = 4, .width = 12, .activation = name});
  add(plans, {.kind = "convnet", .depth = 3, .width = 12, .activation = "relu", .gain = libtorch});
  add(plans, {.kind = "convnet", .depth = 8, .width = 12, .activation = "relu", .norm = "batch"});
  add(plans, {.kind = "convnet", .depth = 6, .width = 12, .activation = "silu", .norm = "batch"}, sgd);
  add(plans, {.kind = "convnet", .depth = 4, .width = 12, .activation = "mish"}, sgd);
  add(plans, {.kind = "resnet", .depth = 12, .width = 12, .activation = "relu", .norm = "batch"});
  add(plans, {.kind = "resnet", .depth = 20, .activation = "relu"});
  add(plans, {.kind = "resnet", .depth = 40, .activation = "gelu", .norm = "layer"});
  add(plans, {.kind = "resnet", .depth = 60, .activation = "silu", .norm = "layer"});
  add(plans, {.kind = "resnet", .depth = 30, .activation = "tanh"}, sgd);
  add(plans, {.kind = "lstm", .depth = 1, .width = 32, .activation = "tanh"}, {.rate = 5e-3, .steps = 160});
  add(plans, {.kind = "lstm", .depth = 2, .width = 32, .activation = "tanh"}, {.rate = 5e-3, .steps = 160});
  add(plans, {.kind = "transformer", .depth = 2, .activation = "gelu"});
  add(plans, {.kind = "transformer", .depth = 4, .activation = "relu"});
  add(plans, {.kind = "transformer", .depth = 6, .activation = "silu"}, {.rate = 1e-3, .steps = 160});
  add(plans, {.kind = "transformer", .depth = 2, .activation = "squared_relu"});
  // Every second of these, too, belongs to the other half.
  add(plans, {.kind = "lstm", .depth = 3, .width = 24, .activation = "tanh"}, {.rate = 5e-3, .steps = 200});
  add(plans, {.kind = "lstm", .depth = 1, .width = 64, .activation = "tanh"}, {.rate = 2e-3, .steps = 160});
  add(plans, {.kind = "resnet", .depth = 16, .activation = "tanh"}, sgd);
  add(plans, {.kind = "resnet", .depth = 24, .activation = "hardtanh", .norm = "layer"}, sgd);
  add(plans, {.kind = "resnet", .depth = 40, .activation = "tanh"});
  add(plans, {.kind = "resnet", .depth = 20, .width = 12, .activation = "tanh", .norm = "batch"});
  add(plans, {.kind = "convnet", .depth = 6, .width = 12, .activation = "tanh", .norm = "batch"});
  add(plans, {.kind = "convnet", .depth = 6, .width = 12, .activation = "elu", .norm = "batch"});
  add(plans, {.kind = "mlp", .depth = 3, .activation = "sigmoid", .norm = "batch"}, {.rate = 5e-3, .steps = 200});
  add(plans, {.kind = "convnet", .depth = 3, .width = 12, .activation = "softplus"});
  add(plans, {.kind = "mlp", .depth = 6, .activation = "softplus", .norm = "layer"});
  add(plans, {.kind = "mlp", .depth = 6, .width = 128, .activation = "tanh"}, sgd);
  add(plans, {.kind = "transformer", .depth = 3, .width = 64, .activation = "tanh"});
  add(plans, {.kind = "mlp", .depth = 8, .width = 64, .activation = "hardtanh"}, sgd);
  if (with_fashion) {
    const auto fashion = [&](Design design, Training training) {
      training.data = "fashion-mnist";
      training.batch = 32;
      add(plans, std::move(design), training);
    };
    fashion({.kind = "mlp", .depth = 4, .width = 64, .activation = "relu"}, adam);
    fashion({.kind = "mlp", .depth = 6, .width = 64, .activation = "gelu", .norm = "layer"}, adam);
    fashion({.kind = "mlp", .depth = 3, .width = 64, .activation = "tanh", .gain = libtorch}, sgd);
    fashion({.kind = "convnet", .depth = 4, .width = 8, .activation = "relu"}, adam);
    fashion({.kind = "convnet", .depth = 4, .width = 8, .activation = "silu", .norm = "batch"}, adam);
    fashion({.kind = "lstm", .depth = 1, .width = 48, .activation = "tanh"}, {.rate = 5e-3, .steps = 200});
  }
  for (std::size_t i = 0; i < plans.size(); ++i) plans[i].tune = i % 2 == 0;
  return plans;
}

std::vector<Plan> faulty_plans() {
  std::vector<Plan> plans;
  add_gradient_faults(plans);
  add_saturation_faults(plans);
  add_dead_faults(plans);
  add_distribution_faults(plans);
  add_function_faults(plans);
  add_training_faults(plans);
  // Half of every fault's networks, in turn.
  std::string fault;
  bool tune = false;
  for (Plan& plan : plans) {
    tune = plan.fault == fault ? !tune : true;
    fault = plan.fault;
    plan.tune = tune;
  }
  return plans;
}

}  // namespace ogee::faults
