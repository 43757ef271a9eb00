// float32 against the reference in double, over bit patterns of the whole line, on every SIMD target.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>

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
// The rational function sums over ten coefficients; of two inputs, several terms are added.
double value_bound(const Spec& spec) { return spec.inputs == 2 ? 8 : 6; }
// The slope of a channel's limit is a second derivative, taken from formulas made for first ones.
double slope_bound(const Spec& spec) {
  if (spec.group == "channel_limit") return 64;
  return spec.parameters.size() > 9 ? 64 : spec.inputs == 2 ? 16 : 12;
}

// Of functions made of sines the derivatives oscillate too, so that one of them at x says nothing about rounding x;
// their largest values, 1, 30 and 900 for the frequencies 1 and 30, do.
bool oscillates(const Spec& spec) { return spec.name == "sine" || spec.name.ends_with("snake"); }

// What an error in the value at x is measured against, besides the value.
double value_scale(const Spec& spec, double x, double slope) {
  if (oscillates(spec)) return 30 * std::fabs(x);
  // Left of 0 the default rational function is the small difference of polynomials of this size.
  if (spec.name == "rational") return std::max(std::fabs(x * slope), 0.5 * std::min(1.0, std::fabs(x)));
  return std::fabs(x * slope);
}

// What an error in the derivative at x is measured against, besides the derivative: see error_in_ulp; near a declared
// root, where terms of size 1 cancel, 1.
double slope_scale(const Spec& spec, double x, double curve) {
  if (oscillates(spec)) return std::max(1.0, 900 * std::fabs(x));
  double scale = std::fabs(x * curve);
  for (double root : spec.roots) {
    if (std::fabs(x - root) < 0.05 * std::max(1.0, std::fabs(root))) scale = std::max(scale, 1.0);
  }
  return scale;
}

// Two inputs: random points of the product space, edges included.
void product(const Function& function) {
  const Spec& spec = spec_of(function);
  const Activation activation(function);
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 4);
  std::uniform_int_distribution<int> which(0, 9);
  const float edges[] = {0.0f, -0.0f, 1e-30f, -1e-6f, 1.0f, -1.0f, 7.0f, -30.0f, 30.0f, 1e4f};
  const std::size_t n = 20000;
  Columns<float> columns;
  columns.inputs.resize(2);
  for (auto& input : columns.inputs) {
    for (std::size_t i = 0; i < n; ++i) {
      const int pick = which(random);
      input.push_back(pick == 0 ? edges[static_cast<std::size_t>(which(random))] : normal(random));
    }
  }
  std::vector<double> parameters;
  for (double p : activation.parameters()) {
    columns.parameters.emplace_back(n, static_cast<float>(p));
    parameters.push_back(static_cast<float>(p));
  }
  columns.noise.assign(n, 0.0f);
  const std::size_t total = 2 + parameters.size();
  const auto& reference = function.reference;
  for (const std::string& target : targets()) {
    const OnTarget on(target);
    const Results<float> results = run_rows(function, columns);
    for (std::size_t i = 0; i < n && !testing::Test::HasFailure(); ++i) {
      const double x[] = {columns.inputs[0][i], columns.inputs[1][i]};
      std::vector<std::vector<double>> unit(total, std::vector<double>(total, 0.0));
      std::vector<double> gradient(total);
      for (std::size_t k = 0; k < total; ++k) {
        unit[k][k] = 1;
        gradient[k] = reference.derivative(x, parameters.data(), 0, Mode::training, unit[k].data());
      }
      const double value = reference.value(x, parameters.data(), 0, Mode::training);
      // Each derivative's sensitivity to both inputs; of sines, their amplitude (see oscillates).
      const double wave = spec.name == "channel_limit_sine" ? 27000 * (1 + std::fabs(x[0])) * (1 + std::fabs(x[1])) : 0;
      const double scale = std::fabs(x[0] * gradient[0]) + std::fabs(x[1] * gradient[1]) + wave;
      const double slack = subnormal_slack * (1 + x[0] * x[0]) * (1 + std::fabs(x[1]));
      if (!(std::fabs(results.value[i] - value) <= slack)) {
        EXPECT_LE(error_in_ulp(results.value[i], value, scale), value_bound(spec)) << x[0] << " " << x[1];
      }
      for (std::size_t k = 0; k < total; ++k) {
        // By a parameter of a gate's range: the gate's two ends cancel at the middle.
        double sensitivity = wave + (k >= 2 ? std::fabs(x[1]) * (1 + std::fabs(x[0])) : 0);
        for (std::size_t j = 0; j < 2; ++j) {
          sensitivity += std::fabs(
              x[j] * reference.second(x, parameters.data(), 0, Mode::training, unit[k].data(), unit[j].data()));
        }
        const float got = results.derivatives[k][i];
        if (!(std::fabs(got - gradient[k]) <= slack)) {
          EXPECT_LE(error_in_ulp(got, gradient[k], sensitivity), slope_bound(spec))
              << "derivative " << k << " at " << x[0] << " " << x[1] << ": " << got << ", exactly " << gradient[k];
        }
      }
    }
  }
}

class Float32 : public testing::TestWithParam<const Function*> {};

TEST_P(Float32, AgreesWithTheReference) {
  const Function& function = *GetParam();
  const Spec& spec = spec_of(function);
  if (spec.inputs != 1) return product(function);
  const char* wanted = std::getenv("OGEE_STRIDE");
  const std::uint64_t stride = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 200003;
  Columns<float> columns;
  columns.inputs.resize(1);
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += stride) {
    columns.inputs[0].push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  for (float special :
       {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-45f, -1e-45f, 1.17549435e-38f, 3.4028235e38f, -3.4028235e38f}) {
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
      if (oscillates(spec) && std::fabs(x) > 1e36) continue;  // omega*x overflows
      std::vector<double> along(1 + parameters.size(), 0.0);
      along[0] = 1;
      const auto& reference = function.reference;
      const double* p = parameters.data();
      const double value = reference.value(&x, p, noise, Mode::evaluation);
      const double slope = reference.derivative(&x, p, noise, Mode::evaluation, along.data());
      const double curve = reference.second(&x, p, noise, Mode::evaluation, along.data(), along.data());
      const float got = results.value[i], got_slope = results.derivatives[0][i];
      if (std::isnan(value) || !(std::fabs(got - value) <= subnormal_slack)) {
        EXPECT_LE(error_in_ulp(got, value, value_scale(spec, x, slope)), value_bound(spec))
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
