// The row kernels of every function: any length and alignment, the same bits from a vector and from the ragged end, the
// same bits on every target with a fused multiply-add, second derivatives against the reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>

#include "kernels.h"

namespace ogee::test {
namespace {

class Rows : public testing::TestWithParam<const Function*> {
 protected:
  const Function& function() const { return *GetParam(); }
  const Spec& spec() const { return spec_of(function()); }

  // Random arguments that keep off the kinks' exact places by being random.
  template <class T>
  Columns<T> arguments(std::size_t n, unsigned seed) const {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal(0, 2);
    std::uniform_real_distribution<double> uniform(0.01, 0.99);
    Columns<T> columns;
    columns.inputs.resize(spec().inputs);
    for (auto& input : columns.inputs) {
      for (std::size_t i = 0; i < n; ++i) input.push_back(static_cast<T>(normal(random)));
    }
    for (const Parameter& p : spec().parameters) {
      auto& column = columns.parameters.emplace_back();
      for (std::size_t i = 0; i < n; ++i) {
        const double value = p.value + (p.role == Role::learned ? 0.2 * uniform(random) : 0.0);
        column.push_back(static_cast<T>(value));
      }
    }
    for (std::size_t i = 0; i < n; ++i) {
      // As the generator makes it: a float.
      const double e = spec().noise == Noise::uniform ? uniform(random) : normal(random) / 2;
      columns.noise.push_back(static_cast<T>(static_cast<float>(e)));
    }
    return columns;
  }
};

template <class T>
bool same_bits(T a, T b) {
  // The bits are the question: -0 is not 0 here.
  const bool same = std::memcmp(&a, &b, sizeof(T)) == 0;  // NOLINT(bugprone-suspicious-memory-comparison)
  return same || (std::isnan(a) && std::isnan(b));
}

template <class T>
Columns<T> part(const Columns<T>& whole, std::size_t begin, std::size_t n) {
  Columns<T> piece;
  const auto cut = [&](const std::vector<T>& v) {
    return std::vector<T>(v.begin() + static_cast<std::ptrdiff_t>(begin),
                          v.begin() + static_cast<std::ptrdiff_t>(begin + n));
  };
  for (const auto& v : whole.inputs) piece.inputs.push_back(cut(v));
  for (const auto& v : whole.parameters) piece.parameters.push_back(cut(v));
  piece.noise = cut(whole.noise);
  return piece;
}

TEST_P(Rows, EveryLengthGivesTheSameBits) {
  const std::size_t n = 70;
  const Columns<float> whole = arguments<float>(n, 1);
  for (const std::string& target : targets()) {
    SCOPED_TRACE(target);
    const OnTarget on(target);
    const Results<float> expected = run_rows(function(), whole);
    for (std::size_t length = 0; length <= 35; ++length) {
      for (const std::size_t begin : {std::size_t{0}, std::size_t{1}, std::size_t{3}, n - length}) {
        const Results<float> got = run_rows(function(), part(whole, begin, length));
        for (std::size_t i = 0; i < length; ++i) {
          ASSERT_TRUE(same_bits(got.value[i], expected.value[begin + i])) << length << " from " << begin << " at " << i;
          for (std::size_t k = 0; k < got.derivatives.size(); ++k) {
            ASSERT_TRUE(same_bits(got.derivatives[k][i], expected.derivatives[k][begin + i]))
                << length << " from " << begin << " at " << i << ", derivative " << k;
          }
        }
      }
    }
  }
}

// As layers call: parameters shared by all elements, gradients of the inputs alone and with the parameters' sums.
struct Shared {
  std::vector<float> value;
  std::vector<std::vector<float>> slopes, slopes_with_sums;
};
Shared run_shared(const Function& function, const Columns<float>& columns) {
  const std::size_t n = columns.size(), inputs = columns.inputs.size(), parameters = columns.parameters.size();
  Shared results{std::vector<float>(n), {}, {}};
  kernels::Row<float> row = row_of(columns);
  std::vector<double> sums(parameters);
  for (std::size_t k = 0; k < parameters; ++k) row.parameter[k] = {nullptr, columns.parameters[k].front()};
  row.y = results.value.data();
  run_kernel(function, kernels_of<float>(function).forward, row, n);
  row.y = nullptr;
  const std::vector<float> ones(n, 1.0F);
  row.dy = ones.data();
  results.slopes.assign(inputs, std::vector<float>(n));
  for (std::size_t k = 0; k < inputs; ++k) row.dx[k] = results.slopes[k].data();
  run_kernel(function, kernels_of<float>(function).backward, row, n);
  results.slopes_with_sums = results.slopes;
  for (std::size_t k = 0; k < inputs; ++k) row.dx[k] = results.slopes_with_sums[k].data();
  for (std::size_t k = 0; k < parameters; ++k) row.sum[k] = &sums[k];
  run_kernel(function, kernels_of<float>(function).backward_all, row, n);
  return results;
}

// Quick forms leave what they do not serve to the definition: for that element, not for those beside it. So an
// example's results do not depend on what else is in its batch.
TEST_P(Rows, NeighboursDoNotMatter) {
  const std::size_t n = 3000;
  Columns<float> whole = arguments<float>(n, 4);
  for (auto& p : whole.parameters) std::fill(p.begin(), p.end(), p.front());
  std::mt19937 random(5);
  for (auto& input : whole.inputs)
    for (std::size_t i = 0; i < n; ++i)
      if (random() % 8 == 0) input[i] = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
  for (const std::string& target : targets()) {
    SCOPED_TRACE(target);
    const OnTarget on(target);
    const Shared expected = run_shared(function(), whole);
    for (const std::size_t begin : {1, 3, 7}) {
      const Shared got = run_shared(function(), part(whole, begin, n - begin));
      for (std::size_t i = 0; i < n - begin; ++i) {
        ASSERT_TRUE(same_bits(got.value[i], expected.value[begin + i])) << "value at " << whole.inputs[0][begin + i];
        for (std::size_t k = 0; k < whole.inputs.size(); ++k) {
          ASSERT_TRUE(same_bits(got.slopes[k][i], expected.slopes[k][begin + i]))
              << "slope " << k << " at " << whole.inputs[0][begin + i];
          ASSERT_TRUE(same_bits(got.slopes_with_sums[k][i], expected.slopes_with_sums[k][begin + i]))
              << "slope " << k << " beside sums at " << whole.inputs[0][begin + i];
        }
      }
    }
  }
}

// Whether two results are the same bits, or, of floats, as near as two of the contract's results can be: vectors have
// quick forms for some functions, AVX-512 for more. (How near each is to the truth is accuracy_test.cc's matter.)
template <class T>
bool same_or_near(T a, T b, double unit_of) {
  if (same_bits(a, b)) return true;
  if (sizeof(T) != 4 || !(std::fabs(a) < infinity && std::fabs(b) < infinity)) return false;
  const double size = std::max({std::fabs(double{a}), std::fabs(double{b}), unit_of, 0x1p-126});
  return std::fabs(double{a} - double{b}) <= 8 * std::ldexp(1.0, std::ilogb(size) - 23);
}

// Vectors of 16, of 8 and one number at a time run the same operations; the old targets without a fused multiply-add
// round differently. Vectors may have quick forms of float32, and tables for primitives.
template <class T>
void expect_same_on_all_targets(const Function& function, const Columns<T>& columns) {
  std::vector<Results<T>> results;
  std::vector<std::string> names;
  for (const std::string& target : targets()) {
    if (target == "SSE4" || target == "SSSE3") continue;
    const OnTarget on(target);
    results.push_back(run_rows(function, columns));
    names.push_back(target);
  }
  for (std::size_t t = 1; t < results.size(); ++t) {
    const Results<T>&first = results[t - 1], &second = results[t];
    for (std::size_t i = 0; i < columns.size(); ++i) {
      // A noisy function's terms cancel where they will.
      std::vector<double> p;
      for (const auto& column : columns.parameters) p.push_back(column[i]);
      const double x = columns.inputs[0][i];
      const double term = function.reference.largest_term(&x, p.data(), columns.noise[i], nullptr);
      ASSERT_TRUE(same_or_near(first.value[i], second.value[i], term))
          << names[t - 1] << " " << first.value[i] << ", " << names[t] << " " << second.value[i] << " at "
          << columns.inputs[0][i];
      for (std::size_t k = 0; k < second.derivatives.size(); ++k) {
        // Near a root the terms that cancel count, which are about 1 for one input and the other input for two.
        const double terms = columns.inputs.size() == 2 ? std::fabs(double{columns.inputs[1][i]}) : 1.0;
        ASSERT_TRUE(same_or_near(first.derivatives[k][i], second.derivatives[k][i], 0.1 * terms))
            << names[t - 1] << ", " << names[t] << ": derivative " << k << " at " << columns.inputs[0][i];
      }
    }
  }
}

TEST_P(Rows, EveryTargetGivesTheSameBits) {
  expect_same_on_all_targets(function(), arguments<float>(4000, 2));
  expect_same_on_all_targets(function(), arguments<double>(1000, 3));
}

TEST_P(Rows, SecondDerivativesAgreeWithTheReference) {
  const std::size_t n = 200, inputs = spec().inputs, total = inputs + spec().parameters.size();
  const Columns<double> columns = arguments<double>(n, 4);
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  const auto draw = [&] {
    std::vector<double> v;
    for (std::size_t i = 0; i < n; ++i) v.push_back(normal(random));
    return v;
  };
  const std::vector<double> dy = draw();
  std::vector<std::vector<double>> along;
  for (std::size_t k = 0; k < total; ++k) along.push_back(draw());
  for (const std::string& target : targets()) {
    SCOPED_TRACE(target);
    const OnTarget on(target);
    kernels::Row<double> row = row_of(columns);
    std::vector<std::vector<double>> flow(total, std::vector<double>(n));
    std::vector<double> ddy(n);
    row.dy = dy.data();
    row.ddy = ddy.data();
    for (std::size_t k = 0; k < inputs; ++k) {
      row.ddx[k] = along[k].data();
      row.dx[k] = flow[k].data();
    }
    for (std::size_t k = inputs; k < total; ++k) {
      row.ddp[k - inputs] = {along[k].data(), 0};
      row.elements[k - inputs] = flow[k].data();
    }
    run_kernel(function(), kernels_of<double>(function()).second, row, n);
    for (std::size_t i = 0; i < n; ++i) {
      std::vector<double> x, p;
      for (const auto& v : columns.inputs) x.push_back(v[i]);
      for (const auto& v : columns.parameters) p.push_back(v[i]);
      std::vector<double> v, one(total, 0.0);
      for (std::size_t k = 0; k < total; ++k) v.push_back(along[k][i]);
      const auto& reference = function().reference;
      const double e = columns.noise[i];
      const double t = reference.derivative(x.data(), p.data(), e, Mode::training, v.data());
      EXPECT_NEAR(ddy[i], t, 1e-9 * std::max(1.0, std::fabs(t)));
      for (std::size_t j = 0; j < total; ++j) {
        one[j] = 1;
        const double s = dy[i] * reference.second(x.data(), p.data(), e, Mode::training, v.data(), one.data());
        EXPECT_NEAR(flow[j][i], s, 1e-9 * std::max(1.0, std::fabs(s))) << "argument " << j << " at " << x[0];
        one[j] = 0;
      }
      if (HasFailure()) return;
    }
  }
}

// The gradient of a parameter shared by the whole row is the sum of the elements' gradients.
TEST_P(Rows, SharedParametersGetTheSum) {
  if (spec().parameters.empty()) GTEST_SKIP() << "no parameters";
  const std::size_t n = 101;
  Columns<double> columns = arguments<double>(n, 6);
  for (auto& p : columns.parameters) std::fill(p.begin(), p.end(), p.front());
  for (const std::string& target : targets()) {
    const OnTarget on(target);
    const Results<double> each = run_rows(function(), columns);
    kernels::Row<double> row = row_of(columns);
    const std::vector<double> ones(n, 1.0);
    std::vector<std::vector<double>> dx(spec().inputs, std::vector<double>(n));
    std::vector<double> sums(spec().parameters.size(), 10.0);  // added to
    row.dy = ones.data();
    for (std::size_t k = 0; k < dx.size(); ++k) row.dx[k] = dx[k].data();
    for (std::size_t k = 0; k < sums.size(); ++k) {
      row.parameter[k] = {nullptr, columns.parameters[k].front()};
      row.sum[k] = &sums[k];
    }
    run_kernel(function(), kernels_of<double>(function()).backward_all, row, n);
    for (std::size_t k = 0; k < sums.size(); ++k) {
      double expected = 10, size = 10;
      for (double d : each.derivatives[spec().inputs + k]) {
        expected += d;
        size += std::fabs(d);
      }
      EXPECT_NEAR(sums[k], expected, 1e-13 * size) << target << " " << spec().parameters[k].name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Rows, testing::ValuesIn(functions().begin(), functions().end()),
                         [](const auto& info) { return std::string(spec_of(*info.param).name); });

}  // namespace
}  // namespace ogee::test
