#include "bench/faults/plants.h"

#include <fmt/format.h>

#include <cmath>

namespace ogee::faults {

std::string words_of(const Design& design, const Training& training) {
  std::string text = fmt::format("{} of {} {}", design.kind, design.depth, design.activation);
  if (design.norm != "none") text += ", " + design.norm + " norm";
  if (training.optimiser != "adam") text += ", " + training.optimiser;
  if (training.data != "optdigits") text += ", " + training.data;
  return text;
}

void shift(Net& net, std::size_t site, double by, double share) {
  torch::NoGradGuard guard;
  at::Tensor& bias = net.sites.at(site).bias;
  bias.slice(0, 0, std::max<std::int64_t>(1, std::lround(share * static_cast<double>(bias.size(0))))).add_(by);
}

}  // namespace ogee::faults
