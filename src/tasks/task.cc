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

Score evaluate(const Task& task, models::Network& network, const data::Part& part) {
  const std::int64_t most = task.at_once();
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
