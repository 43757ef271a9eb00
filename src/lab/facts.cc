#include "lab/facts.h"

#include <concepts>
#include <type_traits>

#include "tasks/metric.h"

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;

// Every structure's fields are listed once; `f(name, field)` then writes or reads each.
template <class T, class Structure>
concept Of = std::same_as<std::remove_const_t<T>, Structure>;

template <Of<DataFacts> T, class F>
void fields(T& facts, F f) {
  f("name", facts.name);
  f("goal", facts.goal);
  f("metric", facts.metric);
  f("shape", facts.shape);
  f("classes", facts.classes);
  f("train", facts.train);
  f("validation", facts.validation);
  f("test", facts.test);
  f("baseline", facts.baseline);
  f("notes", facts.notes);
}

template <Of<Environment> T, class F>
void fields(T& environment, F f) {
  f("command", environment.command);
  f("target", environment.target);
  f("libtorch", environment.libtorch);
  f("note", environment.note);
  f("workers", environment.workers);
  f("seconds", environment.seconds);
}

template <class T>
Json written(const T& structure) {
  Json json;
  fields(structure, [&](const char* name, const auto& field) { json[name] = field; });
  return json;
}
template <class T>
T read(const Json& json) {
  T structure;
  fields(structure, [&](const char* name, auto& field) { json.at(name).get_to(field); });
  return structure;
}

}  // namespace

bool DataFacts::share() const { return tasks::is_share(metric); }
bool DataFacts::counted() const { return tasks::is_counted(metric); }

Json to_json(const DataFacts& facts) { return written(facts); }
Json to_json(const Environment& environment) { return written(environment); }
DataFacts facts_from(const Json& json) { return read<DataFacts>(json); }
Environment environment_from(const Json& json) { return read<Environment>(json); }

}  // namespace ogee::lab
