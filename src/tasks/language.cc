#include <algorithm>
#include <cmath>
#include <numbers>

#include "tasks/task.h"

namespace ogee::tasks {
namespace {

class Language : public Task {
 public:
  Language(const Metric& metric, std::int64_t answers) : Task(metric), answers_(answers) {
    const std::string key = metric.key;
    // The cross-entropy of a window's tokens, their mean; all windows are of one length.
    measure_ = loss_measure();
    if (key == "perplexity")
      measure_.error = [](const at::Tensor& sums, double examples) { return std::exp(mean_of(sums, examples)); };
    if (key == "bits")
      measure_.error = [](const at::Tensor& sums, double examples) {
        return mean_of(sums, examples) / std::numbers::ln2;
      };
  }
  at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const override {
    return at::cross_entropy_loss(output.flatten(0, 1), y.flatten());
  }
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
