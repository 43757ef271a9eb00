// The activations of a module's gates, taken together.
#pragma once

#include <string>
#include <vector>

#include "ogee/ogee.h"

namespace ogee::torch_call {

// Sets a parameter that is not learned, in every activation that has it. module: its name, for the errors.
// ogee::Error where no activation has such a parameter, or one has it learned; then nothing is changed.
void set_parameter(std::vector<Activation>& activations, const std::string& module, const std::string& parameter,
                   double value);

}  // namespace ogee::torch_call
