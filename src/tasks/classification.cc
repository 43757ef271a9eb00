#include <ATen/record_function.h>

#include <algorithm>

#include "kernels/dense/rows.h"
#include "tasks/task.h"

namespace ogee::tasks {
namespace {

constexpr std::int64_t several = 5;  // of top-5

at::Tensor counts(const at::Tensor& of, std::int64_t classes) {
  return torch::bincount(of, {}, classes).to(torch::kDouble);
}

// The mean over those classes for which `known` is above 0.
double mean_over(const at::Tensor& values, const at::Tensor& known) {
  return values.masked_select(known > 0).mean().item<double>();
}

Measure wrong_answers() {
  return {[](const at::Tensor& output, const at::Tensor& y) { return one_number(output.argmax(1).ne(y).sum()); },
          mean_of};
}

Measure top_error() {
  return {[](const at::Tensor& output, const at::Tensor& y) {
            const at::Tensor named = std::get<1>(output.topk(several, 1));
            return one_number(named.eq(y.unsqueeze(1)).any(1).logical_not().sum());
          },
          mean_of};
}

// The mean over classes, each with the share of its examples that were taken for another. Classes without any examples
// do not count.
Measure balanced_error(std::int64_t classes) {
  return {[classes](const at::Tensor& output, const at::Tensor& y) {
            const at::Tensor wrong = y.masked_select(output.argmax(1).ne(y));
            return at::cat({counts(y, classes), counts(wrong, classes)});
          },
          [classes](const at::Tensor& sums, double) {
            const at::Tensor there = sums.narrow(0, 0, classes), wrong = sums.narrow(0, classes, classes);
            return mean_over(wrong / there, there);
          }};
}

// F1, the harmonic mean of precision and recall, is 2 hits/(examples of the class + answers that name it). Classes that
// are neither there nor named do not count.
Measure macro_f1(std::int64_t classes) {
  return {[classes](const at::Tensor& output, const at::Tensor& y) {
            const at::Tensor answer = output.argmax(1);
            const at::Tensor hits = y.masked_select(answer.eq(y));
            return at::cat({counts(hits, classes), counts(y, classes) + counts(answer, classes)});
          },
          [classes](const at::Tensor& sums, double) {
            const at::Tensor hits = sums.narrow(0, 0, classes), either = sums.narrow(0, classes, classes);
            return 1 - mean_over(2 * hits / either, either);
          }};
}

class Classification : public Task {
 public:
  Classification(const Metric& metric, std::int64_t classes) : Task(metric) {
    const std::string key = metric.key;
    measure_ = key == "balanced_error" ? balanced_error(classes)
               : key == "macro_f1"     ? macro_f1(classes)
               : key == "top5_error"   ? top_error()
               : key == "loss"         ? loss_measure()
                                       : wrong_answers();
  }
  at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const override {
    return at::cross_entropy_loss(output, y);
  }
  Differentiated differentiated(const at::Tensor& output, const at::Tensor& y) const override {
    // An observer wants to see the loss.
    if (at::getStepCallbacksUnlessEmpty(at::RecordScope::FUNCTION).has_value()) return Task::differentiated(output, y);
    const bool plain = output.is_cpu() && output.dim() == 2 && output.scalar_type() == torch::kFloat &&
                       output.is_contiguous() && output.numel() > 0 && y.is_cpu() && y.dim() == 1 &&
                       y.scalar_type() == torch::kLong && y.is_contiguous() && y.size(0) == output.size(0);
    if (!plain) return Task::differentiated(output, y);
    const std::int64_t rows = output.size(0), classes = output.size(1);
    const auto* const answers = y.data_ptr<std::int64_t>();
    // LibTorch knows what to say of others.
    if (std::any_of(answers, answers + rows, [&](std::int64_t answer) { return answer < 0 || answer >= classes; }))
      return Task::differentiated(output, y);
    Differentiated found{0, torch::empty(output.sizes())};
    found.loss = kernels::dense::cross_entropy(static_cast<std::size_t>(rows), static_cast<std::size_t>(classes),
                                               output.data_ptr<float>(), answers, found.gradient.data_ptr<float>());
    return found;
  }
};

}  // namespace

std::unique_ptr<Task> make_classification(const Metric& metric, std::int64_t classes) {
  return std::make_unique<Classification>(metric, classes);
}

}  // namespace ogee::tasks
