// Units that never fire, units that stop firing, and too few that do.
#include <cmath>

#include "bench/faults/plants.h"

namespace ogee::faults {
namespace {

constexpr double out_of_reach = -30;

void dead(std::vector<Plan>& plans, Design design, const double (&shares)[3], std::vector<std::size_t> sites) {
  Plan plan;
  plan.fault = "dead_units";
  plan.name = "dead_units: " + words_of(design, {}) + (sites.empty() ? "" : ", one layer");
  plan.design = std::move(design);
  std::copy(shares, shares + 3, plan.levels);
  plan.sites = sites;
  plan.plant = [sites](Net& net, double share) {
    for (std::size_t i = 0; i < net.sites.size(); ++i)
      if (sites.empty() || i == sites[0]) shift(net, i, out_of_reach, share);
  };
  plan.expected = {"dead_units", "too_sparse"};
  plans.push_back(std::move(plan));
}

// A share of the units is pushed out of reach, one after another, while the network trains.
void dying(std::vector<Plan>& plans, Design design, const double (&shares)[3], std::vector<std::size_t> sites) {
  Plan plan;
  plan.fault = "dying";
  plan.name = "dying: " + words_of(design, {}) + ", pushed" + (sites.empty() ? "" : ", one layer");
  plan.design = std::move(design);
  std::copy(shares, shares + 3, plan.levels);
  plan.sites = sites;
  plan.disturb = [sites](Step& step, double share) {
    torch::NoGradGuard guard;
    for (std::size_t i = 0; i < step.net.sites.size(); ++i) {
      if (!sites.empty() && i != sites[0]) continue;
      at::Tensor& bias = step.net.sites[i].bias;
      const double units = static_cast<double>(bias.size(0)), begun = static_cast<double>(step.of) * 0.2;
      const double way = (static_cast<double>(step.number) - begun) / (0.5 * static_cast<double>(step.of));
      if (way <= 0) continue;
      const auto gone = std::lround(std::min(way, 1.0) * share * units);
      if (gone > 0) bias.slice(0, 0, gone).fill_(out_of_reach);
    }
  };
  plan.expected = {"dying", "dead_units"};
  plans.push_back(std::move(plan));
}

void dying_of_rate(std::vector<Plan>& plans, Design design, const double (&rates)[3]) {
  Plan plan;
  plan.fault = "dying";
  plan.training = {.optimiser = "sgd"};
  plan.name = "dying: " + words_of(design, plan.training) + ", too large a rate";
  plan.design = std::move(design);
  std::copy(rates, rates + 3, plan.levels);
  plan.change = [](Plan& changed, double rate) { changed.training.rate = rate; };
  plan.expected = {"dying", "dead_units", "update_too_large", "too_sparse", "non_finite"};
  plans.push_back(std::move(plan));
}

void sparse(std::vector<Plan>& plans, Design design, const double (&deviations)[3], std::vector<std::size_t> sites) {
  Plan plan;
  plan.fault = "too_sparse";
  plan.name = "too_sparse: " + words_of(design, {}) + (sites.empty() ? "" : ", one layer");
  plan.design = std::move(design);
  std::copy(deviations, deviations + 3, plan.levels);
  plan.sites = sites;
  // Held there: a rectifier whose threshold is too high.
  plan.disturb = [sites](Step& step, double deviations_below) {
    torch::NoGradGuard guard;
    for (std::size_t i = 0; i < step.net.sites.size(); ++i)
      if (sites.empty() || i == sites[0]) {
        // Inputs have a mean square of about 1, so that this is the deviation of what is put in front of the bias.
        const at::Tensor& weight = step.net.sites[i].weight;
        const double deviation = weight.norm().item<double>() / std::sqrt(static_cast<double>(weight.size(0)));
        step.net.sites[i].bias.fill_(-deviations_below * deviation);
      }
  };
  plan.expected = {"too_sparse", "dead_units", "dying"};
  plans.push_back(std::move(plan));
}

}  // namespace

void add_dead_faults(std::vector<Plan>& plans) {
  dead(plans, {.kind = "mlp", .depth = 6, .activation = "relu"}, {0.3, 0.6, 0.9}, {2});
  dead(plans, {.kind = "mlp", .depth = 4, .width = 64, .activation = "relu"}, {0.25, 0.5, 0.8}, {});
  dead(plans, {.kind = "mlp", .depth = 12, .activation = "relu"}, {0.3, 0.6, 0.9}, {7});
  dead(plans, {.kind = "convnet", .depth = 4, .width = 16, .activation = "relu"}, {0.3, 0.6, 0.9}, {1});
  dead(plans, {.kind = "convnet", .depth = 6, .width = 16, .activation = "relu6"}, {0.25, 0.5, 0.8}, {});
  dead(plans, {.kind = "resnet", .depth = 20, .activation = "relu"}, {0.25, 0.5, 0.8}, {});
  dead(plans, {.kind = "transformer", .depth = 4, .activation = "relu"}, {0.3, 0.6, 0.9}, {2});
  dead(plans, {.kind = "transformer", .depth = 2, .activation = "squared_relu"}, {0.25, 0.5, 0.8}, {});

  dying(plans, {.kind = "mlp", .depth = 6, .activation = "relu"}, {0.3, 0.6, 0.9}, {2});
  dying(plans, {.kind = "mlp", .depth = 4, .width = 64, .activation = "relu"}, {0.3, 0.5, 0.8}, {});
  dying(plans, {.kind = "convnet", .depth = 4, .width = 16, .activation = "relu"}, {0.3, 0.5, 0.8}, {});
  dying(plans, {.kind = "transformer", .depth = 3, .activation = "relu"}, {0.3, 0.6, 0.9}, {1});
  dying(plans, {.kind = "resnet", .depth = 12, .activation = "relu"}, {0.3, 0.5, 0.8}, {});
  dying_of_rate(plans, {.kind = "mlp", .depth = 6, .activation = "relu"}, {0.3, 1, 5});
  dying_of_rate(plans, {.kind = "convnet", .depth = 4, .width = 16, .activation = "relu"}, {0.3, 1, 5});

  sparse(plans, {.kind = "mlp", .depth = 4, .width = 64, .activation = "relu"}, {1.5, 2.5, 4}, {1});
  sparse(plans, {.kind = "mlp", .depth = 6, .width = 64, .activation = "relu"}, {1.2, 2, 4}, {});
  sparse(plans, {.kind = "convnet", .depth = 4, .width = 16, .activation = "relu"}, {1.5, 2.5, 4}, {2});
  sparse(plans, {.kind = "transformer", .depth = 3, .activation = "relu"}, {1.5, 2.5, 4}, {});
  sparse(plans, {.kind = "resnet", .depth = 10, .width = 64, .activation = "relu", .norm = "layer"}, {1.5, 2.5, 4}, {});
}

}  // namespace ogee::faults
