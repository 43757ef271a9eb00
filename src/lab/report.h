// How results are shown. Both take results.json as it is.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace ogee::lab {

inline constexpr std::size_t text_width = 118;

// For the terminal, within 120 columns.
std::string text_report(const nlohmann::ordered_json& results);
// One file that needs nothing else: style, charts and data are inside.
std::string html_report(const nlohmann::ordered_json& results);

}  // namespace ogee::lab
