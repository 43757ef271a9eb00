#include "data/csv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "data/bytes.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

// A numeric target of whole numbers with at most this many distinct values is taken for classes.
constexpr std::size_t most_numeric_classes = 20;
constexpr std::size_t fewest_rows = 20;

struct Row {
  std::size_t line;  // where it starts, counted from 1; quoted cells may hold line ends
  std::vector<std::string> cells;
};

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
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

std::size_t find_target(const std::vector<std::string>& names, const std::string& target, const std::string& path) {
  if (target.empty()) return names.size() - 1;
  const auto found = std::find(names.begin(), names.end(), target);
  if (found != names.end()) {
    if (std::find(found + 1, names.end(), target) != names.end())
      throw Error(fmt::format("{}:1: two columns are called '{}'; give the target's number", path, target));
    return static_cast<std::size_t>(found - names.begin());
  }
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(target.data(), target.data() + target.size(), index);
  if (error == std::errc() && end == target.data() + target.size() && index >= 1 && index <= names.size())
    return index - 1;
  throw Error(fmt::format("{}:1: no column '{}'; the columns are {}", path, target, fmt::join(names, ", ")));
}

class Builder {
 public:
  Builder(std::vector<Row> rows, std::string path) : rows_(std::move(rows)), path_(std::move(path)) {}

  Table build(const std::string& target) {
    if (rows_.empty()) throw Error(fmt::format("{}: empty file", path_));
    const auto& first = rows_[0].cells;
    const bool header = std::none_of(first.begin(), first.end(), [](const auto& cell) { return number(cell); });
    std::vector<std::string> names;
    for (std::size_t i = 0; i < first.size(); ++i)
      names.push_back(header && !trim(first[i]).empty() ? std::string(trim(first[i]))
                                                        : fmt::format("column {}", i + 1));
    if (names.size() < 2) throw Error(fmt::format("{}:1: one column only; a feature and a target are needed", path_));
    const std::size_t target_column = find_target(names, target, path_);
    if (header) rows_.erase(rows_.begin());
    for (const Row& row : rows_)
      if (row.cells.size() != names.size())
        throw Error(fmt::format("{}:{}: {} cells, expected {}", path_, row.line, row.cells.size(), names.size()));
    if (rows_.size() < fewest_rows)
      throw Error(fmt::format("{}: {} rows of data, at least {} are needed", path_, rows_.size(), fewest_rows));

    Table table;
    table.rows = rows_.size();
    table.columns = names.size() - 1;
    table.target = names[target_column];
    if (!header) table.notes.push_back("no header line: columns go by number");
    if (target.empty()) table.notes.push_back(fmt::format("target: '{}', the last column", table.target));
    read_target(table, target_column);
    table.features.reserve(table.rows * table.columns);
    for (const Row& row : rows_)
      for (std::size_t i = 0; i < names.size(); ++i)
        if (i != target_column) table.features.push_back(static_cast<float>(finite(row, i, names[i])));
    for (std::size_t i = 0; i < names.size(); ++i)
      if (i != target_column) table.names.push_back(names[i]);
    return table;
  }

 private:
  double finite(const Row& row, std::size_t column, const std::string& name) const {
    const std::string_view cell = trim(row.cells[column]);
    const auto place = [&] { return fmt::format("{}:{}: column {} ('{}')", path_, row.line, column + 1, name); };
    if (cell.empty()) throw Error(fmt::format("{}: empty cell; a number is needed", place()));
    const auto value = number(cell);
    if (!value) throw Error(fmt::format("{}: '{}' is no number", place(), cell));
    if (!std::isfinite(static_cast<float>(*value)))
      throw Error(fmt::format("{}: '{}' is not a finite float32 number", place(), cell));
    return *value;
  }

  void read_target(Table& table, std::size_t column) {
    bool all_numbers = true, all_whole = true;
    std::set<double> numbers;
    std::map<std::string, int> texts;
    for (const Row& row : rows_) {
      const std::string_view cell = trim(row.cells[column]);
      if (cell.empty()) finite(row, column, table.target);
      texts[std::string(cell)] = 0;
      const auto value = number(cell);
      all_numbers = all_numbers && value;
      if (value && std::isfinite(*value)) numbers.insert(*value);
      all_whole = all_whole && value && std::isfinite(*value) && *value == std::floor(*value);
    }
    // A few stray words among numbers are bad cells, not classes.
    const bool mostly_numbers = 2 * numbers.size() > texts.size() && numbers.size() > most_numeric_classes;
    if (all_numbers || mostly_numbers)
      for (const Row& row : rows_) finite(row, column, table.target);
    if (all_whole && numbers.size() <= most_numeric_classes) {
      for (const double value : numbers) table.classes.push_back(fmt::format("{}", value));
      for (const Row& row : rows_)
        table.labels.push_back(
            static_cast<int>(std::distance(numbers.begin(), numbers.find(*number(row.cells[column])))));
    } else if (all_numbers) {
      table.goal = Goal::regression;
      for (const Row& row : rows_) table.values.push_back(*number(row.cells[column]));
      if (numbers.size() == 1) throw Error(fmt::format("{}: the target '{}' is constant", path_, table.target));
      table.notes.push_back(fmt::format("target '{}': numbers, {} distinct: regression", table.target, numbers.size()));
      return;
    } else {
      for (auto& [text, index] : texts) {
        index = static_cast<int>(table.classes.size());
        table.classes.push_back(text);
      }
      for (const Row& row : rows_) table.labels.push_back(texts.at(std::string(trim(row.cells[column]))));
    }
    if (table.classes.size() == 1)
      throw Error(fmt::format("{}: one class only: the target '{}' is '{}' in every row", path_, table.target,
                              table.classes[0]));
    if (2 * table.classes.size() > table.rows)
      throw Error(fmt::format("{}: {} classes in {} rows: is '{}' the target?", path_, table.classes.size(), table.rows,
                              table.target));
    table.notes.push_back(fmt::format("target '{}': {} distinct {}: classification", table.target, table.classes.size(),
                                      all_whole ? "whole numbers" : "texts"));
  }

  std::vector<Row> rows_;
  std::string path_;
};

}  // namespace

Table parse_csv(std::string_view text, const std::string& path, const std::string& target) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return Builder(split_rows(text, path, find_separator(text)), path).build(target);
}

Table read_csv(const std::string& path, const std::string& target) { return parse_csv(read_bytes(path), path, target); }

}  // namespace ogee::data
