// What SIMD hardware may do differently: NaNs of every kind, and subnormal numbers, which nothing may flush to zero.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels.h"

namespace ogee::test {
namespace {

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

// Of both signs, quiet and signalling, with the smallest and the largest payload.
template <class T>
std::vector<T> nans() {
  constexpr Bits<T> infinity = std::bit_cast<Bits<T>>(std::numeric_limits<T>::infinity());
  constexpr Bits<T> quiet = std::bit_cast<Bits<T>>(std::numeric_limits<T>::quiet_NaN()) ^ infinity;
  constexpr Bits<T> sign = Bits<T>{1} << (8 * sizeof(T) - 1);
  std::vector<T> result;
  for (const Bits<T> payload : {Bits<T>{1}, quiet - 1, quiet, quiet | 1, quiet | (quiet - 1)}) {
    result.push_back(std::bit_cast<T>(infinity | payload));
    result.push_back(std::bit_cast<T>(sign | infinity | payload));
  }
  return result;
}

template <class T>
bool same(T a, T b) {
  return std::bit_cast<Bits<T>>(a) == std::bit_cast<Bits<T>>(b);
}

class BitsOf : public testing::TestWithParam<const Function*> {
 protected:
  const Spec& spec() const { return spec_of(*GetParam()); }

  template <class T>
  Columns<T> ordinary(std::size_t n) const {
    Columns<T> columns;
    for (std::size_t k = 0; k < spec().inputs; ++k) {
      auto& input = columns.inputs.emplace_back();
      for (std::size_t i = 0; i < n; ++i) input.push_back(static_cast<T>(0.37 * static_cast<double>(i % 23) - 4));
    }
    for (const Parameter& p : spec().parameters) columns.parameters.emplace_back(n, static_cast<T>(p.value));
    columns.noise.assign(n, T(0.25));
    return columns;
  }

  // One NaN among ordinary numbers, in every lane of a vector and in the ragged end: its own results are NaN, and all
  // others what they are without it.
  template <class T>
  void one_nan_stays_one() const {
    constexpr std::size_t n = 37;
    const Columns<T> clean = ordinary<T>(n);
    const Results<T> expected = run_rows(*GetParam(), clean);
    const std::vector<T> kinds = nans<T>();
    for (std::size_t input = 0; input < spec().inputs; ++input) {
      for (std::size_t at = 0; at < n; ++at) {
        Columns<T> columns = clean;
        columns.inputs[input][at] = kinds[at % kinds.size()];
        const Results<T> got = run_rows(*GetParam(), columns);
        // A closed gate ignores what it would let through: damp(NaN, 0) is 0.
        const bool closed = input == 1 && expected.derivatives[1][at] == 0;
        ASSERT_TRUE(closed || std::isnan(got.value[at])) << "input " << input << ", element " << at;
        for (std::size_t k = 0; k < spec().inputs; ++k) {
          ASSERT_TRUE(std::isnan(got.derivatives[k][at])) << "derivative " << k << ", element " << at;
        }
        for (std::size_t i = 0; i < n; ++i) {
          if (i == at) continue;
          ASSERT_TRUE(same(got.value[i], expected.value[i])) << "a NaN in element " << at << " changed element " << i;
          for (std::size_t k = 0; k < spec().inputs; ++k) {
            ASSERT_TRUE(same(got.derivatives[k][i], expected.derivatives[k][i]) ||
                        std::isnan(expected.derivatives[k][i]))
                << "a NaN in element " << at << " changed derivative " << k << " of element " << i;
          }
        }
      }
    }
  }
};

TEST_P(BitsOf, OneNaNStaysOne) {
  for (const std::string& target : targets()) {
    SCOPED_TRACE(target);
    const OnTarget on(target);
    one_nan_stays_one<float>();
    one_nan_stays_one<double>();
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, BitsOf, testing::ValuesIn(functions().begin(), functions().end()),
                         [](const auto& info) { return std::string(spec_of(*info.param).name); });

class Subnormal : public testing::TestWithParam<std::string> {
 protected:
  const OnTarget on_{GetParam()};
};

// Functions whose exact value at subnormal numbers is known: the number itself or half of it.
template <class T>
void expect_kept(T smallest) {
  std::vector<T> x;
  x.reserve(40);
  for (int k = 0; k < 40; ++k) x.push_back((k % 2 == 0 ? T(2) : T(-2)) * static_cast<T>(k + 1) * smallest);
  ASSERT_NE(x[0], T(0));
  std::vector<T> y(x.size());
  for (const char* name : {"identity", "tanh", "arctan", "softsign", "elu", "isru"}) {
    ogee::forward<T>(Activation(name), x, y);
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(y[i], x[i]) << name << " at " << x[i];
  }
  for (const char* name : {"silu", "gelu", "leaky_relu(slope=0.5)"}) {
    ogee::forward<T>(Activation(name), x, y);
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (name[0] == 'l' && x[i] > 0) continue;
      ASSERT_EQ(y[i], x[i] / 2) << name << " at " << x[i];
    }
  }
  std::vector<T> dx(x.size());
  ogee::backward<T>(Activation("identity"), y, x, dx);
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(dx[i], x[i]) << "a gradient of " << x[i];
}

TEST_P(Subnormal, IsKept) {
  expect_kept(std::numeric_limits<float>::denorm_min());
  expect_kept(std::numeric_limits<double>::denorm_min());
}

INSTANTIATE_TEST_SUITE_P(Targets, Subnormal, testing::ValuesIn(targets()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace ogee::test
