// What the ways of `ogee watch` share: a program, a TorchScript model, stored lines.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "ogee/monitor_record.h"

namespace ogee::cli {

struct WatchFlags {
  std::vector<std::string> program;
  std::string read;
  std::string json, report, tensorboard;
  std::int64_t every = 0;
  double budget = 0.01;
  bool trace_non_finite = false, quiet = false;
  // A model.
  std::string model;
  data::Request data;
  std::int64_t steps = 500, batch = 64;
  double rate = 1e-3;
  bool train = false, evaluate = false;
};

struct Watched {
  std::string title;
  bool observed = false;  // whether there is anything to judge
  monitor::Record record;
  std::vector<monitor::Finding> findings;
  std::vector<std::string> remarks;
  int status = 0;  // the program's own, or 2 where it could not be watched
};

// Runs the program with the monitor preloaded. Throws Error where it cannot be started.
Watched watch_program(const WatchFlags& flags);
// Trains the model, or only runs it, on the data. Throws Error on files that do not fit.
Watched watch_model(const WatchFlags& flags, const std::atomic<bool>& stop);

// Both lists' findings, each rule and layer once, worst first.
std::vector<monitor::Finding> united(std::vector<monitor::Finding> first, const std::vector<monitor::Finding>& second);

}  // namespace ogee::cli
