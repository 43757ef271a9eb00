#include "lab/page.h"

#include <fmt/format.h>

#include <initializer_list>
#include <utility>

extern "C" const char ogee_asset_page_html[], ogee_asset_page_html_end[];
extern "C" const char ogee_asset_page_css[], ogee_asset_page_css_end[];
extern "C" const char ogee_asset_vega[], ogee_asset_vega_end[];

namespace ogee::lab {
namespace {

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

// The marks in the template's order, so that no text put in is searched for marks.
std::string filled(std::string_view page, std::initializer_list<std::pair<std::string_view, std::string_view>> marks) {
  std::string result;
  for (const auto& [mark, text] : marks) {
    const std::size_t at = page.find(mark);
    result.append(page.substr(0, at)).append(text);
    page.remove_prefix(at + mark.size());
  }
  return result.append(page);
}

}  // namespace

std::string page(std::string_view title, std::string_view style, std::string_view body, std::string_view scripts) {
  return filled(asset(ogee_asset_page_html, ogee_asset_page_html_end),
                {{"{{title}}", title},
                 {"{{css}}", asset(ogee_asset_page_css, ogee_asset_page_css_end)},
                 {"{{style}}", style},
                 {"{{body}}", body},
                 {"{{scripts}}", scripts}});
}

std::string page(const DrawnPage& about, std::string_view json) {
  const std::string body =
      fmt::format("<noscript>This report is drawn by JavaScript; its numbers {}.</noscript>", about.elsewhere);
  std::string scripts;
  if (about.charts) scripts += fmt::format("<script>\n{}\n</script>\n", asset(ogee_asset_vega, ogee_asset_vega_end));
  scripts += fmt::format("<script type=\"application/json\" id=\"data\">{}</script>\n", harmless(json));
  scripts += fmt::format("<script>\n{}\n</script>", about.script);
  return page(about.title, about.style, body, scripts);
}

}  // namespace ogee::lab
