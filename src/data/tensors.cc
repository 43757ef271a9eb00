#include "data/tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ogee/libtorch.h"
#include "data/parts.h"
#include "ogee/ogee.h"

namespace ogee::data {

Dataset from_tensors(const std::string& name, const at::Tensor& x, const at::Tensor& y, std::int64_t train_limit) {
  if (!x.defined() || (x.dim() != 2 && x.dim() != 4) || x.numel() == 0)
    throw Error(
        fmt::format("{}: x has the shape ({}), expected (examples, features) or (examples, channels, height, "
                    "width)",
                    name, x.defined() ? fmt::format("{}", fmt::join(x.sizes(), ", ")) : "undefined"));
  if (!y.defined() || y.dim() != 1 || y.size(0) != x.size(0))
    throw Error(fmt::format("{}: y has the shape ({}), expected one answer for each of {} examples", name,
                            y.defined() ? fmt::format("{}", fmt::join(y.sizes(), ", ")) : "undefined", x.size(0)));
  if (!torch::isfinite(x).all().item<bool>()) throw Error(name + ": x holds numbers that are not finite");
  if (!torch::isfinite(y).all().item<bool>()) throw Error(name + ": y holds numbers that are not finite");
  Dataset set;
  set.name = name;
  set.shape = x.sizes().slice(1).vec();
  Examples examples;
  examples.all.x = x.detach().to(torch::kCPU, torch::kFloat).contiguous();
  if (y.is_floating_point()) {
    set.goal = Goal::regression;
    examples.all.y = y.detach().to(torch::kCPU, torch::kDouble);
  } else {
    examples.all.y = y.detach().to(torch::kCPU, torch::kLong);
    const auto least = examples.all.y.min().item<std::int64_t>(), most = examples.all.y.max().item<std::int64_t>();
    if (least < 0 || most == 0 || most >= x.size(0))
      throw Error(fmt::format("{}: y has class numbers from {} to {}, expected 0 to classes - 1, and two at least",
                              name, least, most));
    for (std::int64_t i = 0; i <= most; ++i) set.classes.push_back(std::to_string(i));
  }
  Request request;
  request.data = name;
  request.train_limit = train_limit;
  divide(set, std::move(examples), request, {0.2, 0.2}, set.images() ? Scale::all : Scale::feature);
  return set;
}

}  // namespace ogee::data
