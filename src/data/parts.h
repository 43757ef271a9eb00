// From examples, however they were read, to the parts of a data set.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace ogee::data {

struct Shares {
  double validation, test;
};
// What is to be split off: the request's shares, else `usual`; 0 for a part that is given. Throws Error.
Shares shares_of(const Request& request, bool validation_given, bool test_given, Shares usual);

// What shares one mean and one deviation.
enum class Scale {
  feature,  // each feature by itself
  column,   // the last dimension: all rows of a column together
  all       // every number: of pixels the differences are the picture
};

// Examples of classes or values. Parts without x are split off `all`, classes kept in proportion.
struct Examples {
  Part all, validation, test;  // y of a regression: the values as they are, float64
};
// Splits, limits, standardises on the training part and describes: all of `set` but its name, goal, shape and classes.
void divide(Dataset& set, Examples examples, const Request& request, Shares usual, Scale scale);

// Of classes: how unbalanced they are, and the error of a constant answer.
void describe_classes(Dataset& set);

// The last step of every kind: parts must not be empty; notes on examples that are in two parts; the fingerprint.
void seal(Dataset& set);

// Mean and deviation of `x` along dimension 0 (or of all, or all but the last); constants get a deviation of 1 and a
// note. x -> (x - mean) / deviation.
struct Standard {
  at::Tensor mean, deviation;
  at::Tensor apply(const at::Tensor& x) const { return (x - mean) / deviation; }
};
Standard fit_standard(const at::Tensor& x, Scale scale, std::vector<std::string>& notes);

// At most `limit` examples of a part without classes; 0: all.
Part limited(const Part& part, std::int64_t limit);

}  // namespace ogee::data
