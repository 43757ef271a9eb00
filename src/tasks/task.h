// What a network is trained for: the loss, and the error that people ask about.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "data/dataset.h"
#include "models/network.h"
#include "tasks/metric.h"

namespace ogee::tasks {

struct Score {
  double error;  // by the task's metric; lower is better, always
  double loss;
  std::map<std::string, double> further = {};  // Task::further
};

class Task {
 public:
  virtual ~Task() = default;
  const Metric& metric() const { return metric_; }
  // The mean over a batch, differentiable.
  virtual at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const = 0;
  // Over how many that mean is, which is what it counts by in a mean over several batches: examples or, where they
  // differ in what they ask for, tokens.
  virtual double weight(const at::Tensor& y) const { return static_cast<double>(y.size(0)); }
  // The same and its gradient by the output, which is no part of a graph.
  struct Differentiated {
    double loss;
    at::Tensor gradient;
  };
  virtual Differentiated differentiated(const at::Tensor& output, const at::Tensor& y) const;
  // What the error is made from: a vector of doubles that adds up over examples, and the error it comes to.
  at::Tensor statistics(const at::Tensor& output, const at::Tensor& y) const { return measure_.statistics(output, y); }
  double error(const at::Tensor& sums, double examples) const { return measure_.error(sums, examples); }
  // What else the same sums come to, by name: bleu_1 to bleu_4.
  virtual std::map<std::string, double> further(const at::Tensor&) const { return {}; }
  // Whether `statistics` are of what Network::generate gives, not of the output.
  virtual bool generates() const { return false; }
  // How many examples to evaluate together: enough to hide the overhead, small enough for the caches and, where one
  // answer is large, for memory.
  virtual std::int64_t at_once() const { return 512; }

 protected:
  explicit Task(const Metric& metric) : metric_(metric) {}
  // The metric "loss": the mean loss itself. Its sums are the loss's over all that `weight` counts, and their number.
  Measure loss_measure() const;
  Measure measure_;  // to be set by the constructor

 private:
  const Metric& metric_;
};

// One file each.
std::unique_ptr<Task> make_classification(const Metric& metric, std::int64_t classes);
std::unique_ptr<Task> make_regression(const Metric& metric, double target_deviation);
// `answers`: numbers in the answer to one example.
std::unique_ptr<Task> make_language(const Metric& metric, std::int64_t answers);
std::unique_ptr<Task> make_forecasting(const Metric& metric);
std::unique_ptr<Task> make_recall(const Metric& metric);
// `data` must be there as long as the task is.
// Translation and captions.
std::unique_ptr<Task> make_sentences(const Metric& metric, const data::Dataset& data);

// Judged by the metric of this key (metric.h), "" by the usual one. Throws Error on one that does not fit.
std::unique_ptr<Task> make_task(const data::Dataset& data, const std::string& metric = "");

// The error on the test part of always giving the same answer, which knows the training part's answers only: how
// frequent they are, or their mean.
double baseline(const Task& task, const data::Dataset& data);

// One of several who evaluate together: `sum` adds up what each found, for all of them.
struct Share {
  std::int64_t from = 0, count = 0;  // its examples of the part
  std::function<void(at::Tensor&)> sum;
};

// Without noise and gradients; leaves the network in training mode. The loss is the mean over the whole part, whatever
// it is evaluated in.
Score evaluate(const Task& task, models::Network& network, const data::Part& part,
               const std::optional<Share>& share = std::nullopt);

}  // namespace ogee::tasks
