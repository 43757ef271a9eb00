#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "claims/run_claim.h"
#include "lab/report.h"
#include "monitor/show/style.h"

namespace ogee::claims {
namespace {

using Json = nlohmann::ordered_json;

std::string wrapped(const std::string& text, const std::string& first, std::size_t indent) {
  return monitor::show::wrap(text, {.width = lab::text_width}, indent, first);
}

std::string seconds_of(const Json& result) { return fmt::format("{:.0f} s", result["seconds"].get<double>()); }

std::string held_of(const Json& result) {
  const Json& all = result["expectations"];
  const auto held = std::count_if(all.begin(), all.end(), [](const Json& each) { return each["verdict"] == "holds"; });
  return fmt::format("{} of {}", held, all.size());
}

}  // namespace

std::string claims_text(const std::vector<Json>& results) {
  std::size_t names = 5;
  for (const Json& result : results) names = std::max(names, result["name"].get<std::string>().size());
  std::string text =
      fmt::format("{:<{}}  {:<6}  {:<25}  {:<8}  {:>7}\n", "claim", names, "preset", "verdict", "expected", "time");
  double seconds = 0;
  for (const Json& result : results) {
    text += fmt::format("{:<{}}  {:<6}  {:<25}  {:<8}  {:>7}\n", result["name"].get<std::string>(), names,
                        result["preset"].get<std::string>(), result["verdict"].get<std::string>(), held_of(result),
                        seconds_of(result));
    seconds += result["seconds"].get<double>();
  }
  if (results.size() > 1) text += fmt::format("{:<{}}  {:>{}}\n", "all", names, fmt::format("{:.0f} s", seconds), 52);
  for (const Json& result : results) {
    text += fmt::format("\n{} ({})\n", result["name"].get<std::string>(), result["source"].get<std::string>());
    text += wrapped(result["claim"].get<std::string>(), "  ", 2);
    for (const Json& each : result["expectations"]) {
      const auto verdict = each["verdict"].get<std::string>();
      const char* mark = verdict == "holds" ? "holds " : verdict == "does not hold" ? "NOT   " : "?     ";
      text += wrapped(each["text"].get<std::string>(), std::string("    ") + mark, 10);
      text += wrapped(each["figure"].get<std::string>(), std::string(10, ' '), 10);
    }
    for (const Json& each : result["published"])
      text += wrapped("published: " + each["figure"].get<std::string>() + " " + each["value"].get<std::string>() +
                          " (" + each["source"].get<std::string>() + ")",
                      "    ", 10);
    text += wrapped("scale: " + result["scale"].get<std::string>(), "    ", 10);
    for (const Json& note : result["notes"]) text += wrapped("note: " + note.get<std::string>(), "    ", 10);
  }
  return text;
}

}  // namespace ogee::claims
