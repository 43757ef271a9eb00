#include "tasks/task.h"

#include <algorithm>

namespace ogee::tasks {

std::unique_ptr<Task> make_task(const data::Dataset& data) {
  return data.goal == data::Goal::classification ? make_classification() : make_regression(data.target_deviation);
}

Score evaluate(const Task& task, models::Network& network, const data::Part& part) {
  constexpr std::int64_t most = 512;  // examples at once: enough to hide the overhead, small enough for the caches
  const torch::NoGradGuard no_gradients;
  network.eval();
  double error = 0, loss = 0;
  for (std::int64_t from = 0; from < part.size(); from += most) {
    const std::int64_t count = std::min(most, part.size() - from);
    const at::Tensor y = part.y.narrow(0, from, count);
    const at::Tensor output = network.forward(part.x.narrow(0, from, count));
    error += task.error_sum(output, y).item<double>();
    loss += task.loss(output, y).item<double>() * static_cast<double>(count);
  }
  network.train();
  const auto size = static_cast<double>(part.size());
  return {task.finish(error / size), loss / size};
}

}  // namespace ogee::tasks
