#include <cmath>

#include "tasks/task.h"

namespace ogee::tasks {
namespace {

at::Tensor misses(const at::Tensor& output, const at::Tensor& y) { return (output.squeeze(1) - y).to(torch::kDouble); }

// Both in the target's own unit.
Measure root_mean_square(double deviation) {
  return {
      [](const at::Tensor& output, const at::Tensor& y) { return one_number(misses(output, y).square().sum()); },
      [deviation](const at::Tensor& sums, double examples) { return deviation * std::sqrt(mean_of(sums, examples)); }};
}
Measure mean_absolute(double deviation) {
  return {[](const at::Tensor& output, const at::Tensor& y) { return one_number(misses(output, y).abs().sum()); },
          [deviation](const at::Tensor& sums, double examples) { return deviation * mean_of(sums, examples); }};
}

// 1 - R2: the squares that are left, of those around the mean of the examples judged.
Measure unexplained() {
  return {[](const at::Tensor& output, const at::Tensor& y) {
            const at::Tensor exact = y.to(torch::kDouble);
            return at::stack({misses(output, y).square().sum(), exact.sum(), exact.square().sum()});
          },
          [](const at::Tensor& sums, double examples) {
            const double sum = sums[1].item<double>();
            return sums[0].item<double>() / (sums[2].item<double>() - sum * sum / examples);
          }};
}

class Regression : public Task {
 public:
  Regression(const Metric& metric, double target_deviation) : Task(metric) {
    const std::string key = metric.key;
    measure_ = key == "mae"    ? mean_absolute(target_deviation)
               : key == "r2"   ? unexplained()
               : key == "loss" ? loss_measure()
                               : root_mean_square(target_deviation);
  }
  at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const override {
    return at::mse_loss(output.squeeze(1), y);
  }
};

}  // namespace

std::unique_ptr<Task> make_regression(const Metric& metric, double target_deviation) {
  return std::make_unique<Regression>(metric, target_deviation);
}

}  // namespace ogee::tasks
