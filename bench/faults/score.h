// What was found against what was planted.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/faults/train.h"

namespace ogee::faults {

// One run, as it is counted.
struct Row {
  std::string name, fault, half;
  Level level = middle;
  double first_loss = 0, last_loss = 0, accuracy = 0, seconds = 0;
  bool fashion = false;
  std::vector<std::string> expected, sites;  // sites: by name; empty where the fault is everywhere
  std::set<std::string> debugger;
  std::vector<monitor::Finding> findings;  // of severity warning or worse
  std::vector<monitor::Finding> notes;
  bool found = false;           // the right rule, in the right place
  bool debugger_found = false;  // one of its rules for this fault
  bool trains = false;          // healthy: as it should
};

nlohmann::ordered_json to_json(const Row& row, const monitor::Record* record);
// A row and its record as written above, judged anew.
Row judged(const nlohmann::ordered_json& json, std::vector<std::string>* words = nullptr);
Row score(const Plan& plan, Level level, const Outcome& outcome);

struct Tally {
  int runs = 0, found = 0, debugger = 0;
  double recall() const { return runs > 0 ? static_cast<double>(found) / runs : 0; }
  double debugger_recall() const { return runs > 0 ? static_cast<double>(debugger) / runs : 0; }
};
// Recall by fault and severity, false findings, and what was missed, as text; and the same as JSON.
std::string report(const std::vector<Row>& rows, bool details);
nlohmann::ordered_json summary(const std::vector<Row>& rows);
// Recall at middle severity, and the share of healthy networks with a finding, are what they should be.
bool good_enough(const std::vector<Row>& rows);

}  // namespace ogee::faults
