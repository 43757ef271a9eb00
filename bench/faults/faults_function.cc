// Functions whose noise drowns the signal, and functions whose learned shape runs away.
#include <fmt/format.h>

#include "bench/faults/plants.h"

namespace ogee::faults {
namespace {

// `text` has a {} for the level.
void noisy(std::vector<Plan>& plans, Design design, const std::string& text, const double (&levels)[3]) {
  Plan plan;
  plan.fault = "noise_drowns_signal";
  design.activation = fmt::format(fmt::runtime(text), levels[0]);
  plan.name = plan.fault + ": " + design.kind + " of " + std::to_string(design.depth) + " " + text;
  plan.design = std::move(design);
  std::copy(levels, levels + 3, plan.levels);
  plan.change = [text](Plan& changed, double level) {
    changed.design.activation = fmt::format(fmt::runtime(text), level);
  };
  plan.expected = {"noise_drowns_signal"};
  plans.push_back(std::move(plan));
}

void learned(std::vector<Plan>& plans, Design design, const double (&levels)[3]) {
  Plan plan;
  plan.fault = "learned_slopes_overfitting";
  design.channels = true;
  plan.training = {.examples = 64};
  plan.name = plan.fault + ": " + words_of(design, plan.training);
  plan.design = std::move(design);
  std::copy(levels, levels + 3, plan.levels);
  plan.change = [](Plan& changed, double level) { changed.training.rate_of_slopes = level; };
  plan.expected = {"learned_slopes_overfitting", "non_finite"};
  plans.push_back(std::move(plan));
}

}  // namespace

void add_function_faults(std::vector<Plan>& plans) {
  noisy(plans, {.kind = "mlp", .depth = 4}, "nani_tanh(c={})", {1.5, 4, 20});
  noisy(plans, {.kind = "mlp", .depth = 6}, "noisy_rectifier(sigma={})", {1, 3, 10});
  noisy(plans, {.kind = "convnet", .depth = 4, .width = 8}, "probact(sigma={})", {1, 3, 10});
  noisy(plans, {.kind = "mlp", .depth = 4}, "gaussian_dropout(rate={})", {0.6, 0.9, 0.99});
  noisy(plans, {.kind = "transformer", .depth = 2}, "noisy_rectifier(sigma={})", {1, 3, 10});
  noisy(plans, {.kind = "lstm", .depth = 1, .width = 24}, "nani_tanh(c={})", {1.5, 4, 20});

  learned(plans, {.kind = "mlp", .depth = 4, .activation = "prelu"}, {50, 200, 1000});
  learned(plans, {.kind = "mlp", .depth = 6, .activation = "swish_beta"}, {50, 200, 1000});
  learned(plans, {.kind = "convnet", .depth = 4, .width = 8, .activation = "prelu"}, {50, 200, 1000});
  learned(plans, {.kind = "mlp", .depth = 4, .activation = "acon_c"}, {50, 200, 1000});
  learned(plans, {.kind = "mlp", .depth = 5, .activation = "xsilu"}, {50, 200, 1000});
}

}  // namespace ogee::faults
