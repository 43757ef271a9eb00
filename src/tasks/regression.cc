#include <cmath>

#include "tasks/task.h"

namespace ogee::tasks {
namespace {

class Regression : public Task {
 public:
  explicit Regression(double target_deviation) : deviation_(target_deviation) {}
  std::string metric() const override { return "RMSE"; }
  at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const override {
    return at::mse_loss(output.squeeze(1), y);
  }
  at::Tensor statistics(const at::Tensor& output, const at::Tensor& y) const override {
    return (output.squeeze(1) - y).to(torch::kDouble).square().sum().reshape({1});
  }
  double error(const at::Tensor& statistics, double examples) const override {
    return deviation_ * std::sqrt(statistics[0].item<double>() / examples);
  }

 private:
  double deviation_;
};

}  // namespace

std::unique_ptr<Task> make_regression(double target_deviation) {
  return std::make_unique<Regression>(target_deviation);
}

}  // namespace ogee::tasks
