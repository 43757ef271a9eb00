// Outputs off zero, inputs that drift, outliers, and units that are copies of one another.
#include "bench/faults/plants.h"

namespace ogee::faults {
namespace {

Plan plan_of(const char* fault, Design design, const double (&levels)[3], const char* how,
             const Training& training = {}) {
  Plan plan;
  plan.fault = fault;
  plan.name = plan.fault + ": " + words_of(design, training) + ", " + how;
  plan.design = std::move(design);
  plan.training = training;
  std::copy(levels, levels + 3, plan.levels);
  return plan;
}

// Biases that lift the outputs of one layer, or of all, far off zero.
void offset(std::vector<Plan>& plans, Design design, const double (&levels)[3], std::vector<std::size_t> sites,
            const Training& training = {}) {
  Plan plan = plan_of("not_zero_centred", std::move(design), levels, sites.empty() ? "biases" : "biases of one layer",
                      training);
  plan.plant = [sites](Net& net, double by) {
    for (std::size_t i = 0; i < net.sites.size(); ++i)
      if (sites.empty() || i == sites[0]) shift(net, i, by);
  };
  // What goes into the next layer is one-signed: either may be named.
  plan.expected = {"not_zero_centred", "one_signed_gradients"};
  plans.push_back(std::move(plan));
}

// Sigmoids with small weights: 0.5 and a little signal.
void small_sigmoids(std::vector<Plan>& plans, Design design, const double (&levels)[3]) {
  Plan plan =
      plan_of("one_signed_gradients", std::move(design), levels, "small weights", {.optimiser = "sgd", .rate = 0.05});
  plan.change = [](Plan& changed, double gain) { changed.design.gain = gain; };
  plan.expected = {"one_signed_gradients", "not_zero_centred"};
  plans.push_back(std::move(plan));
}

void drifting(std::vector<Plan>& plans, Design design, const double (&levels)[3], std::vector<std::size_t> sites) {
  Plan plan =
      plan_of("covariate_drift", std::move(design), levels, sites.empty() ? "data drift" : "biases of one layer drift");
  plan.sites = sites;
  plan.disturb = [sites](Step& step, double by) {
    if (sites.empty())
      step.x = step.x + by * static_cast<double>(step.number);
    else
      shift(step.net, sites[0], by);
  };
  plan.expected = {"covariate_drift"};
  // A function with bounds saturates on the way.
  if (plan.design.activation == "tanh" || plan.design.activation == "sigmoid") plan.expected.push_back("saturated");
  plans.push_back(std::move(plan));
}

// A few examples many times larger than the others.
void outliers(std::vector<Plan>& plans, Design design, const double (&levels)[3]) {
  Plan plan = plan_of("non_normal", std::move(design), levels, "outliers in the data");
  plan.disturb = [](Step& step, double times) {
    at::Tensor x = step.x.clone();
    x.slice(0, 0, 1).mul_(times);
    step.x = x;
  };
  plan.expected = {"non_normal"};
  plans.push_back(std::move(plan));
}

void huge_weights(std::vector<Plan>& plans, Design design, const double (&levels)[3], std::size_t site) {
  Plan plan = plan_of("non_normal", std::move(design), levels, "one unit's weights huge");
  plan.sites = {site};
  plan.plant = [site](Net& net, double times) {
    torch::NoGradGuard guard;
    net.sites.at(site).weight.slice(0, 0, 1).mul_(times);
  };
  plan.expected = {"non_normal", "saturated"};
  plans.push_back(std::move(plan));
}

// All rows of a weight are one row and a little of their own.
void copies(std::vector<Plan>& plans, Design design, const double (&levels)[3], std::vector<std::size_t> sites) {
  Plan plan = plan_of("collapsed_rank", std::move(design), levels,
                      sites.empty() ? "copied units" : "copied units in one layer");
  plan.sites = sites;
  plan.plant = [sites](Net& net, double own) {
    torch::NoGradGuard guard;
    for (std::size_t i = 0; i < net.sites.size(); ++i) {
      if (!sites.empty() && i != sites[0]) continue;
      at::Tensor& weight = net.sites[i].weight;
      weight.copy_(weight.slice(0, 0, 1) + own * weight);
    }
  };
  plan.expected = {"collapsed_rank"};
  plans.push_back(std::move(plan));
}

}  // namespace

void add_distribution_faults(std::vector<Plan>& plans) {
  const Training sgd{.optimiser = "sgd", .rate = 0.02};
  offset(plans, {.kind = "mlp", .depth = 4, .activation = "elu"}, {5, 12, 40}, {1}, sgd);
  offset(plans, {.kind = "mlp", .depth = 6, .activation = "relu"}, {5, 12, 40}, {2}, sgd);
  offset(plans, {.kind = "mlp", .depth = 5, .activation = "softplus"}, {5, 12, 40}, {1}, sgd);
  offset(plans, {.kind = "convnet", .depth = 4, .width = 8, .activation = "gelu"}, {5, 12, 40}, {1}, sgd);
  small_sigmoids(plans, {.kind = "mlp", .depth = 3, .activation = "sigmoid"}, {0.6, 0.3, 0.1});
  small_sigmoids(plans, {.kind = "mlp", .depth = 4, .width = 48, .activation = "sigmoid"}, {0.6, 0.3, 0.1});
  small_sigmoids(plans, {.kind = "convnet", .depth = 3, .width = 8, .activation = "sigmoid"}, {0.6, 0.3, 0.1});

  drifting(plans, {.kind = "mlp", .depth = 4, .activation = "relu"}, {0.05, 0.2, 1}, {});
  drifting(plans, {.kind = "mlp", .depth = 6, .activation = "tanh"}, {0.05, 0.2, 1}, {});
  drifting(plans, {.kind = "convnet", .depth = 4, .width = 8, .activation = "gelu"}, {0.05, 0.2, 1}, {});
  drifting(plans, {.kind = "mlp", .depth = 6, .activation = "elu"}, {0.05, 0.2, 1}, {2});
  drifting(plans, {.kind = "mlp", .depth = 8, .activation = "leaky_relu"}, {0.05, 0.2, 1}, {3});
  drifting(plans, {.kind = "transformer", .depth = 3, .activation = "gelu"}, {0.05, 0.2, 1}, {1});

  outliers(plans, {.kind = "mlp", .depth = 4, .activation = "relu"}, {8, 30, 200});
  outliers(plans, {.kind = "mlp", .depth = 6, .activation = "elu"}, {8, 30, 200});
  outliers(plans, {.kind = "convnet", .depth = 4, .width = 8, .activation = "leaky_relu"}, {8, 30, 200});
  huge_weights(plans, {.kind = "mlp", .depth = 4, .width = 64, .activation = "relu"}, {8, 30, 200}, 1);
  huge_weights(plans, {.kind = "mlp", .depth = 6, .width = 64, .activation = "gelu"}, {8, 30, 200}, 2);

  copies(plans, {.kind = "mlp", .depth = 5, .activation = "relu"}, {0.4, 0.1, 0}, {});
  copies(plans, {.kind = "mlp", .depth = 8, .activation = "tanh"}, {0.4, 0.1, 0}, {});
  copies(plans, {.kind = "mlp", .depth = 6, .activation = "gelu"}, {0.4, 0.1, 0}, {2});
  copies(plans, {.kind = "convnet", .depth = 4, .width = 16, .activation = "relu"}, {0.4, 0.1, 0}, {});
  copies(plans, {.kind = "transformer", .depth = 3, .activation = "gelu"}, {0.4, 0.1, 0}, {});
  copies(plans, {.kind = "resnet", .depth = 12, .activation = "relu"}, {0.4, 0.1, 0}, {});
}

}  // namespace ogee::faults
