// The signs of the gradients by the weights behind activations, and the way that training goes in them.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "models/network.h"
#include "tasks/task.h"

namespace ogee::claims {

// Of the weights that activations feed: all but the first layer's. A neuron is a row of such a matrix.
class PathProbe {
 public:
  explicit PathProbe(models::Network& network);

  // The signs within each example's own gradient; adds to parameters' gradients.
  void look(const tasks::Task& task, const data::Part& examples);
  // After backward, before the optimiser's step; and after it.
  void before_step();
  void after_step();

  std::map<std::string, double> measures() const;

 private:
  struct Mean {
    double sum = 0;
    std::int64_t count = 0;
    void add(const at::Tensor& values);
    void put(std::map<std::string, double>& into, const char* name) const;
  };
  models::Network& network_;
  std::vector<at::Tensor> weights_, start_, before_, last_;  // last_: the step before
  Mean example_, batch_, reversals_, zigzag_, alignment_;
  double length_ = 0;
};

// By row, the larger share of one sign among those numbers that are not 0, of rows that have any: from 1/2 to 1.
at::Tensor sign_agreement(const at::Tensor& rows);

}  // namespace ogee::claims
