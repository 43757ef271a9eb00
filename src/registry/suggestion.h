// "Did you mean", for any set of names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ogee {

// "; did you mean 'gelu'?" with the candidate nearest to `wrong`, or "" if none is near.
std::string suggestion(std::string_view wrong, const std::vector<std::string_view>& candidates);

}  // namespace ogee
