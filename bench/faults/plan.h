// A network, how it is trained, and what is wrong with it at three severities.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/faults/network.h"

namespace ogee::faults {

struct Training {
  std::string optimiser = "adam";  // adam, sgd (with momentum 0.9)
  double rate = 2e-3;
  double rate_of_slopes = 1;  // times `rate`, for the functions' learned parameters
  std::int64_t steps = 100;
  std::int64_t batch = 48;
  std::string data = "optdigits";  // or fashion-mnist
  std::int64_t examples = 0;       // 0: all that fit in memory's share
};

// What a fault may touch while the network trains.
struct Step {
  Net& net;
  std::int64_t number;  // from 1
  std::int64_t of;
  at::Tensor x, y;
};

enum Level { mild, middle, severe };
inline constexpr const char* level_names[] = {"mild", "middle", "severe"};

struct Plan {
  std::string name;   // "vanishing: mlp of 12 sigmoid"
  std::string fault;  // "" for healthy ones
  Design design;
  Training training;
  double levels[3] = {0, 0, 0};
  // Any of these, with the level's number.
  std::function<void(Plan&, double)> change;                                      // another design or training
  std::function<void(Net&, double)> plant;                                        // before the first step
  std::function<void(Step&, double)> disturb;                                     // before every step
  std::function<at::Tensor(const at::Tensor& logits, const Step&, double)> tail;  // behind the network
  // The rules of which one has to be found: the fault's own, or what it cannot be told apart from.
  std::vector<std::string> expected;
  // Local faults: the finding has to name one of these sites.
  std::vector<std::size_t> sites;
  bool tune = false;  // belongs to the half on which thresholds were chosen
};

std::vector<Plan> faulty_plans();
std::vector<Plan> healthy_plans(bool with_fashion);

// One file for each group, which adds to a list.
void add_gradient_faults(std::vector<Plan>& plans);
void add_saturation_faults(std::vector<Plan>& plans);
void add_dead_faults(std::vector<Plan>& plans);
void add_distribution_faults(std::vector<Plan>& plans);
void add_function_faults(std::vector<Plan>& plans);
void add_training_faults(std::vector<Plan>& plans);

}  // namespace ogee::faults
