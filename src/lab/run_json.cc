#include "lab/run_json.h"

#include "monitor/json.h"

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;

template <class T, class F>
void fields(T& point, F f) requires std::is_same_v<std::remove_const_t<T>, Point> {
  f("epoch", point.epoch);
  f("train_loss", point.train_loss);
  f("validation_error", point.validation_error);
  f("validation_loss", point.validation_loss);
  f("gradients", point.gradients);
  f("histograms", point.histograms);
  f("scheduled", point.scheduled);
}
template <class T, class F>
void fields(T& key, F f) requires std::is_same_v<std::remove_const_t<T>, RunKey> {
  f("arm", key.arm);
  f("seed", key.seed);
  f("rate", key.rate);
  f("steps", key.steps);
  f("attributes", key.attributes);
}
template <class T, class F>
void fields(T& result, F f) requires std::is_same_v<std::remove_const_t<T>, RunResult> {
  f("message", result.message);
  f("parameters", result.parameters);
  f("validation_error", result.validation_error);
  f("validation_loss", result.validation_loss);
  f("test_error", result.test_error);
  f("test_loss", result.test_loss);
  f("further", result.further);
  f("ms_per_step", result.ms_per_step);
  f("seconds", result.seconds);
  f("memory", result.memory);
  f("dead", result.dead);
  f("saturated", result.saturated);
  f("points", result.points);
  f("findings", result.findings);
}

template <class T>
void write(Json& json, const T& structure) {
  fields(structure, [&](const char* name, const auto& field) { json[name] = field; });
}
template <class T>
void read(const Json& json, T& structure) {
  fields(structure, [&](const char* name, auto& field) { json.at(name).get_to(field); });
}

}  // namespace

void to_json(Json& json, const Point& point) { write(json, point); }
void from_json(const Json& json, Point& point) { read(json, point); }

void to_json(Json& json, const RunKey& key) {
  write(json, key);
  json["stage"] = name_of(key.stage);
}
void from_json(const Json& json, RunKey& key) {
  read(json, key);
  key.stage = stage_named(json.at("stage").get<std::string>());
}

void to_json(Json& json, const RunResult& result) {
  write(json, result);
  json["status"] = name_of(result.status);
}
void from_json(const Json& json, RunResult& result) {
  read(json, result);
  result.status = status_named(json.at("status").get<std::string>());
}

}  // namespace ogee::lab
