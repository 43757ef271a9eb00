#include <nlohmann/json.hpp>

#include "claims/run_claim.h"
#include "lab/page.h"

extern "C" const char ogee_asset_claims_css[], ogee_asset_claims_css_end[];
extern "C" const char ogee_asset_claims_js[], ogee_asset_claims_js_end[];

namespace ogee::claims {
namespace {

using Json = nlohmann::ordered_json;

// What the page draws: of the observations, the measures that its charts are about.
Json drawn(Json result) {
  Json kept = Json::array();
  for (const Json& observation : result["observations"])
    for (const Json& chart : result["charts"])
      if (observation["measure"] == chart["measure"]) {
        kept.push_back(observation);
        break;
      }
  result["observations"] = std::move(kept);
  return result;
}

}  // namespace

std::string claims_page(const std::vector<Json>& results) {
  Json all = Json::array();
  for (const Json& result : results) all.push_back(drawn(result));
  const lab::DrawnPage about{
      "Ogee: the claims of the literature", lab::asset(ogee_asset_claims_css, ogee_asset_claims_css_end),
      "are in the JSON files beside it", lab::asset(ogee_asset_claims_js, ogee_asset_claims_js_end), true};
  return lab::page(about, all.dump());
}

}  // namespace ogee::claims
