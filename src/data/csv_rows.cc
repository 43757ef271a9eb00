#include "data/csv_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "ogee/ogee.h"

namespace ogee::data {
namespace {

// The separator that the first line uses most.
char find_separator(std::string_view text) {
  std::size_t counts[3] = {};
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\n') break;
    counts[0] += c == ',', counts[1] += c == ';', counts[2] += c == '\t';
  }
  return ",;\t"[std::max_element(counts, counts + 3) - counts];
}

std::vector<Row> split_rows(std::string_view text, const std::string& path, char separator) {
  std::vector<Row> rows;
  std::size_t line = 1;
  std::size_t at = 0;
  while (at < text.size()) {
    Row row{line, {}};
    for (bool more = true; more;) {
      std::string cell;
      if (at < text.size() && text[at] == '"') {
        const std::size_t opened = line;
        for (++at;; ++at) {
          if (at >= text.size()) throw Error(fmt::format("{}:{}: a quoted cell is never closed", path, opened));
          if (text[at] == '"' && (++at >= text.size() || text[at] != '"')) break;
          line += text[at] == '\n';
          cell += text[at];
        }
      }
      while (at < text.size() && text[at] != separator && text[at] != '\n') cell += text[at++];
      if (cell.ends_with('\r')) cell.pop_back();
      row.cells.push_back(std::move(cell));
      more = at < text.size() && text[at] == separator;
      at += more;
    }
    ++at, ++line;
    if (row.cells.size() > 1 || !trim(row.cells[0]).empty()) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

std::string_view trim(std::string_view cell) {
  const auto first = cell.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return cell.substr(first, cell.find_last_not_of(" \t") - first + 1);
}

std::optional<double> number(std::string_view cell) {
  cell = trim(cell);
  if (cell.starts_with('+')) cell.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (cell.empty() || end != cell.data() + cell.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return HUGE_VAL;
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

Sheet parse_sheet(std::string_view text, const std::string& path) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Sheet sheet;
  sheet.path = path;
  sheet.rows = split_rows(text, path, find_separator(text));
  if (sheet.rows.empty()) throw Error(fmt::format("{}: empty file", path));
  const auto& first = sheet.rows[0].cells;
  sheet.header = std::none_of(first.begin(), first.end(), [](const auto& cell) { return number(cell); });
  for (std::size_t i = 0; i < first.size(); ++i)
    sheet.names.push_back(sheet.header && !trim(first[i]).empty() ? std::string(trim(first[i]))
                                                                  : fmt::format("column {}", i + 1));
  if (sheet.header) sheet.rows.erase(sheet.rows.begin());
  for (const Row& row : sheet.rows)
    if (row.cells.size() != sheet.names.size())
      throw Error(fmt::format("{}:{}: {} cells, expected {}", path, row.line, row.cells.size(), sheet.names.size()));
  return sheet;
}

std::size_t find_column(const Sheet& sheet, const std::string& column) {
  const std::vector<std::string>& names = sheet.names;
  const auto found = std::find(names.begin(), names.end(), column);
  if (found != names.end()) {
    if (std::find(found + 1, names.end(), column) != names.end())
      throw Error(fmt::format("{}:1: two columns are called '{}'; give the target's number", sheet.path, column));
    return static_cast<std::size_t>(found - names.begin());
  }
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(column.data(), column.data() + column.size(), index);
  if (error == std::errc() && end == column.data() + column.size() && index >= 1 && index <= names.size())
    return index - 1;
  throw Error(fmt::format("{}:1: no column '{}'; the columns are {}", sheet.path, column, fmt::join(names, ", ")));
}

void check_same_columns(const Sheet& sheet, const Sheet& first) {
  if (sheet.names != first.names)
    throw Error(fmt::format("{}:1: columns {}; expected those of {}: {}", sheet.path, fmt::join(sheet.names, ", "),
                            first.path, fmt::join(first.names, ", ")));
}

double finite_number(const Sheet& sheet, const Row& row, std::size_t column) {
  const std::string_view cell = trim(row.cells[column]);
  const auto place = [&] {
    return fmt::format("{}:{}: column {} ('{}')", sheet.path, row.line, column + 1, sheet.names[column]);
  };
  if (cell.empty()) throw Error(fmt::format("{}: empty cell; a number is needed", place()));
  const auto value = number(cell);
  if (!value) throw Error(fmt::format("{}: '{}' is no number", place(), cell));
  if (!std::isfinite(static_cast<float>(*value)))
    throw Error(fmt::format("{}: '{}' is not a finite float32 number", place(), cell));
  return *value;
}

}  // namespace ogee::data
