// Pages of one file: a template whose marks {{...}} are replaced by style, scripts and data.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace ogee::lab {

// What lies between the two labels of a file that was built in (assets.cmake).
inline std::string_view asset(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

// JSON that cannot end the script element it stands in: '<' occurs in strings only, where it may be written as a code.
std::string harmless(std::string_view json);

// The page; the marks in the template's order, so that no text put in is searched for marks.
std::string filled(std::string_view page, std::initializer_list<std::pair<std::string_view, std::string_view>> marks);

}  // namespace ogee::lab
