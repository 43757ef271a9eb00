#include <cmath>
#include <nlohmann/json.hpp>

#include "lab/page.h"
#include "lab/report.h"

extern "C" const char ogee_asset_report_js[], ogee_asset_report_js_end[];

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;

// Five digits are more than a chart shows.
void shorten(Json& json) {
  if (json.is_structured())
    for (Json& each : json) shorten(each);
  if (!json.is_number_float()) return;
  const double value = json.get<double>();
  if (value == 0 || !std::isfinite(value)) return;
  const double scale = std::pow(10, 4 - std::floor(std::log10(std::abs(value))));
  if (std::isfinite(scale) && std::isfinite(value * scale)) json = std::round(value * scale) / scale;
}

// What the page draws: all but the course of every single run, which results.json has.
Json drawn(Json results) {
  for (Json& arm : results["arms"]) {
    for (Json& run : arm["runs"])
      for (const char* key : {"points", "findings", "dead", "saturated", "validation_loss"}) run.erase(key);
    arm.erase("tuning");
  }
  shorten(results);
  return results;
}

}  // namespace

std::string html_report(const Json& results) {
  const DrawnPage about{"Ogee: which activation", "", "are in results.json beside it",
                        asset(ogee_asset_report_js, ogee_asset_report_js_end), true};
  return page(about, drawn(results).dump());
}

}  // namespace ogee::lab
