// The whole comparison: schedules the runs over workers, keeps them in the store, and writes what came out.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "lab/experiment.h"
#include "lab/ranks.h"

namespace ogee::lab {

struct Progress {
  std::int64_t runs_done = 0, runs = 0;
  std::int64_t steps_done = 0, steps = 0;  // of those still to do when the command started
  double seconds = 0;
  std::string latest;  // in words
};

struct Options {
  std::string out = "ogee-compare";
  int workers = 0;           // 0: one for each core
  double keep_seconds = 20;  // between two checkpoints of a run in progress
  std::string tensorboard;   // a folder for TensorBoard's event files, written at the end; empty: none
  std::string command;       // what reproduces the comparison, for the report
  std::optional<Rank> rank;  // of several processes that share the runs, or each of them
  const std::atomic<bool>* stop = nullptr;
  // Sees the networks of results (RunHooks::network), on the threads that train them. Runs of other ranks go unseen.
  std::function<void(const RunKey&, models::Network&, const data::Dataset&, bool trained)> network = nullptr;
  std::function<void(const Progress&)> progress;  // called a few times a second, from the calling thread
};

enum class Ending { complete, stopped, nothing_worked };

struct Outcome {
  Ending ending;
  nlohmann::ordered_json results;  // as in results.json
};

// Runs what the store of `options.out` does not hold yet, then writes results.json, report.html and experiment.toml
// there, also when stopped. A program that is killed at any moment loses no more than what runs in progress have done
// since their last checkpoint; the same call again goes on to the very results that would have come of it undisturbed.
// Several processes may work in one folder at a time. Throws Error on what the user can mend, StoreFailure (run.h) on
// what befalls the work.
Outcome compare(const Experiment& experiment, const Options& options);
// The same on data that are there already; the experiment's own name for them is only shown.
Outcome compare(const Experiment& experiment, data::Dataset data, const Options& options);

// What every rank but 0 does instead: trains what rank 0 hands out, or its part of every batch, and writes nothing.
// Throws Error, or RankLost (team.h).
void serve(const Experiment& experiment, const Options& options);

// Replaces `path` in one step, so that no reader ever sees half a file. Throws Error where the folder may not be
// written to, else StoreFailure.
void write_atomically(const std::string& path, const std::string& content);

}  // namespace ogee::lab
