// Pages of one file: a template (page.html) whose marks {{...}} are replaced by style, scripts and data.
#pragma once

#include <string>
#include <string_view>

namespace ogee::lab {

// What lies between the two labels of a file that was built in (assets.cmake).
inline std::string_view asset(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

// In the style that all pages share, and its own.
std::string page(std::string_view title, std::string_view style, std::string_view body, std::string_view scripts = "");

// A page that `script` draws into the element `page` from the JSON in the element `data`.
struct DrawnPage {
  std::string_view title, style;
  std::string_view elsewhere;  // where the numbers are for who reads without JavaScript: "in results.json beside it"
  std::string_view script;
  bool charts = false;  // by Vega
};
std::string page(const DrawnPage& about, std::string_view json);

}  // namespace ogee::lab
