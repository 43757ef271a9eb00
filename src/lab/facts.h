// The facts of a comparison beside its runs, as JSON: kept in the store, so that a report can be drawn without the
// data.
#pragma once

#include <nlohmann/json.hpp>

#include "lab/summary.h"

namespace ogee::lab {

nlohmann::ordered_json to_json(const DataFacts& facts);
nlohmann::ordered_json to_json(const Environment& environment);
// Throw nlohmann::json::exception on what is none.
DataFacts facts_from(const nlohmann::ordered_json& json);
Environment environment_from(const nlohmann::ordered_json& json);

}  // namespace ogee::lab
