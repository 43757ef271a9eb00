// Networks that a program's own code builds, for the laboratory.
#pragma once

#include <memory>
#include <string>

#include "models/network.h"
#include "ogee/lab.h"

namespace ogee::lab {

// Tries the builder with each activation on a few of the data's examples. Throws Error where a network does not fit the
// data, or applies none of the factory's activations to one tensor.
std::shared_ptr<const models::Design> builder_design(const NetworkBuilder& build, FirstWeights first_weights,
                                                     const std::vector<std::string>& activations,
                                                     const data::Dataset& data);

}  // namespace ogee::lab
