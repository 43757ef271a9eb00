#include "tasks/task.h"

namespace ogee::tasks {
namespace {

// In standardised units, the mean over all steps and columns of an example.
Measure over_steps(bool squares) {
  return {[squares](const at::Tensor& output, const at::Tensor& y) {
            const at::Tensor misses = (output - y.reshape_as(output)).to(torch::kDouble);
            return one_number((squares ? misses.square() : misses.abs()).flatten(1).mean(1).sum());
          },
          mean_of};
}

class Forecasting : public Task {
 public:
  explicit Forecasting(const Metric& metric) : Task(metric) { measure_ = over_steps(std::string(metric.key) == "mse"); }
  at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const override {
    return at::mse_loss(output, y.reshape_as(output));
  }
};

}  // namespace

std::unique_ptr<Task> make_forecasting(const Metric& metric) { return std::make_unique<Forecasting>(metric); }

}  // namespace ogee::tasks
