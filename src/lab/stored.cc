#include "lab/stored.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <tuple>

#include "lab/experiment_file.h"
#include "lab/facts.h"
#include "ogee/ogee.h"

namespace ogee::lab {

using Json = nlohmann::ordered_json;

StoredComparison load_comparison(const std::string& folder) {
  const std::string path = (std::filesystem::path(folder) / "results.db").string();
  const auto store = Store::existing(path);
  StoredComparison it;
  it.folders = {folder};
  it.identity = store->identity();
  try {
    it.facts = facts_from(Json::parse(store->noted("facts")));
    const std::string environment = store->noted("environment");  // not there yet if it was killed before its first end
    if (!environment.empty()) it.environment = environment_from(Json::parse(environment));
    it.experiment = parse_experiment(store->noted("experiment"), path);
    it.experiment.fingerprint = Json::parse(it.identity).at("fingerprint").get<std::string>();
  } catch (const Json::exception& error) {
    throw Error(fmt::format("{}: what it says of its experiment cannot be read: {}", path, error.what()));
  }
  settle(it.experiment, it.facts.train, it.facts.counted(), it.facts.validation);
  if (to_json(it.experiment).dump() != it.identity)
    throw Error(fmt::format("{}: its experiment does not read back as the one that was run", path));
  it.runs = store->all();
  return it;
}

std::vector<StoredComparison> merge(std::vector<StoredComparison> comparisons) {
  std::vector<StoredComparison> merged;
  for (StoredComparison& next : comparisons) {
    const auto same = std::find_if(merged.begin(), merged.end(),
                                   [&](const StoredComparison& m) { return m.identity == next.identity; });
    if (same == merged.end()) {
      merged.push_back(std::move(next));
      continue;
    }
    std::set<RunKey> known;
    for (const StoredRun& run : same->runs) known.insert(run.key);
    for (StoredRun& run : next.runs)
      if (known.insert(run.key).second) same->runs.push_back(std::move(run));
    same->folders.insert(same->folders.end(), next.folders.begin(), next.folders.end());
  }
  // In the order in which the store gives them.
  const auto order = [](const StoredRun& run) {
    return std::tuple(run.key.arm, std::string(name_of(run.key.stage)), run.key.seed, run.key.rate, run.key.attributes,
                      run.key.steps);
  };
  for (StoredComparison& each : merged) {
    if (each.folders.size() < 2) continue;
    std::sort(each.runs.begin(), each.runs.end(), [&](const auto& a, const auto& b) { return order(a) < order(b); });
    const std::string what = fmt::format("merged from {}", fmt::join(each.folders, ", "));
    each.environment.note += (each.environment.note.empty() ? "" : "; ") + what;
  }
  return merged;
}

Json StoredComparison::results() const { return summarise(experiment, facts, environment, runs); }

}  // namespace ogee::lab
