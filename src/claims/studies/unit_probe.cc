#include "claims/studies/unit_probe.h"

#include <cmath>
#include <vector>

#include "ogee/libtorch.h"
#include "ogee/ogee.h"

namespace ogee::claims {
namespace {

// No gradient to speak of comes through a slope below the first; a slope below the second, in parts of the function's
// largest, is called saturated.
constexpr double no_slope = 1e-6, saturated_below = 0.05;

double share(const at::Tensor& which) { return which.to(torch::kDouble).mean().item<double>(); }

}  // namespace

void UnitProbe::look(const models::Network& network) {
  const torch::NoGradGuard no_gradients;
  std::vector<at::Tensor> off, dead, saturated;
  for (const auto& layer : network.layers) {
    auto unit = layer.unit;
    const at::Tensor z = layer.z.detach(), slope = unit->slope(z).abs();
    off.push_back(z.le(0).all(0));
    dead.push_back(slope.lt(no_slope).all(0));
    if (first_off_.defined()) continue;
    const double lipschitz = properties(unit->activation()).lipschitz;
    // Without a largest slope, what was seen stands in for it, as in the laboratory's own measure.
    const double largest = std::isfinite(lipschitz) ? lipschitz : slope.max().item<double>();
    saturated.push_back(slope.lt(saturated_below * largest).to(torch::kDouble).mean(0));
  }
  last_off_ = torch::cat(off);
  dead_ = torch::cat(dead);
  if (!first_off_.defined()) {
    first_off_ = last_off_;
    ever_off_ = last_off_;
    dead_first_ = share(dead_);
    saturated_ = torch::cat(saturated).mean().item<double>();
  }
  ever_off_ = ever_off_.logical_or(last_off_);
}

std::map<std::string, double> UnitProbe::measures() const {
  std::map<std::string, double> seen{{"off_first", share(first_off_)}, {"off", share(last_off_)},
                                     {"dead_first", dead_first_},      {"dead", share(dead_)},
                                     {"saturated_first", saturated_},  {"ever_off", share(ever_off_)}};
  const at::Tensor on = last_off_.logical_not();
  if (seen["ever_off"] > 0) seen["recovered"] = share(on.masked_select(ever_off_));
  return seen;
}

}  // namespace ogee::claims
