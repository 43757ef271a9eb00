// A data set ready to train on: standardised, split, in tensors.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "data/csv.h"

namespace ogee::data {

struct Part {
  at::Tensor x;  // [n, features...], float32
  at::Tensor y;  // [n]: class numbers (int64), or standardised values (float32)
  std::int64_t size() const { return x.defined() ? x.size(0) : 0; }
};

struct Dataset {
  std::string name;
  Goal goal = Goal::classification;
  std::vector<std::int64_t> shape;   // of one example: {features} or {channels, height, width}
  std::vector<std::string> classes;  // classification
  double target_deviation = 1;       // regression: undoes the standardisation of the target
  double baseline = 0;               // the error of a constant answer on the test part
  Part train, validation, test;
  std::vector<std::string> notes;
  std::string fingerprint;  // of everything above, to tell changed data from the same

  std::int64_t outputs() const { return goal == Goal::classification ? std::int64_t(classes.size()) : 1; }
  bool images() const { return shape.size() == 3; }
};

struct Request {
  std::string data = "optdigits";  // optdigits, mnist, fashion-mnist or a path ending in .csv or .csv.gz
  std::string target;              // of a CSV file
  std::int64_t train_limit = 0;    // 0: all
};
// Throws Error. mnist and fashion-mnist are looked for in folders of these names under $OGEE_DATA.
Dataset load(const Request& request);

}  // namespace ogee::data
