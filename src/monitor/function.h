// What the monitor knows of an activation before it runs: its saturated sides, found from its own slope.
#pragma once

#include <memory>
#include <string>

#include "monitor/statistics.h"
#include "ogee/monitor_record.h"
#include "ogee/ogee.h"

namespace ogee::monitor {

struct Function {
  Activation activation;
  FunctionFacts facts;
  Bounds bounds;
};

// Computed once for each text and kept; null if Ogee knows no such function. At most 256 are kept (a learned
// parameter moves, and with it the text): older ones are forgotten.
std::shared_ptr<const Function> function_named(const std::string& text);

}  // namespace ogee::monitor
