// Runs a function's row kernels on chosen arguments: noise and parameters per element, any SIMD target.
#pragma once

#include <vector>

#include "kernels/ragged.h"
#include "kernels/tables.h"
#include "registry/catalogue.h"

namespace ogee::test {

// For the life of the object the whole process runs on one SIMD target.
struct OnTarget {
  explicit OnTarget(const std::string& name) { use_target(name); }
  ~OnTarget() { use_target(""); }
  OnTarget(const OnTarget&) = delete;
  OnTarget& operator=(const OnTarget&) = delete;
};

template <class T>
struct Columns {
  std::vector<std::vector<T>> inputs, parameters;
  std::vector<T> noise;
  std::size_t size() const { return inputs.front().size(); }
};

template <class T>
struct Results {
  std::vector<T> value;
  std::vector<std::vector<T>> derivatives;  // inputs, then parameters
};

template <class T>
kernels::Row<T> row_of(const Columns<T>& columns) {
  kernels::Row<T> row{};
  for (std::size_t k = 0; k < columns.inputs.size(); ++k) row.input[k] = columns.inputs[k].data();
  for (std::size_t k = 0; k < columns.parameters.size(); ++k) row.parameter[k] = {columns.parameters[k].data(), 0};
  row.noise = {columns.noise.data(), 0};
  return row;
}

template <class T>
const kernels::RowKernels<T>& kernels_of(const Function& function, Mode mode = Mode::training) {
  const auto& kernels = kernels::table<T>(function.place.family).functions[function.place.index].exact;
  return mode == Mode::evaluation && kernels.evaluation.forward != nullptr ? kernels.evaluation : kernels.training;
}

template <class T>
void run_kernel(const Function& function, kernels::Kernel<T> kernel, const kernels::Row<T>& row, std::size_t n) {
  kernels::run_row(kernel, row, n, kernels::table<T>(function.place.family).width);
}

// Values and all partial derivatives (dy = 1), element by element.
template <class T>
Results<T> run_rows(const Function& function, const Columns<T>& columns, Mode mode = Mode::training) {
  const std::size_t n = columns.size();
  Results<T> results{std::vector<T>(n), {}};
  kernels::Row<T> row = row_of(columns);
  row.y = results.value.data();
  run_kernel(function, kernels_of<T>(function, mode).forward, row, n);
  row.y = nullptr;
  const std::vector<T> ones(n, T(1));
  row.dy = ones.data();
  results.derivatives.assign(columns.inputs.size() + columns.parameters.size(), std::vector<T>(n));
  for (std::size_t k = 0; k < columns.inputs.size(); ++k) row.dx[k] = results.derivatives[k].data();
  for (std::size_t k = 0; k < columns.parameters.size(); ++k) {
    row.elements[k] = results.derivatives[columns.inputs.size() + k].data();
  }
  run_kernel(function, kernels_of<T>(function, mode).backward_all, row, n);
  return results;
}

}  // namespace ogee::test
