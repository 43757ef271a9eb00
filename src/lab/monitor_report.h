// What the monitor saw of a training, as a page.
#pragma once

#include <string>
#include <vector>

#include "ogee/monitor_record.h"

namespace ogee::lab {

struct MonitorReport {
  std::string title;    // what was watched: "train --epochs 3"
  std::string command;  // that wrote the page
  std::vector<std::string> remarks;
};

// One file that needs nothing else. Numbers are rounded to four digits, and long histories of large networks thinned.
std::string monitor_report(const monitor::Record& record, const std::vector<monitor::Finding>& findings,
                           const MonitorReport& about);

}  // namespace ogee::lab
