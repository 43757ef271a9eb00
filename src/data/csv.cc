#include "data/csv.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>

#include "data/bytes.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

// A numeric target of whole numbers with at most this many distinct values is taken for classes.
constexpr std::size_t most_numeric_classes = 20;
constexpr std::size_t fewest_rows = 20;

class Builder {
 public:
  explicit Builder(std::vector<Sheet> sheets) : sheets_(std::move(sheets)) {}

  Table build(const std::string& target) {
    const Sheet& first = sheets_[0];
    const std::vector<std::string>& names = first.names;
    if (names.size() < 2)
      throw Error(fmt::format("{}:1: one column only; a feature and a target are needed", first.path));
    const std::size_t target_column = target.empty() ? names.size() - 1 : find_column(first, target);
    if (first.rows.size() < fewest_rows)
      throw Error(
          fmt::format("{}: {} rows of data, at least {} are needed", first.path, first.rows.size(), fewest_rows));

    Table table;
    for (const Sheet& sheet : sheets_) {
      check_same_columns(sheet, first);
      table.file_rows.push_back(sheet.rows.size());
      table.rows += sheet.rows.size();
    }
    table.columns = names.size() - 1;
    table.target = names[target_column];
    if (!first.header) table.notes.push_back("no header line: columns go by number");
    if (target.empty()) table.notes.push_back(fmt::format("target: '{}', the last column", table.target));
    read_target(table, target_column);
    table.features.reserve(table.rows * table.columns);
    for_each_row([&](const Sheet& sheet, const Row& row) {
      for (std::size_t i = 0; i < names.size(); ++i)
        if (i != target_column) table.features.push_back(static_cast<float>(finite_number(sheet, row, i)));
    });
    for (std::size_t i = 0; i < names.size(); ++i)
      if (i != target_column) table.names.push_back(names[i]);
    return table;
  }

 private:
  template <class Visit>
  void for_each_row(Visit visit) const {
    for (const Sheet& sheet : sheets_)
      for (const Row& row : sheet.rows) visit(sheet, row);
  }

  void read_target(Table& table, std::size_t column) {
    const std::string& path = sheets_[0].path;
    bool all_numbers = true, all_whole = true;
    std::set<double> numbers;
    std::map<std::string, int> texts;
    for_each_row([&](const Sheet& sheet, const Row& row) {
      const std::string_view cell = trim(row.cells[column]);
      if (cell.empty()) finite_number(sheet, row, column);
      texts[std::string(cell)] = 0;
      const auto value = number(cell);
      all_numbers = all_numbers && value;
      if (value && std::isfinite(*value)) numbers.insert(*value);
      all_whole = all_whole && value && std::isfinite(*value) && *value == std::floor(*value);
    });
    // A few stray words among numbers are bad cells, not classes.
    const bool mostly_numbers = 2 * numbers.size() > texts.size() && numbers.size() > most_numeric_classes;
    if (all_numbers || mostly_numbers)
      for_each_row([&](const Sheet& sheet, const Row& row) { finite_number(sheet, row, column); });
    if (all_whole && numbers.size() <= most_numeric_classes) {
      for (const double value : numbers) table.classes.push_back(fmt::format("{}", value));
      for_each_row([&](const Sheet&, const Row& row) {
        table.labels.push_back(
            static_cast<int>(std::distance(numbers.begin(), numbers.find(*number(row.cells[column])))));
      });
    } else if (all_numbers) {
      table.goal = Goal::regression;
      for_each_row([&](const Sheet&, const Row& row) { table.values.push_back(*number(row.cells[column])); });
      if (numbers.size() == 1) throw Error(fmt::format("{}: the target '{}' is constant", path, table.target));
      table.notes.push_back(fmt::format("target '{}': numbers, {} distinct: regression", table.target, numbers.size()));
      return;
    } else {
      for (auto& [text, index] : texts) {
        index = static_cast<int>(table.classes.size());
        table.classes.push_back(text);
      }
      for_each_row([&](const Sheet&, const Row& row) {
        table.labels.push_back(texts.at(std::string(trim(row.cells[column]))));
      });
    }
    if (table.classes.size() == 1)
      throw Error(fmt::format("{}: one class only: the target '{}' is '{}' in every row", path, table.target,
                              table.classes[0]));
    if (2 * table.classes.size() > table.rows)
      throw Error(fmt::format("{}: {} classes in {} rows: is '{}' the target?", path, table.classes.size(), table.rows,
                              table.target));
    table.notes.push_back(fmt::format("target '{}': {} distinct {}: classification", table.target, table.classes.size(),
                                      all_whole ? "whole numbers" : "texts"));
  }

  const std::vector<Sheet> sheets_;
};

}  // namespace

Table parse_csv(std::string_view text, const std::string& path, const std::string& target) {
  return Builder({parse_sheet(text, path)}).build(target);
}

Table read_csv(const std::string& path, const std::string& target, const std::vector<std::string>& more) {
  std::vector<Sheet> sheets{parse_sheet(read_bytes(path), path)};
  for (const std::string& other : more) sheets.push_back(parse_sheet(read_bytes(other), other));
  return Builder(std::move(sheets)).build(target);
}

}  // namespace ogee::data
