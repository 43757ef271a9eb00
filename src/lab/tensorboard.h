// Stored runs as TensorBoard's event files.
#pragma once

#include <string>
#include <vector>

#include "lab/store.h"

namespace ogee::lab {

// Writes `directory`/ARM/seed N/events.out.tfevents.*, in the place of event files that are there already: epoch by
// epoch the losses, the validation error, gradient norms by layer and, of seed 1, histograms of what goes into each
// activation; at the end the test error and what the monitor found. Runs that only tuned a learning rate are left out.
// Throws Error.
void write_events(const std::string& directory, const std::vector<StoredRun>& runs);

}  // namespace ogee::lab
