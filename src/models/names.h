// The models that there are.
#pragma once

#include <string>
#include <vector>

namespace ogee::models {

// By the names that `build` knows, without attributes.
std::vector<std::string> names();

}  // namespace ogee::models
