// The primitives of lanes/simd-inl.h in float, on every SIMD target, against long double: the bounds that stand in
// their header. Over every 10007th float.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/primitives_test.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

#define OGEE_SIMD
#define OGEE_WORLD HWY_NAMESPACE
#define OGEE_FN HWY_INLINE
#include "lanes/simd-inl.h"

#ifndef OGEE_PRIMITIVES
#define OGEE_PRIMITIVES(with)                                                                                          \
  with(exp) with(exp_decay) with(expm1) with(log1p) with(log) with(logit) with(sigmoid) with(sigmoid_slope)            \
      with(sech2) with(tanh) with(softplus) with(tanh_shrink) with(bell) with(normal_pdf) with(mills) with(normal_cdf) \
          with(erf) with(atan) with(cauchy) with(arctan_gate) with(arctan_linear) with(arctan_linear_slope)
#endif

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {
namespace {

#define OGEE_OVER_ARRAY(name)                                                                                  \
  void name##_over(const float* x, float* y, std::size_t n) {                                                  \
    using D = hn::ScalableTag<float>;                                                                          \
    const std::size_t lanes = hn::Lanes(D());                                                                  \
    for (std::size_t i = 0; i < n; i += lanes) hn::StoreU(name(Lane<D>{hn::LoadU(D(), x + i)}).v, D(), y + i); \
  }
OGEE_PRIMITIVES(OGEE_OVER_ARRAY)
#undef OGEE_OVER_ARRAY

}  // namespace
}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <string>
#include <vector>

#include "ogee/ogee.h"

namespace ogee {
namespace {

#define OGEE_EXPORT(name) HWY_EXPORT(name##_over);
OGEE_PRIMITIVES(OGEE_EXPORT)
#undef OGEE_EXPORT

using Exact = long double;
constexpr Exact pi = std::numbers::pi_v<Exact>;

Exact exp(Exact x) { return std::exp(x); }
Exact exp_decay(Exact x) { return std::exp(-std::fabs(x)); }
Exact expm1(Exact x) { return std::expm1(x); }
Exact log1p(Exact x) { return std::log1p(x); }
Exact log(Exact x) { return std::log(x); }
// Near 1/2, where the logarithms cancel, of the distance from it.
Exact logit(Exact u) { return std::fabs(u - 0.5L) < 0.25L ? 2 * std::atanh(2 * u - 1) : std::log(u) - std::log1p(-u); }
Exact sigmoid(Exact x) { return 1 / (1 + std::exp(-x)); }
Exact sigmoid_slope(Exact x) {
  const Exact e = exp_decay(x);
  return e / ((1 + e) * (1 + e));
}
Exact sech2(Exact x) { return 4 * sigmoid_slope(2 * x); }
Exact tanh(Exact x) { return std::tanh(x); }
Exact softplus(Exact x) { return std::fmax(x, 0.0L) + std::log1p(exp_decay(x)); }
Exact tanh_shrink(Exact x) {
  if (std::fabs(x) > 0.02L) return x - std::tanh(x);
  const Exact z = x * x;
  return x * z * (1 / 3.0L - z * (2 / 15.0L - z * (17 / 315.0L - z * (62 / 2835.0L))));
}
Exact bell(Exact x) { return std::exp(-x * x); }
Exact normal_pdf(Exact x) { return std::exp(-x * x / 2) / std::sqrt(2 * pi); }
Exact normal_cdf(Exact x) { return std::erfc(-x / std::numbers::sqrt2_v<Exact>) / 2; }
Exact mills(Exact z) { return std::exp(z * z / 2) * normal_cdf(-z); }
Exact erf(Exact x) { return std::erf(x); }
Exact atan(Exact x) { return std::atan(x); }
Exact cauchy(Exact x) { return 1 / (1 + x * x); }
Exact arctan_gate(Exact x) { return std::atan2(1.0L, -x) / pi; }
Exact arctan_linear(Exact x) { return x * arctan_gate(x); }
// Far to the left by the series of the sum, whose terms cancel.
Exact arctan_linear_slope(Exact x) {
  if (x > -100) return arctan_gate(x) + x * cauchy(x) / pi;
  const Exact z = 1 / (x * x);
  return -z / x * (2 / 3.0L - z * (4 / 5.0L - z * (6 / 7.0L - z * (8 / 9.0L)))) / pi;
}

struct Primitive {
  std::string name;
  void (*over)(const float*, float*, std::size_t);
  Exact (*exact)(Exact);
  double bound;                         // in units in the last place, as the header has it
  double low = -3.4e38, high = 3.4e38;  // of the argument
};

double unit_of(Exact value) {
  int exponent = 0;
  std::frexp(std::fmax(std::fabs(value), 0x1p-126L), &exponent);
  return std::ldexp(1.0, exponent - 24);
}

std::string broken(const Primitive& p) {
  // (Finer, and printed, for whoever changes one.)
  const char* const print = std::getenv("OGEE_PRIMITIVES_STRIDE");
  const std::uint64_t stride = print != nullptr ? std::strtoull(print, nullptr, 10) : 10007;
  std::vector<float> x, y;
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += stride) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (value >= p.low && value <= p.high) x.push_back(value);
  }
  while (x.size() % 64 != 0) x.push_back(static_cast<float>(p.low > 0 ? p.high : 0.5));
  y.resize(x.size());
  p.over(x.data(), y.data(), x.size());
  double worst = 0;
  float at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Exact exact = p.exact(x[i]);
    if (std::isinf(static_cast<float>(exact)) && std::isinf(y[i])) continue;
    const auto error = static_cast<double>(std::fabs(y[i] - exact)) / unit_of(exact);
    if (!(error <= worst)) worst = error, at = x[i];
  }
  if (print != nullptr) std::printf("%-20s %.3f at %.9g\n", p.name.c_str(), worst, at);
  return worst <= p.bound ? "" : p.name + ": " + std::to_string(worst) + " units at " + std::to_string(at);
}

