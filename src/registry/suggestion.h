// What messages say of names: "did you mean", and which there are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ogee {

// "; did you mean 'gelu'?" with the candidate nearest to `wrong`, or "" if none is near.
std::string suggestion(std::string_view wrong, const std::vector<std::string_view>& candidates);

// "gelu", "gelu or silu", "gelu, silu or mish".
std::string alternatives(const std::vector<std::string_view>& names);

}  // namespace ogee
