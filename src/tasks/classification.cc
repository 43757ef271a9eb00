#include "tasks/task.h"

namespace ogee::tasks {
namespace {

class Classification : public Task {
 public:
  std::string metric() const override { return "error"; }
  at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const override {
    return at::cross_entropy_loss(output, y);
  }
  at::Tensor error_sum(const at::Tensor& output, const at::Tensor& y) const override {
    return output.argmax(1).ne(y).sum();
  }
  double finish(double mean) const override { return mean; }
};

}  // namespace

std::unique_ptr<Task> make_classification() { return std::make_unique<Classification>(); }

}  // namespace ogee::tasks
