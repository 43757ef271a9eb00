#include "tasks/task.h"

#include <algorithm>

namespace ogee::tasks {

std::unique_ptr<Task> make_task(const data::Dataset& data) {
  switch (data.goal) {
    case data::Goal::classification: return make_classification();
    case data::Goal::regression: return make_regression(data.target_deviation);
    case data::Goal::language: return make_language(data.shape[0] * data.outputs());
    case data::Goal::forecasting: return make_forecasting();
  }
  throw Error("a data set of an unknown kind");
}

Score evaluate(const Task& task, models::Network& network, const data::Part& part,
               const std::optional<Share>& share) {
  const std::int64_t most = task.at_once();
  const torch::NoGradGuard no_gradients;
  network.eval();
  const std::int64_t begin = share ? share->from : 0, end = share ? share->from + share->count : part.size();
  // The task's statistics, then the loss. Of no examples at all there are as many, all of them 0.
  at::Tensor sums;
  for (std::int64_t from = begin; from < end || !sums.defined(); from += most) {
    const std::int64_t count = std::min(most, end - from);
    const std::int64_t seen = std::max<std::int64_t>(count, 1);
    const at::Tensor y = part.y.narrow(0, std::min(from, part.size() - seen), seen);
    const at::Tensor output = network.forward(part.x.narrow(0, std::min(from, part.size() - seen), seen));
    const at::Tensor loss = task.loss(output, y).to(torch::kDouble).reshape({1}) * static_cast<double>(count);
    at::Tensor found = at::cat({task.statistics(output, y), loss}).cpu();
    if (count == 0) found.zero_();
    sums = sums.defined() ? sums + found : found;
  }
  if (share) share->sum(sums);
  network.train();
  const auto examples = static_cast<double>(part.size());
  const std::int64_t statistics = sums.numel() - 1;
  return {task.error(sums.narrow(0, 0, statistics), examples), sums[statistics].item<double>() / examples};
}

}  // namespace ogee::tasks
