#include "tasks/task.h"

namespace ogee::tasks {
namespace {

// Examples of one data set may ask for different numbers of bits.
at::Tensor asked(const at::Tensor& y) { return y.ge(0); }
at::Tensor wrong(const at::Tensor& output, const at::Tensor& y) {
  return output.gt(0).ne(y.gt(0.5)).logical_and(asked(y));
}

// Of all bits.
Measure wrong_bits() {
  return {[](const at::Tensor& output, const at::Tensor& y) {
            return at::cat({one_number(wrong(output, y).sum()), one_number(asked(y).sum())});
          },
          [](const at::Tensor& sums, double) { return sums[0].item<double>() / sums[1].item<double>(); }};
}

// Of all examples, those with any bit wrong.
Measure wrong_examples() {
  return {[](const at::Tensor& output, const at::Tensor& y) {
            return one_number(wrong(output, y).flatten(1).any(1).sum());
          },
          mean_of};
}

class Recall : public Task {
 public:
  explicit Recall(const Metric& metric) : Task(metric) {
    const std::string key = metric.key;
    measure_ = key == "error" ? wrong_examples() : key == "loss" ? loss_measure() : wrong_bits();
  }
  // Bits are independent: a mean over those of a step, a sum over the steps asked for, a mean over examples.
  at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const override {
    const at::Tensor mask = asked(y).to(output.scalar_type());
    const at::Tensor each = at::softplus(output) - output * y;  // -log sigmoid(output) of a 1, else -log(1 - ...)
    return (each * mask).sum() / static_cast<double>(y.size(0) * y.size(2));
  }
};

}  // namespace

std::unique_ptr<Task> make_recall(const Metric& metric) { return std::make_unique<Recall>(metric); }

}  // namespace ogee::tasks
