// Runs that are killed and taken up again.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "lab/run.h"

namespace ogee::lab {

// The result of a run that is broken off at every chance, right after it has kept its state anew, and goes on from
// there; at least `fewest` times.
inline RunResult train_broken_off(const Experiment& experiment, const data::Dataset& data, const RunKey& key,
                                  int fewest) {
  std::string state;
  RunResult result;
  int breaks = 0;
  do {
    std::atomic<bool> stop = false;
    RunHooks hooks;
    hooks.stop = &stop;
    hooks.state = state;
    hooks.keep_seconds = 0;
    bool first = true;
    hooks.keep = [&](const std::string& bytes) {
      state = bytes;
      stop = !first;
      first = false;
    };
    hooks.damaged = [](const std::string& why) { ADD_FAILURE() << why; };
    result = train(experiment, data, key, hooks);
    breaks += result.status == Status::stopped;
  } while (result.status == Status::stopped && breaks < 1000);
  EXPECT_GE(breaks, fewest);
  return result;
}

}  // namespace ogee::lab
