// The threads that work off a comparison's runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/experiment.h"
#include "lab/laboratory.h"
#include "lab/ranks.h"
#include "lab/store.h"
#include "lab/together.h"

namespace ogee::data {
struct Dataset;
}

namespace ogee::lab {

// How many threads `work_off` uses, and why they are fewer than asked for, if they are ("" otherwise).
int workers_of(const Options& options);
std::string why_one_worker();

// Runs what the store does not hold yet, until all is done or `options.stop`. What a run in progress has so far is kept
// in the folder `checkpoints` beside the store. With `ranks`, other ranks' threads work too; with `together`, one run
// after the other is trained by all ranks. Returns remarks: checkpoints that were of no use, for example.
std::vector<std::string> work_off(const Experiment& experiment, const data::Dataset& data, Store& store,
                                  const Options& options, Ranks* ranks = nullptr, Together* together = nullptr);

}  // namespace ogee::lab
