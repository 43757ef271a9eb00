// float32 against the reference in double, over bit patterns of the whole line, on every SIMD target.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>

#include "kernels.h"

namespace ogee::test {
namespace {

// The size of the error, in units in the last place of a float as large as `scale`. Scale is the larger of the exact
// value and of what a relative change of the input changes, |x f'(x)|: near an isolated root, or where the argument of
// an exponential is large, that is what rounding the input once would do.
double error_in_ulp(float got, double exact, double scale) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : infinity;
  const auto rounded = static_cast<float>(exact);
  if (std::isinf(rounded) || std::isinf(got)) {
    return got == rounded || std::fabs(std::max(std::fabs(exact), scale)) > 3.4e38 ? 0 : infinity;
  }
  if (std::isnan(got)) return infinity;
  if (!(scale < 3.4e38)) scale = 3.4e38;
  const double magnitude = std::max({std::fabs(exact), scale, 1.17549435e-38});
  return std::fabs(static_cast<double>(got) - exact) / std::ldexp(1.0, std::ilogb(magnitude) - 23);
}

// Below this the results' own subnormal steps count (x times a subnormal gate).
constexpr double subnormal_slack = 0x1p-149 * 130;
constexpr double value_bound = 4;
// A derivative of the rational function sums over ten coefficients.
double slope_bound(const Spec& spec) { return spec.parameters.size() > 8 ? 16 : 8; }

// What an error in the derivative at x is measured against, besides the derivative: see error_in_ulp; near a declared
// root, where terms of size 1 cancel, 1.
double slope_scale(const Spec& spec, double x, double curve) {
  if (spec.name == "sine") return 900 * std::fabs(x);  // 30 cos(30 x): the curvature itself oscillates
  double scale = std::fabs(x * curve);
  for (double root : spec.roots) {
    if (std::fabs(x - root) < 0.05 * std::max(1.0, std::fabs(root))) scale = std::max(scale, 1.0);
  }
  return scale;
}

class Float32 : public testing::TestWithParam<const Function*> {};

TEST_P(Float32, AgreesWithTheReference) {
  const Function& function = *GetParam();
  const Spec& spec = spec_of(function);
  if (spec.inputs != 1) GTEST_SKIP() << "two inputs: see Product";
  const char* wanted = std::getenv("OGEE_STRIDE");
  const std::uint64_t stride = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 200003;
  Columns<float> columns;
  columns.inputs.resize(1);
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += stride) {
    columns.inputs[0].push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  for (float special : {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-45f, -1e-45f, 1.17549435e-38f, 3.4028235e38f, -3.4028235e38f}) {
    columns.inputs[0].push_back(special);
  }
  const std::size_t n = columns.size();
  columns.noise.assign(n, static_cast<float>(spec.noise_at_evaluation));
  Activation activation(function);
  for (double p : activation.parameters()) columns.parameters.emplace_back(n, static_cast<float>(p));
  // The reference gets the parameters as floats, too: the question is what the arithmetic adds.
  std::vector<double> parameters;
  for (double p : activation.parameters()) parameters.push_back(static_cast<float>(p));
  const double noise = static_cast<float>(spec.noise_at_evaluation);
  for (const std::string& target : targets()) {
    const OnTarget on(target);
    const Results<float> results = run_rows(function, columns, Mode::evaluation);
    for (std::size_t i = 0; i < n; ++i) {
      const double x = columns.inputs[0][i];
      std::vector<double> along(1 + parameters.size(), 0.0);
      along[0] = 1;
      const auto& reference = function.reference;
      const double* p = parameters.data();
      const double value = reference.value(&x, p, noise, Mode::evaluation);
      const double slope = reference.derivative(&x, p, noise, Mode::evaluation, along.data());
      const double curve = reference.second(&x, p, noise, Mode::evaluation, along.data(), along.data());
      const float got = results.value[i], got_slope = results.derivatives[0][i];
      if (std::isnan(value) || !(std::fabs(got - value) <= subnormal_slack)) {
        EXPECT_LE(error_in_ulp(got, value, std::fabs(x * slope)), value_bound)
            << "value at " << x << ": " << got << ", exactly " << value;
      }
      if (std::isnan(slope) || !(std::fabs(got_slope - slope) <= subnormal_slack)) {
        EXPECT_LE(error_in_ulp(got_slope, slope, slope_scale(spec, x, curve)), slope_bound(spec))
            << "derivative at " << x << ": " << got_slope << ", exactly " << slope;
      }
      if (HasFailure()) break;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Float32, testing::ValuesIn(functions().begin(), functions().end()),
                         [](const auto& info) { return std::string(spec_of(*info.param).name); });

}  // namespace
}  // namespace ogee::test
