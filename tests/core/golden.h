// Reads the golden files: arguments, values and derivatives of every function, computed by mpmath (tests/golden).
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "ogee/ogee.h"

namespace ogee::test {

struct GoldenRow {
  std::vector<double> inputs, parameters;
  double noise = 0;
  double value = 0;
  std::vector<double> derivatives;  // inputs first, then parameters
};

inline std::filesystem::path golden_directory() { return std::filesystem::path(OGEE_SOURCE_DIR) / "tests" / "golden"; }

inline std::vector<GoldenRow> read_golden(const Spec& spec) {
  const auto path = golden_directory() / (std::string(spec.name) + ".golden");
  std::ifstream file(path);
  if (!file)
    throw std::runtime_error("no golden file for " + std::string(spec.name) + ": make one (tests/golden/README.md)");
  std::vector<GoldenRow> rows;
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    const auto next = [&] {
      std::string word;
      if (!(fields >> word)) throw std::runtime_error(path.filename().string() + ": too few columns: " + line);
      return std::stod(word);
    };
    GoldenRow row;
    for (std::size_t k = 0; k < spec.inputs; ++k) row.inputs.push_back(next());
    for (std::size_t k = 0; k < spec.parameters.size(); ++k) row.parameters.push_back(next());
    if (spec.noise != Noise::none) row.noise = next();
    row.value = next();
    for (std::size_t k = 0; k < spec.inputs + spec.parameters.size(); ++k) row.derivatives.push_back(next());
    std::string rest;
    if (fields >> rest) throw std::runtime_error(path.filename().string() + ": too many columns: " + line);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace ogee::test
