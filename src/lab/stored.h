// Comparisons as they lie in folders: read back without their data, put together, shown side by side.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lab/experiment.h"
#include "lab/store.h"
#include "lab/summary.h"

namespace ogee::lab {

struct StoredComparison {
  std::vector<std::string> folders;  // that hold parts of it
  std::string identity;
  Experiment experiment;
  DataFacts facts;
  Environment environment;
  std::vector<StoredRun> runs;

  nlohmann::ordered_json results() const;  // as in results.json
};

// Throws Error, naming the file, if the folder holds no comparison of this version.
StoredComparison load_comparison(const std::string& folder);

// Comparisons of one experiment become one, with the runs of all; of a run that several have, the first one's.
std::vector<StoredComparison> merge(std::vector<StoredComparison> comparisons);

// {"what": "ogee report", "comparisons": [results, each with its "folders"]}: for different experiments.
nlohmann::ordered_json side_by_side(const std::vector<StoredComparison>& comparisons);
// What `side_by_side` gave, as a table for the terminal and as a page that needs no other file.
std::string side_by_side_text(const nlohmann::ordered_json& sides);
std::string side_by_side_html(const nlohmann::ordered_json& sides);

}  // namespace ogee::lab
