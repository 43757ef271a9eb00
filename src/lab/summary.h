// From the runs in the store to what is said about them: results.json.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "lab/experiment.h"
#include "lab/store.h"

namespace ogee::lab {

struct DataFacts {
  std::string name;
  std::string goal = "classification", metric = "error";  // in words (tasks/metric.h)
  std::vector<std::int64_t> shape;
  std::int64_t classes = 0, train = 0, validation = 0, test = 0;
  double baseline = 0;  // the error of always giving the same answer
  std::vector<std::string> notes;

  bool share() const;    // errors are shares of 1, shown in per cent
  bool counted() const;  // errors are multiples of 1/(number of examples)
};

struct Environment {
  std::string command, target, libtorch, note;
  int workers = 1;
  double seconds = 0;
};

// Times stand under the keys "ms_per_step" and "seconds", and in words under "text". All else outside of
// "environment" is the same whenever the experiment is.
nlohmann::ordered_json summarise(const Experiment& experiment, const DataFacts& data, const Environment& environment,
                                 const std::vector<StoredRun>& runs);

}  // namespace ogee::lab
