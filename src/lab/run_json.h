// Runs and their results as JSON values, for CBOR, which has NaN and infinities; JSON's text would make null of them.
#pragma once

#include <nlohmann/json.hpp>

#include "lab/run.h"

namespace ogee::lab {

void to_json(nlohmann::ordered_json& json, const Point& point);
void to_json(nlohmann::ordered_json& json, const RunKey& key);
void to_json(nlohmann::ordered_json& json, const RunResult& result);
// Throw nlohmann::json::exception on what is none.
void from_json(const nlohmann::ordered_json& json, Point& point);
void from_json(const nlohmann::ordered_json& json, RunKey& key);
void from_json(const nlohmann::ordered_json& json, RunResult& result);

}  // namespace ogee::lab
