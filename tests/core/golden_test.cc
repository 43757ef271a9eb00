// Values and partial derivatives of every function against mpmath: the reference, and the double kernels on every SIMD
// target the machine has.
#include "golden.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <iostream>

#include "kernels.h"

namespace ogee::test {
namespace {

class Golden : public testing::TestWithParam<const Function*> {
 protected:
  const Function& function() const { return *GetParam(); }
  const Spec& spec() const { return spec_of(function()); }
};

// The acceptance bound is 1e-6; what double arithmetic should give is far below it. Where a derivative is a sum of
// terms that cancel, its error is measured against the size of the gradient.
constexpr double tolerance = 1e-11;

void expect_close(double got, double wanted, double scale, const std::string& what, const GoldenRow& row) {
  const double error = std::fabs(got - wanted);
  const double bound = std::max(tolerance * std::fabs(wanted), 1e-15 * scale) + 1e-290;
  EXPECT_LE(error, bound) << what << ": got " << got << ", expected " << wanted << " at x = " << row.inputs[0];
  EXPECT_LE(error, std::max(1e-6 * std::fabs(wanted), 1e-15 * scale) + 1e-290) << what;
}

std::string name_of(const Spec& spec, std::size_t k) {
  return k < spec.inputs ? "d/dinput" + std::to_string(k) : "d/d" + std::string(spec.parameters[k - spec.inputs].name);
}

TEST_P(Golden, Agrees) {
  const std::vector<GoldenRow> rows = read_golden(spec());
  ASSERT_EQ(rows.size(), 200u);
  Activation activation(function());
  for (const GoldenRow& row : rows) {
    Function copy = function();
    const double* p = row.parameters.data();
    const std::size_t total = row.inputs.size() + row.parameters.size();
    expect_close(copy.reference.value(row.inputs.data(), p, row.noise, Mode::training), row.value, 0, "value", row);
    std::vector<double> direction(total, 0.0);
    for (std::size_t k = 0; k < total; ++k) {
      direction[k] = 1;
      const double d = copy.reference.derivative(row.inputs.data(), p, row.noise, Mode::training, direction.data());
      expect_close(d, row.derivatives[k], std::fabs(row.value), name_of(spec(), k), row);
      direction[k] = 0;
    }
  }
}

TEST_P(Golden, KernelsAgree) {
  const std::vector<GoldenRow> rows = read_golden(spec());
  Columns<double> columns;
  columns.inputs.resize(spec().inputs);
  columns.parameters.resize(spec().parameters.size());
  for (const GoldenRow& row : rows) {
    for (std::size_t k = 0; k < row.inputs.size(); ++k) columns.inputs[k].push_back(row.inputs[k]);
    for (std::size_t k = 0; k < row.parameters.size(); ++k) columns.parameters[k].push_back(row.parameters[k]);
    columns.noise.push_back(row.noise);
  }
  for (const std::string& target : targets()) {
    SCOPED_TRACE(target);
    const OnTarget on(target);
    const Results<double> results = run_rows(function(), columns);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      expect_close(results.value[i], rows[i].value, 0, "value", rows[i]);
      for (std::size_t k = 0; k < results.derivatives.size(); ++k) {
        expect_close(results.derivatives[k][i], rows[i].derivatives[k], std::fabs(rows[i].value), name_of(spec(), k),
                     rows[i]);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Golden, testing::ValuesIn(functions().begin(), functions().end()),
                         [](const auto& info) { return std::string(spec_of(*info.param).name); });

}  // namespace
}  // namespace ogee::test
