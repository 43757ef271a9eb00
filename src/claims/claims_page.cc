#include <nlohmann/json.hpp>

#include "claims/run_claim.h"
#include "lab/page.h"

extern "C" const char ogee_asset_claims_html[], ogee_asset_claims_html_end[];
extern "C" const char ogee_asset_claims_css[], ogee_asset_claims_css_end[];
extern "C" const char ogee_asset_claims_js[], ogee_asset_claims_js_end[];
extern "C" const char ogee_asset_vega[], ogee_asset_vega_end[];

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
  return lab::filled(lab::asset(ogee_asset_claims_html, ogee_asset_claims_html_end),
                     {{"{{css}}", lab::asset(ogee_asset_claims_css, ogee_asset_claims_css_end)},
                      {"{{vega}}", lab::asset(ogee_asset_vega, ogee_asset_vega_end)},
                      {"{{results}}", lab::harmless(all.dump())},
                      {"{{js}}", lab::asset(ogee_asset_claims_js, ogee_asset_claims_js_end)}});
}

}  // namespace ogee::claims
