// CSV tables of numbers with one target column, read strictly: what cannot be used is an error that names the cell.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "data/csv_rows.h"
#include "data/goal.h"

namespace ogee::data {

struct Table {
  std::size_t rows = 0, columns = 0;   // of the features, all files together
  std::vector<std::size_t> file_rows;  // how many of the rows each file has, in order
  std::vector<std::string> names;      // of the features
  std::vector<float> features;         // row by row
  std::string target;
  Goal goal = Goal::classification;  // or regression
  std::vector<std::string> classes;  // classification: the target's values, numbers in order, then text in order
  std::vector<int> labels;           // classification
  std::vector<double> values;        // regression
  std::vector<std::string> notes;    // what was found out rather than told, in words
};

// `target`: a column's name, or its number counted from 1; empty: the last column. `more`: further files with the same
// columns, whose rows follow those of `path`. Throws Error.
Table read_csv(const std::string& path, const std::string& target = {}, const std::vector<std::string>& more = {});
// The same from text; `path` names it in errors.
Table parse_csv(std::string_view text, const std::string& path, const std::string& target = {});

}  // namespace ogee::data
