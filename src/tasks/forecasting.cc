#include "tasks/task.h"

namespace ogee::tasks {
namespace {

class Forecasting : public Task {
 public:
  std::string metric() const override { return "MSE"; }
  at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const override {
    return at::mse_loss(output, y.reshape_as(output));
  }
  at::Tensor statistics(const at::Tensor& output, const at::Tensor& y) const override {
    return (output - y.reshape_as(output)).to(torch::kDouble).square().flatten(1).mean(1).sum().reshape({1});
  }
  double error(const at::Tensor& statistics, double examples) const override {
    return statistics[0].item<double>() / examples;
  }
};

}  // namespace

std::unique_ptr<Task> make_forecasting() { return std::make_unique<Forecasting>(); }

}  // namespace ogee::tasks
