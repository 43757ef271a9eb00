#include <nlohmann/json.hpp>
#include <string_view>

#include "lab/report.h"

extern "C" const char ogee_asset_report_html[], ogee_asset_report_html_end[];
extern "C" const char ogee_asset_report_css[], ogee_asset_report_css_end[];
extern "C" const char ogee_asset_report_js[], ogee_asset_report_js_end[];
extern "C" const char ogee_asset_vega[], ogee_asset_vega_end[];

namespace ogee::lab {
namespace {

std::string_view between(const char* begin, const char* end) { return {begin, static_cast<std::size_t>(end - begin)}; }

// JSON that cannot end the script element it stands in: '<' occurs in strings only, where it may be written as a code.
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

}  // namespace

std::string html_report(const nlohmann::ordered_json& results) {
  const std::pair<std::string_view, std::string> parts[] = {
      {"{{css}}", std::string(between(ogee_asset_report_css, ogee_asset_report_css_end))},
      {"{{vega}}", std::string(between(ogee_asset_vega, ogee_asset_vega_end))},
      {"{{results}}", harmless(results.dump())},
      {"{{js}}", std::string(between(ogee_asset_report_js, ogee_asset_report_js_end))},
  };
  std::string_view rest = between(ogee_asset_report_html, ogee_asset_report_html_end);
  std::string page;
  // In the template's order, so that no text put in is searched for marks.
  for (const auto& [mark, text] : parts) {
    const std::size_t at = rest.find(mark);
    page.append(rest.substr(0, at)).append(text);
    rest.remove_prefix(at + mark.size());
  }
  return page.append(rest);
}

}  // namespace ogee::lab
