#include "monitor/json.h"

#include <cmath>
#include <concepts>
#include <type_traits>

#include "monitor/measures.h"

namespace ogee::monitor {
namespace {

using Json = nlohmann::ordered_json;

// Every structure's fields are listed once; `f(name, field)` then writes or reads each.
template <class T, class Structure>
concept Of = std::same_as<std::remove_const_t<T>, Structure>;

template <Of<FunctionFacts> T, class F>
void fields(T& facts, F f) {
  f("text", facts.text);
  f("left", facts.left);
  f("right", facts.right);
  f("left_bound", facts.left_bound);
  f("right_bound", facts.right_bound);
  f("largest_slope", facts.largest_slope);
  f("gain", facts.gain);
  f("mean", facts.mean);
  f("least_output", facts.least_output);
  f("zero_centred", facts.zero_centred);
  f("noisy", facts.noisy);
  f("learned", facts.learned);
  f("gated", facts.gated);
}

template <Of<Snapshot> T, class F>
void fields(T& snapshot, F f) {
  f("step", snapshot.step);
  for (const Measure& measure : measures) f(measure.name, snapshot.*measure.value);
  f("parameters", snapshot.parameters);
  f("parameters_low", snapshot.parameters_low);
  f("parameters_high", snapshot.parameters_high);
}

template <Of<Unit> T, class F>
void fields(T& unit, F f) {
  f("index", unit.index);
  f("seen", unit.seen);
  f("left", unit.left);
  f("right", unit.right);
  f("zero_slope", unit.zero_slope);
  f("recent_seen", unit.recent_seen);
  f("recent_zero_slope", unit.recent_zero_slope);
  f("gradient", unit.gradient);
  f("recent_gradient", unit.recent_gradient);
}

template <Of<Layer> T, class F>
void fields(T& layer, F f) {
  f("name", layer.name);
  f("op", layer.op);
  f("weight", layer.weight);
  f("function", layer.function);
  f("order", layer.order);
  f("units", layer.units);
  f("fan_in", layer.fan_in);
  f("calls", layer.calls);
  f("elements", layer.elements);
  f("windows", layer.windows);
  f("steps_as_seen", layer.steps_as_seen);
  f("first", layer.first);
  f("history", layer.history);
  f("unit", layer.unit);
}

template <Of<NonFinite> T, class F>
void fields(T& found, F f) {
  f("step", found.step);
  f("op", found.op);
  f("layer", found.layer);
  f("backward", found.backward);
  f("is_nan", found.is_nan);
  f("position", found.position);
  f("row", found.row);
  f("how", found.how);
  f("reached", found.reached);
}

template <Of<Loss> T, class F>
void fields(T& loss, F f) {
  f("step", loss.step);
  f("value", loss.value);
}

template <Of<Record> T, class F>
void fields(T& record, F f) {
  f("steps", record.steps);
  f("observed_steps", record.observed_steps);
  f("seconds", record.seconds);
  f("own_seconds", record.own_seconds);
  f("normalised", record.normalised);
  f("residual", record.residual);
  f("optimiser", record.optimiser);
  f("learning_rate", record.learning_rate);
  f("layers", record.layers);
  f("losses", record.losses);
  f("non_finite", record.non_finite);
  f("notes", record.notes);
}

template <Of<Finding> T, class F>
void fields(T& finding, F f) {
  f("rule", finding.rule);
  f("layer", finding.layer);
  f("layers", finding.layers);
  f("since", finding.since);
  f("severity", finding.severity);
  f("sure", finding.sure);
  f("evidence", finding.evidence);
  f("why", finding.why);
  f("advice", finding.advice);
  f("command", finding.command);
  f("explained", finding.explained);
}

constexpr const char* saturations[] = {"none", "soft", "hard"};
constexpr const char* severities[] = {"note", "warning", "error"};

void write(Json& json, double value) { json = value; }  // NaN and infinities, too: in text they become null
void write(Json& json, std::int64_t value) { json = value; }
void write(Json& json, bool value) { json = value; }
void write(Json& json, const std::string& value) { json = value; }
void write(Json& json, Saturation value) { json = saturations[static_cast<std::size_t>(value)]; }
void write(Json& json, Severity value) { json = severities[static_cast<std::size_t>(value)]; }
template <class T>
void write(Json& json, const std::vector<T>& items);
template <class T>
requires std::is_class_v<T>
void write(Json& json, const T& structure) {
  json = Json::object();
  fields(structure, [&](const char* name, const auto& field) { write(json[name], field); });
}
template <class T>
void write(Json& json, const std::vector<T>& items) {
  json = Json::array();
  for (const T& item : items) write(json.emplace_back(), item);
}

// An infinite bound comes back as what it was before reading, which is infinite.
void read(const Json& json, double& value) {
  if (!json.is_null())
    json.get_to(value);
  else if (std::isfinite(value))
    value = not_measured;
}
// Not json.get: that casts any floating-point number, even one that no integer holds.
void read(const Json& json, std::int64_t& value) { value = json.get_ref<const Json::number_integer_t&>(); }
void read(const Json& json, bool& value) { json.get_to(value); }
void read(const Json& json, std::string& value) { json.get_to(value); }
template <class T, std::size_t N>
void read_name(const Json& json, T& value, const char* const (&names)[N]) {
  const auto& text = json.get_ref<const std::string&>();
  for (std::size_t i = 0; i < N; ++i) {
    if (text == names[i]) {
      value = static_cast<T>(i);
      return;
    }
  }
  throw nlohmann::json::other_error::create(501, "'" + text + "' is none of the names expected here", &json);
}
void read(const Json& json, Saturation& value) { read_name(json, value, saturations); }
void read(const Json& json, Severity& value) { read_name(json, value, severities); }
template <class T>
void read(const Json& json, std::vector<T>& items);
template <class T>
requires std::is_class_v<T>
void read(const Json& json, T& structure) {
  // What an older record lacks stays as it was; the map itself must be one.
  const auto& map = json.get_ref<const Json::object_t&>();
  fields(structure, [&](const char* name, auto& field) {
    if (const auto found = map.find(name); found != map.end()) read(found->second, field);
  });
}
template <class T>
void read(const Json& json, std::vector<T>& items) {
  items.clear();
  for (const Json& item : json.get_ref<const Json::array_t&>()) read(item, items.emplace_back());
}

}  // namespace

void to_json(Json& json, const Record& record) { write(json, record); }
void to_json(Json& json, const Layer& layer) { write(json, layer); }
void to_json(Json& json, const Snapshot& snapshot) { write(json, snapshot); }
void to_json(Json& json, const Finding& finding) { write(json, finding); }

void from_json(const Json& json, Record& record) {
  record = {};
  json.at("steps");  // throws: any other map would read as an empty record
  json.at("layers");
  read(json, record);
}
void from_json(const Json& json, Layer& layer) {
  layer = {};
  json.at("name");
  read(json, layer);
}
void from_json(const Json& json, Snapshot& snapshot) {
  snapshot = {};
  json.at("step");
  read(json, snapshot);
}
void from_json(const Json& json, Finding& finding) {
  finding = {};
  json.at("rule");
  read(json, finding);
}

}  // namespace ogee::monitor
