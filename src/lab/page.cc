#include "lab/page.h"

namespace ogee::lab {

std::string harmless(std::string_view json) {
  std::string result;
  result.reserve(json.size());
  for (const char c : json) {
    if (c == '<')
      result += "\\u003c";
    else
      result += c;
  }
  return result;
}

std::string filled(std::string_view page, std::initializer_list<std::pair<std::string_view, std::string_view>> marks) {
  std::string result;
  for (const auto& [mark, text] : marks) {
    const std::size_t at = page.find(mark);
    result.append(page.substr(0, at)).append(text);
    page.remove_prefix(at + mark.size());
  }
  return result.append(page);
}

}  // namespace ogee::lab
