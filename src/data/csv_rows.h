// CSV text taken apart: rows of cells under named columns, every fault with its file, line and column.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ogee::data {

struct Row {
  std::size_t line;  // where it starts, counted from 1; quoted cells may hold line ends
  std::vector<std::string> cells;
};

struct Sheet {
  std::string path;
  bool header = false;             // whether the first line named the columns; else they go by number
  std::vector<std::string> names;  // of the columns
  std::vector<Row> rows;           // of data, each with names.size() cells
};

// Separated by whichever of , ; and tab the first line has most of. Cells may be quoted. A first line without any
// number is a header. Throws Error on empty text, an open quote and rows of another length.
Sheet parse_sheet(std::string_view text, const std::string& path);

// `column`: a name, or a number counted from 1. Throws Error, listing the names.
std::size_t find_column(const Sheet& sheet, const std::string& column);
// Throws Error unless `sheet` has the columns of `first`.
void check_same_columns(const Sheet& sheet, const Sheet& first);

std::string_view trim(std::string_view cell);
// Nothing if the cell is no number; HUGE_VAL if it is one beyond float64.
std::optional<double> number(std::string_view cell);
// Throws Error, naming the cell, unless it holds a finite float32 number.
double finite_number(const Sheet& sheet, const Row& row, std::size_t column);

}  // namespace ogee::data
