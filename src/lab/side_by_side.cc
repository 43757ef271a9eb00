// Different comparisons in one table: arms down, comparisons across.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "lab/page.h"
#include "lab/report.h"
#include "lab/stored.h"

extern "C" const char ogee_asset_side_by_side_css[], ogee_asset_side_by_side_css_end[];

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;

struct Cell {
  std::string mean, interval;
  bool lowest = false;

  std::string text() const { return mean + (lowest ? "*" : "") + (interval.empty() ? "" : " " + interval); }
};

// One comparison as a column.
struct Column {
  const Json* results;
  std::string title;
  const Json* arm(const std::string& name) const {
    for (const Json& arm : results->at("arms"))
      if (arm["activation"] == name) return &arm;
    return nullptr;
  }
  std::string show(const Json& value) const {
    if (!value.is_number()) return "-";
    const bool share = results->at("share").get<bool>();
    return share ? fmt::format("{:.2f}", 100 * value.get<double>()) : fmt::format("{:.4g}", value.get<double>());
  }
  Cell cell(const std::string& name) const {
    const Json* its = arm(name);
    if (!its) return {};
    const Json& error = its->at("test_error");
    Cell cell{show(error["mean"]), "", results->at("recommendation")["lowest"] == name};
    if (error["low"].is_number()) cell.interval = fmt::format("[{}, {}]", show(error["low"]), show(error["high"]));
    if (!error["mean"].is_number()) cell.mean = its->at("verdict").get<std::string>();
    return cell;
  }
  std::string unit() const {
    const auto metric = results->at("metric").get<std::string>();
    return "test " + metric + (results->at("share").get<bool>() ? ", %" : "");
  }
};

std::vector<Column> columns_of(const Json& sides) {
  std::vector<Column> columns;
  for (const Json& results : sides["comparisons"])
    columns.push_back({&results, results["folders"][0].get<std::string>()});
  return columns;
}

std::vector<std::string> arms_of(const Json& sides) {
  std::vector<std::string> names;
  for (const Json& results : sides["comparisons"])
    for (const Json& arm : results["arms"])
      if (const auto name = arm["activation"].get<std::string>();
          std::find(names.begin(), names.end(), name) == names.end())
        names.push_back(name);
  return names;
}

// The settings in which they differ: the setting, then a value for each comparison.
std::vector<std::vector<std::string>> differences(const Json& sides) {
  std::vector<std::string> keys;
  for (const Json& results : sides["comparisons"])
    for (const auto& [key, value] : results["experiment"].items())
      if (key != "activations" && key != "arms" && key != "fingerprint" && key != "tuning" &&
          std::find(keys.begin(), keys.end(), key) == keys.end())
        keys.push_back(key);
  std::vector<std::vector<std::string>> rows;
  for (const std::string& key : keys) {
    std::vector<std::string> row{key};
    for (const Json& results : sides["comparisons"]) {
      const Json& experiment = results["experiment"];
      if (!experiment.contains(key))
        row.push_back("-");
      else
        row.push_back(experiment[key].is_string() ? experiment[key].get<std::string>() : experiment[key].dump());
    }
    if (std::set<std::string>(row.begin() + 1, row.end()).size() > 1) rows.push_back(std::move(row));
  }
  return rows;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

// Rows of cells as lines, in blocks of as many columns as fit.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows[0].size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (std::size_t from = 1; from < widths.size();) {
    std::size_t to = from, total = widths[0];
    while (to < widths.size() && (to == from || total + 2 + widths[to] <= text_width)) total += 2 + widths[to++];
    for (const auto& row : rows) {
      std::string line = fmt::format("{:<{}}", row[0], widths[0]);
      for (std::size_t i = from; i < to; ++i) line += fmt::format("  {:<{}}", row[i], widths[i]);
      text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    text += "\n";
    from = to;
  }
  return text;
}

}  // namespace

Json side_by_side(const std::vector<StoredComparison>& comparisons) {
  Json sides{{"what", "ogee report"}, {"comparisons", Json::array()}};
  for (const StoredComparison& each : comparisons) {
    Json results = each.results();
    results["folders"] = each.folders;
    sides["comparisons"].push_back(std::move(results));
  }
  return sides;
}

std::string side_by_side_text(const Json& sides) {
  const std::vector<Column> columns = columns_of(sides);
  std::vector<std::vector<std::string>> rows(1, {"comparison"});
  for (const Column& column : columns) rows[0].push_back(column.title);
  for (const auto& row : differences(sides)) rows.push_back(row);
  rows.push_back({"measured"});
  for (const Column& column : columns) rows.back().push_back(column.unit());
  for (const std::string& arm : arms_of(sides)) {
    rows.push_back({arm});
    for (const Column& column : columns) rows.back().push_back(column.cell(arm).text());
  }
  std::string text = table(rows) + "*: the lowest mean; [..]: its 95 % interval over seeds\n";
  for (const Column& column : columns)
    text += fmt::format("\n{}: {}\n", column.title, column.results->at("recommendation")["text"].get<std::string>());
  return text;
}

std::string side_by_side_html(const Json& sides) {
  const std::vector<Column> columns = columns_of(sides);
  std::string body = fmt::format(
      "<h1>{} comparisons side by side</h1>\n<div class=\"scroll\"><table>\n<thead><tr><th></th>", columns.size());
  for (const Column& column : columns) body += fmt::format("<th scope=\"col\">{}</th>", escaped(column.title));
  body += "</tr></thead>\n<tbody>\n";
  for (const auto& row : differences(sides)) {
    body += fmt::format("<tr><th scope=\"row\">{}</th>", escaped(row[0]));
    for (std::size_t i = 1; i < row.size(); ++i) body += fmt::format("<td>{}</td>", escaped(row[i]));
    body += "</tr>\n";
  }
  body += "<tr><th scope=\"row\">measured</th>";
  for (const Column& column : columns) body += fmt::format("<td>{}</td>", column.unit());
  body += "</tr>\n";
  for (const std::string& arm : arms_of(sides)) {
    body += fmt::format("<tr><th scope=\"row\">{}</th>", escaped(arm));
    for (const Column& column : columns) {
      const Cell cell = column.cell(arm);
      body += fmt::format("<td{}>{}<span class=\"interval\">{}</span></td>", cell.lowest ? " class=\"best\"" : "",
                          escaped(cell.mean), cell.interval);
    }
    body += "</tr>\n";
  }
  body += "</tbody></table></div>\n<p>Bold: the lowest mean; in brackets its 95 % interval over seeds.</p>\n";
  for (const Column& column : columns)
    body += fmt::format("<section><h2>{}</h2><p>{}</p></section>\n", escaped(column.title),
                        escaped(column.results->at("recommendation")["text"].get<std::string>()));
  return page("Ogee: comparisons side by side", asset(ogee_asset_side_by_side_css, ogee_asset_side_by_side_css_end),
              body);
}

}  // namespace ogee::lab
