// A record and its findings for the terminal.
#pragma once

#include <string>
#include <vector>

#include "monitor/show/style.h"
#include "ogee/monitor_record.h"

namespace ogee::monitor::show {

// Layers as rows with their latest numbers, those with findings in colour. Narrow widths drop columns; with
// `style.rows` the layers with findings, the most saturated ones and some of all depths are kept, and the others summed
// up.
std::string layers(const Record& record, const std::vector<Finding>& findings, const Style& style);
// With the findings below, in a line or two each.
std::string table(const Record& record, const std::vector<Finding>& findings, const Style& style);
// The same, judged here.
std::string table(const Record& record, std::size_t width, bool colour);

// One line on the whole: "step 1,200, loss 0.234; 12 layers; 2 findings; observing takes 0.8 % of the time".
std::string summary(const Record& record, const std::vector<Finding>& findings);

// Findings in full: evidence, why, advice, command; with what could not be seen.
std::string report(const Record& record, const std::vector<Finding>& findings, const Style& style);

}  // namespace ogee::monitor::show
