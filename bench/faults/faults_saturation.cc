// Inputs pushed to where the function is flat: by biases, in one layer or in all.
#include "bench/faults/plants.h"

namespace ogee::faults {
namespace {

void add(std::vector<Plan>& plans, Design design, const double (&levels)[3], std::vector<std::size_t> sites,
         bool both_sides, const Training& training = {}) {
  Plan plan;
  plan.fault = "saturated";
  plan.name = "saturated: " + words_of(design, training) + (sites.empty() ? "" : ", one layer") +
              (both_sides      ? ", both sides"
               : levels[0] < 0 ? ", left"
                               : ", right");
  plan.design = std::move(design);
  plan.training = training;
  std::copy(levels, levels + 3, plan.levels);
  plan.sites = sites;
  plan.plant = [sites, both_sides](Net& net, double by) {
    for (std::size_t i = 0; i < net.sites.size(); ++i) {
      if (!sites.empty() && i != sites[0]) continue;
      shift(net, i, by);
      if (both_sides) shift(net, i, -2 * by, 0.5);
    }
  };
  plan.expected = {"saturated"};
  plans.push_back(std::move(plan));
}

// Every gate of an LSTM's cells.
void add_gates(std::vector<Plan>& plans, std::int64_t depth, const double (&levels)[3]) {
  Plan plan;
  plan.fault = "saturated";
  plan.design = {.kind = "lstm", .depth = depth, .width = 24, .activation = "tanh"};
  plan.name = "saturated: " + words_of(plan.design, plan.training) + ", gates shut";
  std::copy(levels, levels + 3, plan.levels);
  plan.plant = [](Net& net, double by) {
    for (std::size_t i = 0; i < net.sites.size(); ++i) shift(net, i, -by);
  };
  plan.expected = {"saturated"};
  plans.push_back(std::move(plan));
}

}  // namespace

void add_saturation_faults(std::vector<Plan>& plans) {
  add(plans, {.kind = "mlp", .depth = 6, .activation = "tanh"}, {2.2, 4, 10}, {}, true);
  add(plans, {.kind = "mlp", .depth = 4, .activation = "sigmoid"}, {4.5, 7, 20}, {}, false);
  add(plans, {.kind = "mlp", .depth = 8, .activation = "hardtanh"}, {1.5, 3, 8}, {}, true);
  add(plans, {.kind = "mlp", .depth = 5, .activation = "hard_sigmoid"}, {3.2, 5, 12}, {}, false);
  add(plans, {.kind = "mlp", .depth = 6, .activation = "tanh"}, {2.5, 5, 12}, {2}, true);
  add(plans, {.kind = "mlp", .depth = 8, .activation = "tanh"}, {-2.5, -5, -12}, {4}, false);
  add(plans, {.kind = "mlp", .depth = 6, .activation = "softsign"}, {6, 15, 50}, {}, true);
  add(plans, {.kind = "convnet", .depth = 4, .width = 8, .activation = "tanh"}, {2.5, 5, 12}, {}, true);
  add(plans, {.kind = "convnet", .depth = 6, .width = 8, .activation = "hardtanh"}, {1.5, 4, 10}, {3}, false);
  add(plans, {.kind = "transformer", .depth = 3, .activation = "tanh"}, {3, 6, 15}, {}, true);
  add(plans, {.kind = "resnet", .depth = 16, .activation = "tanh", .norm = "layer"}, {3, 6, 15}, {}, true);
  add(plans, {.kind = "mlp", .depth = 6, .activation = "elu"}, {-3.5, -7, -20}, {2}, false);
  add(plans, {.kind = "mlp", .depth = 4, .activation = "relu6"}, {7, 12, 40}, {1}, false);
  add_gates(plans, 1, {4, 8, 25});
  add_gates(plans, 4, {4, 8, 25});
}

}  // namespace ogee::faults
