// What a model's text says besides its name: "lstm(gates=all,head=mean)".
#pragma once

#include "models/network.h"

namespace ogee::models {

// From settings.model into the other settings. Throws Error that says what was expected.
void read_attributes(Settings& settings);

}  // namespace ogee::models
