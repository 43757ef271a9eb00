#include "tasks/task.h"

namespace ogee::tasks {
namespace {

class Classification : public Task {
 public:
  std::string metric() const override { return "error"; }
  at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const override {
    return at::cross_entropy_loss(output, y);
  }
  at::Tensor statistics(const at::Tensor& output, const at::Tensor& y) const override {
    return output.argmax(1).ne(y).sum().to(torch::kDouble).reshape({1});
  }
  double error(const at::Tensor& statistics, double examples) const override {
    return statistics[0].item<double>() / examples;
  }
};

}  // namespace

std::unique_ptr<Task> make_classification() { return std::make_unique<Classification>(); }

}  // namespace ogee::tasks
