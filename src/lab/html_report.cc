#include <nlohmann/json.hpp>

#include "lab/page.h"
#include "lab/report.h"

extern "C" const char ogee_asset_report_html[], ogee_asset_report_html_end[];
extern "C" const char ogee_asset_report_css[], ogee_asset_report_css_end[];
extern "C" const char ogee_asset_report_js[], ogee_asset_report_js_end[];
extern "C" const char ogee_asset_vega[], ogee_asset_vega_end[];

namespace ogee::lab {

std::string html_report(const nlohmann::ordered_json& results) {
  return filled(asset(ogee_asset_report_html, ogee_asset_report_html_end),
                {{"{{css}}", asset(ogee_asset_report_css, ogee_asset_report_css_end)},
                 {"{{vega}}", asset(ogee_asset_vega, ogee_asset_vega_end)},
                 {"{{results}}", harmless(results.dump())},
                 {"{{js}}", asset(ogee_asset_report_js, ogee_asset_report_js_end)}});
}

}  // namespace ogee::lab
