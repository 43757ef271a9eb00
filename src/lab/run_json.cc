#include "lab/run_json.h"

#include <array>
#include <cmath>
#include <utility>

#include "monitor/json.h"

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}
double number(const Json& json) {
  if (json.is_number()) return json.get<double>();
  const auto text = json.get<std::string>();
  if (text == "nan") return unknown;
  return text == "inf" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
}
Json numbers(const std::vector<double>& values) {
  Json json = Json::array();
  for (const double value : values) json.push_back(number(value));
  return json;
}
std::vector<double> numbers(const Json& json) {
  std::vector<double> values;
  for (const Json& value : json) values.push_back(number(value));
  return values;
}

constexpr std::pair<const char*, double RunResult::*> result_numbers[] = {
    {"validation_error", &RunResult::validation_error},
    {"validation_loss", &RunResult::validation_loss},
    {"test_error", &RunResult::test_error},
    {"test_loss", &RunResult::test_loss},
    {"ms_per_step", &RunResult::ms_per_step},
    {"seconds", &RunResult::seconds},
    {"memory", &RunResult::memory},
    {"dead", &RunResult::dead},
    {"saturated", &RunResult::saturated},
};

Json point_json(const Point& point) {
  Json json{{"epoch", point.epoch},
            {"train_loss", number(point.train_loss)},
            {"validation_error", number(point.validation_error)},
            {"validation_loss", number(point.validation_loss)},
            {"gradients", numbers(point.gradients)}};
  Json histograms = Json::array(), scheduled = Json::object();
  for (const auto& histogram : point.histograms) histograms.push_back(numbers(histogram));
  for (const auto& [name, value] : point.scheduled) scheduled[name] = number(value);
  json["histograms"] = std::move(histograms);
  json["scheduled"] = std::move(scheduled);
  return json;
}
Point point_of(const Json& json) {
  Point point;
  point.epoch = json.at("epoch");
  point.train_loss = number(json.at("train_loss"));
  point.validation_error = number(json.at("validation_error"));
  point.validation_loss = number(json.at("validation_loss"));
  point.gradients = numbers(json.at("gradients"));
  for (const Json& histogram : json.at("histograms")) point.histograms.push_back(numbers(histogram));
  for (const auto& [name, value] : json.at("scheduled").items()) point.scheduled[name] = number(value);
  return point;
}

}  // namespace

void to_json(Json& json, const RunKey& key) {
  json = {{"arm", key.arm},           {"stage", name_of(key.stage)}, {"seed", key.seed},
          {"rate", number(key.rate)}, {"steps", key.steps},          {"attributes", key.attributes}};
}
void from_json(const Json& json, RunKey& key) {
  key.arm = json.at("arm");
  key.stage = stage_named(json.at("stage"));
  key.seed = json.at("seed");
  key.rate = number(json.at("rate"));
  key.steps = json.at("steps");
  key.attributes = json.at("attributes");
}

void to_json(Json& json, const RunResult& result) {
  json = {{"status", name_of(result.status)}, {"message", result.message}, {"parameters", result.parameters}};
  for (const auto& [name, field] : result_numbers) json[name] = number(result.*field);
  Json points = Json::array();
  for (const Point& point : result.points) points.push_back(point_json(point));
  json["points"] = std::move(points);
  json["findings"] = result.findings;
}
void from_json(const Json& json, RunResult& result) {
  result.status = status_named(json.at("status"));
  result.message = json.at("message");
  result.parameters = json.at("parameters");
  for (const auto& [name, field] : result_numbers) result.*field = number(json.at(name));
  result.points.clear();
  for (const Json& point : json.at("points")) result.points.push_back(point_of(point));
  result.findings = json.at("findings").get<std::vector<monitor::Finding>>();
}

}  // namespace ogee::lab
