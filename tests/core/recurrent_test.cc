// The steps of recurrent cells against mpmath: each activation with given noise (the functions' own golden files), and
// whole steps (tests/golden/cells).
#include "kernels/recurrent/step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include "golden.h"
#include "hwy/aligned_allocator.h"
#include "kernels.h"
#include "kernels/noise.h"

namespace ogee::test {
namespace {

using kernels::recurrent::calls_a_step;
using kernels::recurrent::Gate;
using kernels::recurrent::gate_kernels;
using kernels::recurrent::GateRows;
using kernels::recurrent::gru_backward;
using kernels::recurrent::gru_forward;
using kernels::recurrent::lstm_backward;
using kernels::recurrent::lstm_forward;
using kernels::recurrent::Step;
using kernels::recurrent::Way;

template <class T>
struct Tolerance {
  static constexpr double value = std::is_same_v<T, double> ? 1e-12 : 2e-6;
};

template <class T>
void expect_close(double got, double want, double scale, const std::string& what) {
  EXPECT_LE(std::fabs(got - want), Tolerance<T>::value * std::max(std::fabs(want), scale))
      << what << ": got " << got << ", expected " << want;
}

// Several vectors and an end, and the noise as it is given.
template <class T>
void check_gate(const std::string& name, Way way) {
  SCOPED_TRACE(name);
  const Function& function = *find_function(name);
  const Spec& spec = spec_of(function);
  const bool noisy = spec.noise != Noise::none;
  std::vector<GoldenRow> rows;
  for (const GoldenRow& row : read_golden(spec)) {
    if (!noisy || row.parameters[3] == 0) rows.push_back(row);  // without clip
  }
  ASSERT_GE(rows.size(), 100u);
  for (const GoldenRow& row : rows) {
    // The same row in every lane, but for the last.
    constexpr std::size_t units = 37;
    std::vector<T> x(units, static_cast<T>(row.inputs[0])), p(units, T{1}), y(units), slope(units), by_p(units);
    std::vector<float> noise(units + 64, static_cast<float>(row.noise));
    x.back() = T{0.25};
    GateRows<T> gate{};
    gate.rows = 1;
    gate.units = units;
    gate.x = {x.data(), units};
    gate.y = {y.data(), units};
    gate.slope = {slope.data(), units};
    if (noisy) {
      std::fill(p.begin(), p.end(), static_cast<T>(row.parameters[0]));
      gate.p = p.data();
      gate.alpha = row.parameters[1];
      gate.c = row.parameters[2];
      gate.half_normal = name.starts_with("nah_");
      gate.noise = noise.data();
      gate.by_p = {by_p.data(), units};
    }
    // The kernels take noise as float, and T may round p; what that may change is left to the tolerance's scale.
    const double inexact = noisy && static_cast<double>(static_cast<float>(row.noise)) != row.noise ? 1e-6 : 0;
    const auto check = [&](double got, double want, double scale, const char* what) {
      const double least = static_cast<double>(std::numeric_limits<T>::min());
      const double rounded_x = 1 + std::fabs(row.inputs[0]);  // what rounding x changes, far out
      const double bound = Tolerance<T>::value * std::max(rounded_x * std::fabs(want), scale) + inexact * scale + least;
      EXPECT_LE(std::fabs(got - want), bound) << what << " at " << row.inputs[0] << ": " << got << ", not " << want;
    };
    const double terms = noisy ? 1 + std::fabs(row.inputs[0]) + gate.c * (1 + std::fabs(row.noise)) : 0;
    gate_kernels<T>().forward[static_cast<std::size_t>(way)](gate);
    for (std::size_t j = 0; j + 1 < units; j += 12) check(y[j], row.value, terms, "forward");
    const T alone = y.back();
    gate_kernels<T>().backward[static_cast<std::size_t>(way)](gate);
    EXPECT_EQ(y.back(), alone);
    const double slopes = terms * (noisy ? 1 + std::fabs(row.parameters[0]) : 0);
    for (std::size_t j = 0; j + 1 < units; j += 12) {
      check(y[j], row.value, terms, "value");
      check(slope[j], row.derivatives[0], slopes, "slope");
      if (noisy) check(by_p[j], row.derivatives[1], slopes, "by p");
    }
  }
}

template <class T>
void check_gates() {
  for (const std::string& target : targets()) {
    SCOPED_TRACE(target);
    const OnTarget on(target);
    check_gate<T>("sigmoid", Way::sigmoid);
    check_gate<T>("tanh", Way::tanh);
    for (const std::string kind : {"nan_", "nah_"}) {
      check_gate<T>(kind + "sigmoid", Way::noisy_sigmoid);
      check_gate<T>(kind + "tanh", Way::noisy_tanh);
      check_gate<T>(kind + "hard_sigmoid", Way::noisy_hard_sigmoid);
      check_gate<T>(kind + "hard_tanh", Way::noisy_hard_tanh);
    }
  }
}
TEST(RecurrentStep, ActivationsAreGoldenInDouble) { check_gates<double>(); }
TEST(RecurrentStep, ActivationsAreGoldenInFloat) { check_gates<float>(); }

struct GoldenCell {
  std::string cell;
  std::vector<std::string> functions;
  std::vector<std::vector<double>> rows;
};
std::vector<GoldenCell> read_cells() {
  std::ifstream file(golden_directory() / "cells" / "cells.golden");
  std::vector<GoldenCell> cells;
  std::string line, word;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    if (line.starts_with("# cell: ")) {
      cells.push_back({line.substr(8), {}, {}});
    } else if (line.starts_with("# functions: ")) {
      words >> word >> word;
      while (words >> word) cells.back().functions.push_back(word);
    } else if (!line.starts_with("#")) {
      cells.back().rows.emplace_back();
      double value;
      while (words >> value) cells.back().rows.back().push_back(value);
    }
  }
  return cells;
}

// A step of one unit per golden row would leave vectors empty: all rows are units of one step.
template <class T>
void check_cell(const GoldenCell& golden) {
  SCOPED_TRACE(golden.cell + " " + golden.functions[0]);
  const std::size_t units = golden.rows.size(), slots = golden.functions.size();
  const bool lstm = golden.cell == "lstm", minimal = golden.cell == "mgu";
  const std::size_t sums = lstm || !minimal ? 4 : 3, own = lstm ? 8 : sums + 1, results = lstm ? 2 : 1;
  const std::size_t arguments = own + slots;
  const auto column = [&](std::size_t k) {
    std::vector<T> all(units);
    for (std::size_t j = 0; j < units; ++j) all[j] = static_cast<T>(golden.rows[j][k]);
    return all;
  };
  std::vector<T> x, peephole, before = column(sums), h(units), c(units);
  for (std::size_t k = 0; k < sums; ++k) {
    const std::vector<T> one = column(k);
    x.insert(x.end(), one.begin(), one.end());
  }
  for (std::size_t k = 5; lstm && k < 8; ++k) {
    const std::vector<T> one = column(k);
    peephole.insert(peephole.end(), one.begin(), one.end());
  }
  std::vector<Gate<T>> gates;
  std::size_t learned = 0;
  for (std::size_t k = 0; k < slots; ++k) {
    const std::vector<T> p = column(own + k);
    std::vector<std::vector<double>> values;
    if (golden.functions[k].starts_with("na")) values.emplace_back(p.begin(), p.end());
    learned += values.size();
    gates.emplace_back(Activation(golden.functions[k]), values);
  }
  Step<T> step{};
  step.units = units;
  step.gates = gates.data();
  step.mode = Mode::evaluation;
  step.sums = x.data();
  step.before = before.data();
  step.peephole = lstm ? peephole.data() : nullptr;
  step.c = c.data();
  step.h = h.data();
  if (lstm) {
    lstm_forward(step, 0, 1);
  } else {
    gru_forward(step, minimal, 0, 1);
  }
  for (std::size_t j = 0; j < units; ++j) {
    expect_close<T>(h[j], golden.rows[j][arguments], 1, "h");
    if (lstm) expect_close<T>(c[j], golden.rows[j][arguments + 1], 1, "c");
  }
  for (std::size_t r = 0; r < results; ++r) {
    const std::vector<T> one(units, T{1}), none(units, T{0});
    std::vector<T> d_sums(x.size()), d_before(units);
    std::vector<double> totals((learned + (lstm ? 3 : 0)) * units, 0.0);
    step.dh = r == 0 ? one.data() : none.data();
    step.dc = r == 1 ? one.data() : nullptr;
    step.d_sums = d_sums.data();
    step.d_before = d_before.data();
    step.totals = totals.data();
    if (lstm) {
      lstm_backward(step, 0, 1);
    } else {
      gru_backward(step, minimal, 0, 1);
    }
    for (std::size_t j = 0; j < units; ++j) {
      const auto want = [&](std::size_t k) { return golden.rows[j][arguments + results + r * arguments + k]; };
      for (std::size_t k = 0; k < sums; ++k) {
        expect_close<T>(d_sums[k * units + j], want(k), 1, "by pre-activation " + std::to_string(k));
      }
      expect_close<T>(d_before[j], want(sums), 1, "by the state before");
      for (std::size_t k = 0; k < learned; ++k) {
        expect_close<T>(totals[k * units + j], want(own + k), 1, "by p of " + std::to_string(k));
      }
      for (std::size_t k = 0; lstm && k < 3; ++k) {
        expect_close<T>(totals[(learned + k) * units + j], want(5 + k), 1, "by peephole " + std::to_string(k));
      }
    }
  }
}

TEST(RecurrentStep, StepsAreGolden) {
  const std::vector<GoldenCell> cells = read_cells();
  ASSERT_EQ(cells.size(), 12u);
  for (const std::string& target : targets()) {
    SCOPED_TRACE(target);
    const OnTarget on(target);
    for (const GoldenCell& cell : cells) {
      ASSERT_EQ(cell.rows.size(), 8u);
      check_cell<double>(cell);
      check_cell<float>(cell);
    }
  }
}

// Rows in several pieces, of several calls, draw the noise that the whole step draws.
TEST(RecurrentStep, NoiseGoesByElement) {
  const std::size_t rows = 50, units = 37;
  std::vector<Gate<float>> gates;
  for (const char* name : {"nan_sigmoid", "nah_sigmoid", "nan_tanh", "nan_sigmoid", "nah_tanh"}) {
    gates.emplace_back(Activation(name), std::vector<std::vector<double>>{std::vector<double>(units, 0.7)});
  }
  std::vector<float> sums(rows * 4 * units), before(rows * units, 0.5F), c(rows * units), h(rows * units),
      c2(rows * units), h2(rows * units);
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = static_cast<float>(std::sin(static_cast<double>(i))) * 4;
  Step<float> step{};
  step.units = units;
  step.gates = gates.data();
  step.mode = Mode::training;
  step.noise = {5, 9};
  step.sums = sums.data();
  step.before = before.data();
  step.c = c.data();
  step.h = h.data();
  lstm_forward(step, 0, rows);
  step.c = c2.data();
  step.h = h2.data();
  for (std::size_t r = 0; r < rows; ++r) lstm_forward(step, r, r + 1);
  EXPECT_EQ(h, h2);
  EXPECT_EQ(c, c2);
  step.noise.call += calls_a_step;
  lstm_forward(step, 0, rows);
  EXPECT_NE(h, h2);
}

}  // namespace
}  // namespace ogee::test
