// Monitor options as text, for where there is no C++ to set them: "every=1,json=run.jsonl".
#pragma once

#include <string>
#include <string_view>

#include "ogee/monitor.h"

namespace ogee::monitor {

// Names and values apart by commas: every, budget, sample, trace_non_finite, json, tensorboard, print; truths are 0 or
// 1, and 1 where there is only the name. Throws Error on anything else.
MonitorOptions read_settings(std::string_view text);

}  // namespace ogee::monitor
