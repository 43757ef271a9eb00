#include <algorithm>
#include <cmath>

#include "tasks/task.h"

namespace ogee::tasks {
namespace {

class Language : public Task {
 public:
  explicit Language(std::int64_t answers) : answers_(answers) {}
  std::string metric() const override { return "perplexity"; }
  at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const override {
    return at::cross_entropy_loss(output.flatten(0, 1), y.flatten());
  }
  // The cross-entropy of a window's tokens, their mean; all windows are of one length.
  at::Tensor statistics(const at::Tensor& output, const at::Tensor& y) const override {
    return loss(output, y).to(torch::kDouble).reshape({1}) * y.size(0);
  }
  double error(const at::Tensor& statistics, double examples) const override {
    return std::exp(statistics[0].item<double>() / examples);
  }
  std::int64_t at_once() const override {
    constexpr std::int64_t most_numbers = 1 << 24;
    return std::clamp<std::int64_t>(most_numbers / answers_, 1, 512);
  }

 private:
  std::int64_t answers_;
};

}  // namespace

std::unique_ptr<Task> make_language(std::int64_t answers) { return std::make_unique<Language>(answers); }

}  // namespace ogee::tasks
