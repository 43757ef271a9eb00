#include "lab/facts.h"

namespace ogee::lab {

using Json = nlohmann::ordered_json;

Json to_json(const DataFacts& facts) {
  return {{"name", facts.name},   {"classification", facts.classification},
          {"goal", facts.goal},   {"metric", facts.metric},
          {"shape", facts.shape}, {"classes", facts.classes},
          {"train", facts.train}, {"validation", facts.validation},
          {"test", facts.test},   {"baseline", facts.baseline},
          {"notes", facts.notes}};
}

DataFacts facts_from(const Json& json) {
  DataFacts facts;
  json.at("name").get_to(facts.name);
  json.at("classification").get_to(facts.classification);
  json.at("goal").get_to(facts.goal);
  json.at("metric").get_to(facts.metric);
  json.at("shape").get_to(facts.shape);
  json.at("classes").get_to(facts.classes);
  json.at("train").get_to(facts.train);
  json.at("validation").get_to(facts.validation);
  json.at("test").get_to(facts.test);
  json.at("baseline").get_to(facts.baseline);
  json.at("notes").get_to(facts.notes);
  return facts;
}

Json to_json(const Environment& environment) {
  return {{"command", environment.command}, {"target", environment.target},   {"libtorch", environment.libtorch},
          {"note", environment.note},       {"workers", environment.workers}, {"seconds", environment.seconds}};
}

Environment environment_from(const Json& json) {
  Environment environment;
  json.at("command").get_to(environment.command);
  json.at("target").get_to(environment.target);
  json.at("libtorch").get_to(environment.libtorch);
  json.at("note").get_to(environment.note);
  json.at("workers").get_to(environment.workers);
  json.at("seconds").get_to(environment.seconds);
  return environment;
}

}  // namespace ogee::lab
