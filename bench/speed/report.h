// Measurements and goals as JSON and as text.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bench/speed/measure.h"

namespace ogee::bench {

// A row of `ogee bench --json`. ns_per_element is that of the fastest round; `ratio` the median, over rounds, of a
// peer's time over ours.
nlohmann::ordered_json to_json(const Measurement& m);

// The machine and everybody's version, absent peers with the reason.
nlohmann::ordered_json machine_json();

std::string table_header();
// A line, and a second one that lists all peers.
std::string table_row(const Measurement& m);
// Lines naming versions and absent peers.
std::string machine_text();

}  // namespace ogee::bench
