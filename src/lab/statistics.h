// Small-sample statistics of a paired comparison.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace ogee::lab {

struct Interval {
  double low, high;
};

double mean(std::span<const double> values);
// Of the sample (n - 1); NaN for fewer than two.
double deviation(std::span<const double> values);
// Student's t interval of the mean. With a handful of seeds it is the interval to use: a bootstrap (BCa too) of five
// numbers has only 126 different resamples and covers too little. NaN for fewer than two values.
Interval t_interval(std::span<const double> values, double level = 0.95);
// Two-sided p of the mean being 0, Student's t. NaN for fewer than two values; 1 if all are 0.
double t_test(std::span<const double> differences);
// Two-sided p of the mean being 0 when every difference might as well have had the other sign. Exact up to 20
// differences, by 2^20 drawn patterns of signs beyond. Never below 2/2^n: `smallest_sign_flip` says so.
double sign_flip(std::span<const double> differences);
double smallest_sign_flip(std::size_t count);
// Holm's step-down correction: p values that may all be compared with one level.
std::vector<double> holm(std::span<const double> p);

}  // namespace ogee::lab
