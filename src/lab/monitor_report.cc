#include "lab/monitor_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "lab/page.h"
#include "monitor/json.h"
#include "monitor/measures.h"

extern "C" const char ogee_asset_monitor_report_css[], ogee_asset_monitor_report_css_end[];
extern "C" const char ogee_asset_monitor_report_js[], ogee_asset_monitor_report_js_end[];

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;

// What a page can hold and a reader can see: about three megabytes.
constexpr std::size_t most_points = 16384;

Json rounded(double value, int digits = 4) {
  if (!std::isfinite(value)) return nullptr;
  const double near = std::stod(fmt::format("{:.{}g}", value, digits));
  if (near == std::floor(near) && std::abs(near) < 1e9) return static_cast<std::int64_t>(near);
  return near;
}

// At most `limit` of the history, evenly, with its first and its last.
std::vector<const monitor::Snapshot*> thinned(const std::vector<monitor::Snapshot>& history, std::size_t limit) {
  std::vector<const monitor::Snapshot*> result;
  const std::size_t count = std::min(history.size(), limit);
  for (std::size_t i = 0; i < count; ++i)
    result.push_back(&history[count == 1 ? history.size() - 1 : i * (history.size() - 1) / (count - 1)]);
  return result;
}

Json layer_data(const monitor::Layer& layer, std::size_t limit) {
  Json data{
      {"name", layer.name},   {"op", layer.op},         {"weight", layer.weight}, {"function", layer.function.text},
      {"units", layer.units}, {"fan_in", layer.fan_in}, {"calls", layer.calls},   {"windows", layer.windows}};
  if (!layer.unit.empty()) {
    const auto never = std::count_if(layer.unit.begin(), layer.unit.end(),
                                     [](const monitor::Unit& u) { return u.seen > 0 && u.zero_slope >= u.seen; });
    data["never_active"] = rounded(static_cast<double>(never) / static_cast<double>(layer.unit.size()));
  }
  const auto points = thinned(layer.history, limit);
  Json steps = Json::array();
  for (const auto* s : points) steps.push_back(s->step);
  data["steps"] = std::move(steps);
  Json measures = Json::object();
  for (const monitor::Measure& measure : monitor::measures) {
    if (std::all_of(points.begin(), points.end(), [&](auto* s) { return !std::isfinite(s->*measure.value); })) continue;
    Json values = Json::array();
    for (const auto* s : points) values.push_back(rounded(s->*measure.value));
    measures[measure.name] = std::move(values);
  }
  data["measures"] = std::move(measures);
  return data;
}

Json data_of(const monitor::Record& record, const std::vector<monitor::Finding>& findings, const MonitorReport& about) {
  monitor::Record rest = record;
  rest.layers.clear();
  rest.losses.clear();
  Json data{{"title", about.title}, {"command", about.command}, {"remarks", about.remarks}, {"record", rest}};
  data["findings"] = findings;
  const std::size_t limit = std::max<std::size_t>(most_points / std::max<std::size_t>(record.layers.size(), 1), 16);
  Json layers = Json::array();
  for (const monitor::Layer& layer : record.layers) layers.push_back(layer_data(layer, limit));
  data["layers"] = std::move(layers);
  Json losses = Json::array();
  for (const monitor::Loss& loss : record.losses) losses.push_back({loss.step, rounded(loss.value, 7)});
  data["losses"] = std::move(losses);
  return data;
}

}  // namespace

std::string monitor_report(const monitor::Record& record, const std::vector<monitor::Finding>& findings,
                           const MonitorReport& about) {
  const std::string json = data_of(record, findings, about).dump(-1, ' ', false, Json::error_handler_t::replace);
  const DrawnPage drawn{"Ogee: what the monitor saw",
                        asset(ogee_asset_monitor_report_css, ogee_asset_monitor_report_css_end), "stand in it as JSON",
                        asset(ogee_asset_monitor_report_js, ogee_asset_monitor_report_js_end)};
  return page(drawn, json);
}

}  // namespace ogee::lab
