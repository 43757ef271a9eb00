#include "claims/claim.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <utility>

#include "lab/toml_table.h"
#include "ogee/ogee.h"
#include "registry/suggestion.h"

namespace ogee::claims {
namespace {

using lab::Table;

constexpr double unbounded = std::numeric_limits<double>::infinity();
const std::vector<std::string> presets = {"small", "paper"};

// A word or a list of words.
void take_some(Table& table, const char* key, std::vector<std::string>& words) {
  if (table.is_list(key)) return table.take(key, words);
  std::string word;
  table.take(key, word);
  if (!word.empty()) words = {word};
}

std::string required(Table& table, const char* key) {
  std::string text;
  table.take(key, text);
  if (text.empty()) table.fail(key, fmt::format("'{}' is missing or empty", key));
  return text;
}

// A study may make measures for each of something, named "measure*" with any text in place of the star.
bool makes(const Study& study, const std::string& measure) {
  for (const auto& [name, words] : study.measures()) {
    if (name == measure) return true;
    if (name.ends_with('*') && measure.starts_with(name.substr(0, name.size() - 1))) return true;
  }
  return false;
}

std::string take_measure(Table& table, const Study& study) {
  std::string measure = required(table, "measure");
  if (makes(study, measure)) return measure;
  std::vector<std::string> names;
  for (const auto& [name, words] : study.measures()) names.push_back(name);
  table.fail("measure", fmt::format("the study does not measure {}{}; it measures {}", measure,
                                    suggestion(measure, {names.begin(), names.end()}), fmt::join(names, ", ")));
}

Expectation read_expectation(Table& table, const Study& study, std::string& preset) {
  Expectation expectation;
  expectation.text = required(table, "text");
  expectation.measure = take_measure(table, study);
  take_some(table, "arm", expectation.arms);
  if (expectation.arms.empty()) table.fail("arm", "'arm' is missing: an arm of the study, or a list of arms");
  table.take("at", expectation.at, -unbounded, false, unbounded);
  std::string relation;
  table.take("relation", relation, {"below", "above", "close"});
  if (relation.empty()) table.fail("relation", "'relation' is missing; expected below, above or close");
  expectation.relation = relation == "below"   ? Expectation::Relation::below
                         : relation == "above" ? Expectation::Relation::above
                                               : Expectation::Relation::close;
  if (!table.has("than")) table.fail("than", "'than' is missing: a number, an arm, or a list of arms");
  if (table.is_text("than") || table.is_list("than"))
    take_some(table, "than", expectation.than);
  else
    table.take("than", expectation.number, -unbounded, false, unbounded);
  expectation.than_at = expectation.at;
  table.take("than_at", expectation.than_at, -unbounded, false, unbounded);
  if (table.has("by") && table.has("factor")) table.fail("by", "either a margin 'by' or a 'factor', not both");
  table.take("by", expectation.by, -unbounded, false, unbounded);
  table.take("factor", expectation.factor, 0, false, 1e300);
  if (expectation.than.empty() && (table.has("factor") || table.has("than_at")))
    table.fail("than", "a factor or a condition of the other side needs an arm to compare with, not a number");
  if (expectation.relation == Expectation::Relation::close) {
    const double margin = expectation.factor > 0 ? std::log(expectation.factor) : expectation.by;
    if (!(margin > 0)) table.fail("relation", "'close' needs a margin 'by' above 0 or a 'factor' above 1");
  }
  table.take("preset", preset, presets);
  return expectation;
}

Chart read_chart(Table& table, const Study& study) {
  Chart chart;
  chart.title = required(table, "title");
  chart.measure = take_measure(table, study);
  table.take("x", chart.x, {"arm", "at"});
  table.take("log_x", chart.log_x);
  table.take("log_y", chart.log_y);
  return chart;
}

}  // namespace

Claim parse_claim(const std::string& text, const std::string& name, const std::string& preset) {
  const toml::table file = lab::parse_toml(text, name);
  Table table(file, name, "", "a claim");
  Claim claim;
  claim.name = std::filesystem::path(name).stem().string();
  claim.preset = preset;
  claim.claim = required(table, "claim");
  table.take("document", claim.document);
  claim.source = required(table, "source");
  claim.study = required(table, "study");
  const std::vector<std::string> known = studies();
  if (std::find(known.begin(), known.end(), claim.study) == known.end())
    table.fail("study", fmt::format("there is no study {}{}; there are {}", claim.study,
                                    suggestion(claim.study, {known.begin(), known.end()}), fmt::join(known, ", ")));
  table.take_each("published", [&](Table& its) {
    const std::string figure = required(its, "figure"), value = required(its, "value");
    claim.published.push_back({figure, value, required(its, "source")});
  });
  // The other preset is read, too, so that its mistakes are found.
  for (const std::string& each : presets) {
    if (!table.has(each.c_str())) table.fail(each.c_str(), fmt::format("the preset [{}] is missing", each));
    table.take(each.c_str(), [&](Table& its) {
      std::string scale = required(its, "scale");
      std::shared_ptr<Study> work = make_study(claim.study, its);
      if (each != preset) return;
      claim.scale = std::move(scale);
      claim.work = std::move(work);
    });
  }
  table.take_each("expect", [&](Table& its) {
    std::string only;
    Expectation expectation = read_expectation(its, *claim.work, only);
    if (only.empty() || only == preset) claim.expectations.push_back(std::move(expectation));
  });
  if (claim.expectations.empty()) table.fail("expect", "nothing is expected: there is no [[expect]] for this preset");
  table.take_each("chart", [&](Table& its) { claim.charts.push_back(read_chart(its, *claim.work)); });
  table.finish();
  return claim;
}

ClaimFile find_claim(const std::string& name) {
  if (name.ends_with(".toml")) return {std::filesystem::path(name).stem().string(), name, lab::read_text(name)};
  const std::vector<ClaimFile> files = claim_files();
  for (const ClaimFile& file : files)
    if (file.name == name) return file;
  std::vector<std::string> names;
  for (const ClaimFile& file : files) names.push_back(file.name);
  throw Error(fmt::format("there is no claim {}{}; `ogee claims list` names them, a path ends in .toml", name,
                          suggestion(name, {names.begin(), names.end()})));
}

}  // namespace ogee::claims
