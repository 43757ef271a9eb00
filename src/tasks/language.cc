#include <algorithm>
#include <cmath>
#include <numbers>

#include "tasks/entropy.h"
#include "tasks/task.h"

namespace ogee::tasks {
namespace {

using Mean = double (*)(const at::Tensor& sums, double examples);

// Sums over the tokens that are asked for, and their number: [sum, tokens].
double mean_of_tokens(const at::Tensor& sums, double) { return sums[0].item<double>() / sums[1].item<double>(); }

at::Tensor with_count(const at::Tensor& sum, const at::Tensor& asked) {
  return at::cat({one_number(sum), one_number(asked.sum())});
}

class Language : public Task {
 public:
  Language(const Metric& metric, std::int64_t answers, bool masked) : Task(metric), answers_(answers) {
    const std::string key = metric.key;
    // The cross-entropy of a window's tokens, their mean; unless some are masked, all windows are of one length.
    measure_ = loss_measure();
    Mean mean = mean_of;
    if (masked || key == "error") {
      mean = mean_of_tokens;
      measure_ = {[this](const at::Tensor& output, const at::Tensor& y) {
                    const at::Tensor asked = y.ge(0);
                    return with_count(loss(output, y) * asked.sum(), asked);
                  },
                  mean};
    }
    if (key == "error")
      measure_.statistics = [](const at::Tensor& output, const at::Tensor& y) {
        const at::Tensor asked = y.ge(0);
        return with_count(output.argmax(-1).ne(y).logical_and(asked).sum(), asked);
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
  std::int64_t at_once() const override {
    constexpr std::int64_t most_numbers = 1 << 24;
    return std::clamp<std::int64_t>(most_numbers / answers_, 1, 512);
  }

 private:
  std::int64_t answers_;
};

}  // namespace

std::unique_ptr<Task> make_language(const Metric& metric, std::int64_t answers, bool masked) {
  return std::make_unique<Language>(metric, answers, masked);
}

}  // namespace ogee::tasks
