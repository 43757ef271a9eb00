// Records and findings as JSON, and back.
#pragma once

#include <nlohmann/json.hpp>

#include "ogee/monitor_record.h"

namespace ogee::monitor {

void to_json(nlohmann::ordered_json& json, const Record& record);
void to_json(nlohmann::ordered_json& json, const Layer& layer);
void to_json(nlohmann::ordered_json& json, const Snapshot& snapshot);
void to_json(nlohmann::ordered_json& json, const Finding& finding);
// NaN and infinities stay what they are in the value, and in CBOR, and are null in text; null reads as NaN. Throws
// nlohmann::json::exception on what is no record.
void from_json(const nlohmann::ordered_json& json, Record& record);
void from_json(const nlohmann::ordered_json& json, Layer& layer);
void from_json(const nlohmann::ordered_json& json, Snapshot& snapshot);
void from_json(const nlohmann::ordered_json& json, Finding& finding);

}  // namespace ogee::monitor
