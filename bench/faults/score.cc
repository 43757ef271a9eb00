#include "bench/faults/score.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "bench/faults/debugger.h"
#include "monitor/json.h"

namespace ogee::faults {
namespace {

using Json = nlohmann::ordered_json;

// What a small network learns of ten classes in a hundred or two steps.
constexpr double good_accuracy = 0.8, good_accuracy_on_fashion = 0.65, good_loss = 0.5;
constexpr double wanted_recall = 0.95, most_false = 0.05;

// A finding names a site: among its layers, and without naming most of the network.
bool names(const monitor::Finding& finding, const std::vector<std::string>& sites, const monitor::Record& record) {
  if (sites.empty()) return true;
  if (finding.layers.size() > std::max<std::size_t>(2, (2 * record.layers.size() + 2) / 3)) return false;
  for (const std::string& site : sites) {
    for (const std::string& layer : finding.layers) {
      if (layer == site) return true;
      for (const monitor::Layer& known : record.layers)
        if (known.name == layer && known.weight == site + ".weight") return true;
    }
  }
  return false;
}

void judge(Row& row, const monitor::Record& record) {
  for (monitor::Finding& finding : monitor::judge(record)) {
    if (finding.severity == monitor::Severity::note)
      row.notes.push_back(std::move(finding));
    else
      row.findings.push_back(std::move(finding));
  }
  for (const monitor::Finding& finding : row.findings)
    if (std::find(row.expected.begin(), row.expected.end(), finding.rule) != row.expected.end())
      row.found = row.found || names(finding, row.sites, record);
  for (const std::string& rule : debugger_rules_for(row.fault))
    row.debugger_found = row.debugger_found || row.debugger.contains(rule);
  row.trains = row.accuracy >= (row.fashion ? good_accuracy_on_fashion : good_accuracy) &&
               row.last_loss <= good_loss * row.first_loss;
}

std::string cell(const Tally& tally, bool debugger) {
  if (tally.runs == 0) return "-";
  return fmt::format("{}/{}", debugger ? tally.debugger : tally.found, tally.runs);
}

struct Totals {
  std::map<std::string, std::map<int, Tally>> by_fault;
  std::map<int, Tally> all;
  std::vector<std::string> order;
  double findings = 0, faulty = 0;
  int healthy = 0, excluded = 0, false_finding = 0, false_debugger = 0;
  std::map<std::string, int> false_rules, false_debugger_rules;
};

Totals count(const std::vector<Row>& rows) {
  Totals totals;
  for (const Row& row : rows) {
    if (row.fault.empty()) {
      if (!row.trains) {
        ++totals.excluded;
        continue;
      }
      ++totals.healthy;
      totals.false_finding += row.findings.empty() ? 0 : 1;
      totals.false_debugger += row.debugger.empty() ? 0 : 1;
      for (const auto& finding : row.findings) ++totals.false_rules[finding.rule];
      for (const auto& rule : row.debugger) ++totals.false_debugger_rules[rule];
      continue;
    }
    totals.findings += static_cast<double>(row.findings.size());
    ++totals.faulty;
    if (!totals.by_fault.contains(row.fault)) totals.order.push_back(row.fault);
    for (Tally* tally : {&totals.by_fault[row.fault][row.level], &totals.all[row.level]}) {
      ++tally->runs;
      tally->found += row.found ? 1 : 0;
      tally->debugger += row.debugger_found ? 1 : 0;
    }
  }
  return totals;
}

double share(int part, int whole) { return whole > 0 ? static_cast<double>(part) / whole : 0; }

std::vector<std::string> rules_of(const std::vector<monitor::Finding>& findings) {
  std::vector<std::string> rules;
  for (const auto& finding : findings)
    rules.push_back(finding.rule + (finding.layer.empty() ? "" : "@" + finding.layer));
  return rules;
}

}  // namespace

Json to_json(const Row& row, const monitor::Record* record) {
  Json json = {{"name", row.name},         {"fault", row.fault},           {"level", level_names[row.level]},
               {"half", row.half},         {"first_loss", row.first_loss}, {"last_loss", row.last_loss},
               {"accuracy", row.accuracy}, {"seconds", row.seconds},       {"fashion", row.fashion},
               {"expected", row.expected}, {"sites", row.sites},           {"debugger", row.debugger}};
  if (record != nullptr) {
    json["record"] = *record;
    return json;
  }
  json["found"] = row.found;
  json["debugger_found"] = row.debugger_found;
  json["trains"] = row.trains;
  json["findings"] = row.findings;
  json["notes"] = row.notes;
  return json;
}

Row judged(const Json& json, std::vector<std::string>* words) {
  Row row;
  const auto number = [&](const char* name) {
    return json.at(name).is_null() ? monitor::not_measured : json.at(name).get<double>();
  };
  json.at("name").get_to(row.name);
  json.at("fault").get_to(row.fault);
  json.at("half").get_to(row.half);
  for (const Level level : {mild, middle, severe})
    if (json.at("level") == level_names[level]) row.level = level;
  row.first_loss = number("first_loss");
  row.last_loss = number("last_loss");
  row.accuracy = number("accuracy");
  row.seconds = number("seconds");
  json.at("fashion").get_to(row.fashion);
  json.at("expected").get_to(row.expected);
  json.at("sites").get_to(row.sites);
  json.at("debugger").get_to(row.debugger);
  judge(row, json.at("record").get<monitor::Record>());
  if (words != nullptr)
    for (const auto* list : {&row.findings, &row.notes})
      for (const auto& finding : *list)
        words->push_back(fmt::format("{} ({:.2f}) since {}: {}\n      why: {}\n      do: {}\n      test: {}",
                                     finding.rule, finding.sure, finding.since, finding.evidence, finding.why,
                                     finding.advice, finding.command));
  return row;
}

Row score(const Plan& plan, Level level, const Outcome& outcome) {
  Row row;
  row.name = plan.name;
  row.fault = plan.fault;
  row.half = plan.tune ? "tune" : "test";
  row.level = level;
  row.first_loss = outcome.first_loss;
  row.last_loss = outcome.last_loss;
  row.accuracy = outcome.accuracy;
  row.seconds = outcome.seconds;
  row.fashion = plan.training.data == "fashion-mnist";
  row.expected = plan.expected;
  row.debugger = outcome.debugger;
  if (!plan.sites.empty()) {
    torch::NoGradGuard guard;
    const auto net = build(plan.design, {1, 8, 8}, 10);
    for (const std::size_t site : plan.sites) row.sites.push_back(net->sites.at(site).name);
  }
  judge(row, outcome.record);
  return row;
}

std::string report(const std::vector<Row>& rows, bool details) {
  const Totals totals = count(rows);
  std::string text = fmt::format("{:<28} {:>8} {:>8} {:>8}   {:>8} {:>8} {:>8}\n", "found, of those planted", "mild",
                                 "middle", "severe", "mild", "middle", "severe");
  text += fmt::format("{:<28} {:>26}   {:>26}\n", "", "Ogee", "SageMaker Debugger's rules");
  const auto line = [&](const std::string& name, std::map<int, Tally> tally) {
    text += fmt::format("{:<28} {:>8} {:>8} {:>8}   {:>8} {:>8} {:>8}\n", name, cell(tally[mild], false),
                        cell(tally[middle], false), cell(tally[severe], false), cell(tally[mild], true),
                        cell(tally[middle], true), cell(tally[severe], true));
  };
  for (const std::string& fault : totals.order) line(fault, totals.by_fault.at(fault));
  line("all", totals.all);
  std::map<int, Tally> all = totals.all;
  text += fmt::format("{:<28} {:>8.3f} {:>8.3f} {:>8.3f}   {:>8.3f} {:>8.3f} {:>8.3f}\n", "recall", all[mild].recall(),
                      all[middle].recall(), all[severe].recall(), all[mild].debugger_recall(),
                      all[middle].debugger_recall(), all[severe].debugger_recall());
  if (totals.faulty > 0)
    text += fmt::format("{:<28} {:.1f}\n", "findings a faulty network", totals.findings / totals.faulty);
  text += fmt::format(
      "\nhealthy networks: {} ({} more did not train well and do not count); with a finding: {} ({:.1f} %); with one "
      "of "
      "SageMaker Debugger's: {} ({:.1f} %)\n",
      totals.healthy, totals.excluded, totals.false_finding, 100 * share(totals.false_finding, totals.healthy),
      totals.false_debugger, 100 * share(totals.false_debugger, totals.healthy));
  for (const auto& [rule, times] : totals.false_rules) text += fmt::format("  false: {} x {}\n", rule, times);
  for (const auto& [rule, times] : totals.false_debugger_rules)
    text += fmt::format("  false, Debugger: {} x {}\n", rule, times);
  if (!details) return text;
  text += "\nhealthy networks: loss from, to; test accuracy; findings\n";
  for (const Row& row : rows)
    if (row.fault.empty())
      text += fmt::format("  {:<58} {:6.2f} {:6.2f} {:5.1f} % {}{} {}\n", row.name, row.first_loss, row.last_loss,
                          100 * row.accuracy, row.trains ? "" : "DOES NOT TRAIN WELL ",
                          fmt::join(rules_of(row.findings), ", "),
                          row.notes.empty() ? "" : fmt::format("(note: {})", fmt::join(rules_of(row.notes), ", ")));
  text += "\nmissed\n";
  for (const Row& row : rows)
    if (!row.fault.empty() && !row.found)
      text += fmt::format("  {:<7} {:<66} {:6.2f} {:6.2f} {:5.1f} % {}\n", level_names[row.level], row.name,
                          row.first_loss, row.last_loss, 100 * row.accuracy, fmt::join(rules_of(row.findings), ", "));
  return text;
}

Json summary(const std::vector<Row>& rows) {
  const Totals totals = count(rows);
  const auto levels = [](std::map<int, Tally> tally) {
    Json json;
    for (const Level level : {mild, middle, severe})
      json[level_names[level]] = {{"runs", tally[level].runs},
                                  {"found", tally[level].found},
                                  {"recall", tally[level].recall()},
                                  {"debugger_found", tally[level].debugger},
                                  {"debugger_recall", tally[level].debugger_recall()}};
    return json;
  };
  Json json;
  json["all"] = levels(totals.all);
  for (const std::string& fault : totals.order) json["faults"][fault] = levels(totals.by_fault.at(fault));
  json["healthy"] = {{"networks", totals.healthy},
                     {"excluded", totals.excluded},
                     {"with_a_finding", totals.false_finding},
                     {"share", share(totals.false_finding, totals.healthy)},
                     {"with_a_debugger_finding", totals.false_debugger},
                     {"debugger_share", share(totals.false_debugger, totals.healthy)},
                     {"rules", totals.false_rules},
                     {"debugger_rules", totals.false_debugger_rules}};
  return json;
}

bool good_enough(const std::vector<Row>& rows) {
  Totals totals = count(rows);
  return (totals.all[middle].runs == 0 || totals.all[middle].recall() >= wanted_recall) &&
         share(totals.false_finding, totals.healthy) <= most_false;
}

}  // namespace ogee::faults
