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

// Student's t interval of the mean. NaN for fewer than two values. `resolution`: what the values are multiples of, such
// as 1/(number of test examples) for a share of errors; a deviation below what rounding alone makes is raised to that,
// lest three equal numbers give an interval without width.
Interval t_interval(std::span<const double> values, double level = 0.95, double resolution = 0);
// Two-sided p of the mean being 0, Student's t. NaN for fewer than two values; 1 if all are 0.
double t_test(std::span<const double> differences, double resolution = 0);

// Efron's bootstrap interval of the mean, corrected for bias and acceleration (BCa, 1987), over 4,000 resamples of a
// generator of its own: the same values give the same interval. NaN for fewer than two values. With few values it
// covers too little (docs/statistics.md has the measured coverage).
Interval bca_interval(std::span<const double> values, double level = 0.95);
// The one of the two whose measured coverage is right: Student's t, whatever the number of seeds.
inline Interval mean_interval(std::span<const double> values, double level = 0.95, double resolution = 0) {
  return t_interval(values, level, resolution);
}

// Two-sided p of the mean being 0 when every difference might as well have had the other sign. Exact up to 30
// differences, by 2^20 drawn patterns of signs beyond. Never below 2/2^n: `smallest_sign_flip` says so.
double sign_flip(std::span<const double> differences);
double smallest_sign_flip(std::size_t count);
// Holm's step-down correction: p values that may all be compared with one level.
std::vector<double> holm(std::span<const double> p);

// The mean difference in units of the differences' deviation, less its bias (Hedges' g for pairs), and its 95 %
// interval from the noncentral t distribution. NaN for fewer than two differences, or where all are equal.
struct Effect {
  double size;
  Interval interval;
};
Effect standardised(std::span<const double> differences, double level = 0.95);

}  // namespace ogee::lab