TEST(Primitives, KeepTheirHeadersBounds) {
  for (const std::string& target : targets()) {
    use_target(target);
#define OGEE_WITH(name) \
  [](const float* x, float* y, std::size_t n) { HWY_DYNAMIC_DISPATCH(name##_over)(x, y, n); }, name
    const Primitive all[] = {{"exp", OGEE_WITH(exp), 1},
                             {"exp_decay", OGEE_WITH(exp_decay), 1},
                             {"expm1", OGEE_WITH(expm1), 1.5},
                             {"log1p", OGEE_WITH(log1p), 0.9, -0.99999994},
                             {"log", OGEE_WITH(log), 0.9, 0x1p-126, 0x1p127},
                             {"logit", OGEE_WITH(logit), 2.6, 0x1p-24, 0.4},
                             {"sigmoid", OGEE_WITH(sigmoid), 2},
                             {"sigmoid_slope", OGEE_WITH(sigmoid_slope), 1.6},
                             {"sech2", OGEE_WITH(sech2), 1.6},
                             {"tanh", OGEE_WITH(tanh), 1.6},
                             {"softplus", OGEE_WITH(softplus), 1.7},
                             {"tanh_shrink", OGEE_WITH(tanh_shrink), 6},
                             {"bell", OGEE_WITH(bell), 1.5},
                             {"normal_pdf", OGEE_WITH(normal_pdf), 3},
                             {"mills", OGEE_WITH(mills), 6, 0, 39},
                             {"normal_cdf", OGEE_WITH(normal_cdf), 6.5},
                             {"erf", OGEE_WITH(erf), 4.5},
                             {"atan", OGEE_WITH(atan), 1.5},
                             {"cauchy", OGEE_WITH(cauchy), 2},
                             {"arctan_gate", OGEE_WITH(arctan_gate), 2.7},
                             {"arctan_linear", OGEE_WITH(arctan_linear), 4},
                             {"arctan_linear_slope", OGEE_WITH(arctan_linear_slope), 11}};
#undef OGEE_WITH
    for (const Primitive& p : all) EXPECT_EQ(broken(p), "") << target;
  }
  use_target("");
}

}  // namespace
}  // namespace ogee

#endif  // HWY_ONCE
