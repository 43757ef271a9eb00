// One run: a network built, spoilt, trained and watched.
#pragma once

#include <set>
#include <string>

#include "bench/faults/plan.h"
#include "ogee/monitor_record.h"

namespace ogee::faults {

struct Outcome {
  monitor::Record record;
  std::set<std::string> debugger;  // SageMaker Debugger's rules that fired
  double first_loss = 0, last_loss = 0, accuracy = 0, seconds = 0;
};

// `level` is no matter for a healthy plan.
// `every`: a window is observed every so many steps.
Outcome train(const Plan& plan, Level level, std::uint64_t seed, std::int64_t every);

}  // namespace ogee::faults
