#include <algorithm>
#include <cmath>
#include <numbers>

#include "tasks/entropy.h"
#include "tasks/task.h"

namespace ogee::tasks {
namespace {

class Language : public Task {
 public:
  Language(const Metric& metric, std::int64_t answers) : Task(metric), answers_(answers) {
    const std::string key = metric.key;
    measure_ = loss_measure();
    const auto mean = measure_.error;  // of both sums: over the tokens that are asked for
    if (key == "error")
      measure_.statistics = [](const at::Tensor& output, const at::Tensor& y) {
        const at::Tensor asked = y.ge(0);
        return at::cat({one_number(output.argmax(-1).ne(y).logical_and(asked).sum()), one_number(asked.sum())});
      };
    if (key == "perplexity")
      measure_.error = [mean](const at::Tensor& sums, double examples) { return std::exp(mean(sums, examples)); };
    if (key == "bits")
      measure_.error = [mean](const at::Tensor& sums, double examples) {
        return mean(sums, examples) / std::numbers::ln2;
      };
  }
  // Answers below 0, of masked tokens, do not count: LibTorch's own mark for them is -100.
  at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const override {
    return cross_entropy(output.flatten(0, 1), y.flatten());
  }
  double weight(const at::Tensor& y) const override { return static_cast<double>(y.ge(0).sum().item<std::int64_t>()); }
  std::int64_t at_once() const override {
    constexpr std::int64_t most_numbers = 1 << 24;
    return std::clamp<std::int64_t>(most_numbers / answers_, 1, 512);
  }

 private:
  std::int64_t answers_;
};

}  // namespace

std::unique_ptr<Task> make_language(const Metric& metric, std::int64_t answers) {
  return std::make_unique<Language>(metric, answers);
}

}  // namespace ogee::tasks
