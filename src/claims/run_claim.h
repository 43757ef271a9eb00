// From a claim to its result, kept in a folder; and what is told of many.
#pragma once

#include <atomic>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "claims/claim.h"

namespace ogee::claims {

struct RunOptions {
  std::string out = "ogee-claims";
  int workers = 0;  // threads; 0: one for each core
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::size_t done, std::size_t of, const std::string& latest)> progress = nullptr;
};

// Measures what out/NAME does not hold yet, judges, and writes out/NAME/PRESET.json, which it returns:
//
//   {"what": "ogee claims run", "name", "claim", "document", "source", "published": [...], "preset", "scale",
//    "settings": the study's, "complete": all was measured, "missing": why nothing could be, or "",
//    "seconds": of work, over all calls that it took, "verdict",
//    "expectations": [{"text", "verdict", "figure": in words, "contrast", "low", "high", "seeds", ...}],
//    "charts", "notes", "measures", "observations": [{"arm", "at", "seed", "measure", "value"}]}
//
// What was measured is kept under the settings it was measured with: changed ones measure anew, and lose nothing.
// Throws Error on what the user can mend.
nlohmann::ordered_json run_claim(const Claim& claim, const RunOptions& options);

// Results in out/*/PRESET.json, in the order of claim_files, others after them. Throws Error on what cannot be read.
std::vector<nlohmann::ordered_json> stored_results(const std::string& out);

// For the terminal; and a page that needs no other file.
std::string claims_text(const std::vector<nlohmann::ordered_json>& results);
std::string claims_page(const std::vector<nlohmann::ordered_json>& results);

}  // namespace ogee::claims
