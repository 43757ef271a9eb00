// What a network is trained for: the loss, and the error that people ask about.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "data/dataset.h"
#include "models/network.h"

namespace ogee::tasks {

struct Score {
  // Lower is better, always. Classification: the share of wrong answers; regression: the RMSE in the target's own unit;
  // language: the perplexity; forecasting: the MSE in standardised units, over all steps and columns.
  double error;
  double loss;
};

class Task {
 public:
  virtual ~Task() = default;
  virtual std::string metric() const = 0;  // "error", "RMSE", "perplexity" or "MSE"
  // The mean over a batch, differentiable.
  virtual at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const = 0;
  // What the error is made from: a vector of doubles that adds up over examples, and the error it comes to.
  virtual at::Tensor statistics(const at::Tensor& output, const at::Tensor& y) const = 0;
  virtual double error(const at::Tensor& statistics, double examples) const = 0;
  // How many examples to evaluate together: enough to hide the overhead, small enough for the caches and, where one
  // answer is large, for memory.
  virtual std::int64_t at_once() const { return 512; }
};

// One file each.
std::unique_ptr<Task> make_classification();
std::unique_ptr<Task> make_regression(double target_deviation);
std::unique_ptr<Task> make_language(std::int64_t answers);  // numbers in the answer to one example
std::unique_ptr<Task> make_forecasting();

std::unique_ptr<Task> make_task(const data::Dataset& data);

// One of several who evaluate together: `sum` adds up what each found, for all of them.
struct Share {
  std::int64_t from = 0, count = 0;  // its examples of the part
  std::function<void(at::Tensor&)> sum;
};

// Without noise and gradients; leaves the network in training mode.
Score evaluate(const Task& task, models::Network& network, const data::Part& part,
               const std::optional<Share>& share = std::nullopt);

}  // namespace ogee::tasks
