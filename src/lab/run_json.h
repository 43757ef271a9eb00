// Runs and their results as JSON, to the last bit: numbers that are not finite as text.
#pragma once

#include <nlohmann/json.hpp>

#include "lab/run.h"

namespace ogee::lab {

void to_json(nlohmann::ordered_json& json, const RunKey& key);
void from_json(const nlohmann::ordered_json& json, RunKey& key);
void to_json(nlohmann::ordered_json& json, const RunResult& result);
void from_json(const nlohmann::ordered_json& json, RunResult& result);

}  // namespace ogee::lab
