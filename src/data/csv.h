// CSV tables of numbers with one target column, read strictly: what cannot be used is an error that names the cell.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ogee::data {

enum class Goal { classification, regression };

struct Table {
  std::size_t rows = 0, columns = 0;  // of the features
  std::vector<std::string> names;     // of the features
  std::vector<float> features;        // row by row
  std::string target;
  Goal goal = Goal::classification;
  std::vector<std::string> classes;  // classification: the target's values, numbers in order, then text in order
  std::vector<int> labels;           // classification
  std::vector<double> values;        // regression
  std::vector<std::string> notes;    // what was found out rather than told, in words
};

// `target`: a column's name, or its number counted from 1; empty: the last column.
Table read_csv(const std::string& path, const std::string& target = {});
// The same from text; `path` names it in errors.
Table parse_csv(std::string_view text, const std::string& path, const std::string& target = {});

}  // namespace ogee::data
