// What arms may be judged by.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "data/goal.h"

namespace ogee::tasks {

// Lower is better, always: what is better when it is higher is taken from 1.
struct Metric {
  const char* key;    // in flags and files
  const char* title;  // what reports call it
  data::Goal goal;
  bool share;    // of 1: shown in per cent
  bool counted;  // so many examples of all, and so a multiple of 1/(number of examples)
};

// The first of each goal is the usual one.
std::span<const Metric> metrics();
// "": the usual one. Throws Error on a metric that is none, is another goal's, or needs more classes.
const Metric& metric_named(const std::string& key, data::Goal goal, std::int64_t classes);
// Whether any goal has a metric of this key.
bool is_metric(const std::string& key);
// By title; false for what is no metric's.
bool is_share(const std::string& title);
bool is_counted(const std::string& title);

// How a metric is taken: a vector of doubles that adds up over examples, and what the sums over `examples` come to.
struct Measure {
  std::function<at::Tensor(const at::Tensor& output, const at::Tensor& y)> statistics;
  std::function<double(const at::Tensor& sums, double examples)> error;
};

// The sums over examples in this form, and their mean.
at::Tensor one_number(const at::Tensor& sum);
double mean_of(const at::Tensor& sums, double examples);

}  // namespace ogee::tasks
