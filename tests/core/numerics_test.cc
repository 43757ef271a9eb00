// Defects that other libraries had in their issue trackers, each a test here; and the rules that hold for every
// function: NaN in, NaN out; limits at infinity.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels.h"

namespace ogee::test {
namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

float value(const std::string& activation, float x) {
  float y = 0;
  forward<float>(Activation(activation), {&x, 1}, {&y, 1});
  return y;
}
float slope(const std::string& activation, float x) {
  const float one = 1;
  float dx = 0;
  backward<float>(Activation(activation), {&x, 1}, {&one, 1}, {&dx, 1});
  return dx;
}
// Relative to the exact value, in units of 2^-23.
void expect_relative(float got, double exact, double units = 8) {
  EXPECT_NEAR(got, exact, units * 0x1p-23 * std::max(std::fabs(exact), 0x1p-126)) << "exactly " << exact;
}

class EveryTarget : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { use_target(GetParam()); }
  void TearDown() override { use_target(""); }
};

// s(1-s) is 0 where s rounds to 1.
TEST_P(EveryTarget, SigmoidSlopeInTheRightTail) {
  for (float x : {17.5f, 20.0f, 40.0f, 80.0f}) {
    const double e = std::exp(-double{x});
    expect_relative(slope("sigmoid", x), e / ((1 + e) * (1 + e)));
    expect_relative(slope("sigmoid", -x), e / ((1 + e) * (1 + e)));
  }
}

// 1-t^2 likewise.
TEST_P(EveryTarget, TanhSlopeFarOut) {
  for (float x : {9.1f, 15.0f, 30.0f, 43.0f}) {
    expect_relative(slope("tanh", x), 1 / (std::cosh(double{x}) * std::cosh(double{x})));
    expect_relative(slope("tanh", -x), 1 / (std::cosh(double{x}) * std::cosh(double{x})));
  }
}

// 1 + erf(x/sqrt 2) has no bits left below -5.
TEST_P(EveryTarget, GeluNegativeTail) {
  for (float x : {-4.0f, -6.0f, -9.0f, -12.0f}) {
    expect_relative(value("gelu", x), double{x} * 0.5 * std::erfc(-double{x} / std::sqrt(2.0)));
  }
}

// exp(x) - 1 has no bits left near 0.
TEST_P(EveryTarget, EluNearZero) {
  for (float x : {-1e-8f, -1e-6f, -1e-3f, -1e-30f}) {
    expect_relative(value("elu", x), std::expm1(double{x}));
    expect_relative(value("celu", x), std::expm1(double{x}));
    expect_relative(value("selu", x), 1.7580993408473768599 * std::expm1(double{x}));
  }
}

// No threshold beyond which softplus is taken for x, no NaN from infinity minus infinity.
TEST_P(EveryTarget, SoftplusAndLogSigmoidFarOut) {
  EXPECT_EQ(value("softplus", inf), inf);
  EXPECT_EQ(value("softplus", -inf), 0);
  EXPECT_EQ(slope("softplus", inf), 1);
  EXPECT_EQ(slope("softplus", -inf), 0);
  EXPECT_EQ(value("log_sigmoid", inf), 0);
  EXPECT_EQ(value("log_sigmoid", -inf), -inf);
  EXPECT_EQ(slope("log_sigmoid", inf), 0);
  EXPECT_EQ(slope("log_sigmoid", -inf), 1);
  for (float x : {-100.0f, -50.0f, -20.0f, 20.0f, 21.0f, 100.0f, 1e30f}) {
    expect_relative(value("softplus", x),
                    x > 0 ? x + std::log1p(std::exp(-double{x})) : std::log1p(std::exp(double{x})), 16);
    EXPECT_FALSE(std::isnan(slope("softplus", x)));
    EXPECT_FALSE(std::isnan(slope("log_sigmoid", x)));
  }
  expect_relative(value("softplus(beta=2)", 20.5f), 20.5 + std::log1p(std::exp(-41.0)) / 2);
}

TEST_P(EveryTarget, NanIsNotSwallowed) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    for (const Mode mode : {Mode::training, Mode::evaluation}) {
      for (std::size_t which = 0; which < spec.inputs; ++which) {
        Columns<float> columns;
        for (std::size_t k = 0; k < spec.inputs; ++k) columns.inputs.push_back({0.5f, k == which ? nan : 0.5f, 0.5f});
        for (const Parameter& p : spec.parameters) columns.parameters.emplace_back(3, static_cast<float>(p.value));
        columns.noise.assign(3, 0.4f);
        const Results<float> r = run_rows(*f, columns, mode);
        EXPECT_TRUE(std::isnan(r.value[1])) << spec.name;
        EXPECT_FALSE(std::isnan(r.value[0])) << spec.name;
        for (std::size_t k = 0; k < r.derivatives.size(); ++k) {
          EXPECT_TRUE(std::isnan(r.derivatives[k][1])) << spec.name << " derivative " << k;
          EXPECT_FALSE(std::isnan(r.derivatives[k][2])) << spec.name << " derivative " << k;
        }
      }
    }
  }
}

// At infinity the kernels give what the reference gives, which the next test holds against far values.
TEST_P(EveryTarget, LimitsAtInfinity) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    if (spec.inputs != 1) continue;
    Columns<float> columns;
    columns.inputs = {{inf, -inf}};
    for (const Parameter& p : spec.parameters) columns.parameters.emplace_back(2, static_cast<float>(p.value));
    columns.noise.assign(2, static_cast<float>(spec.noise_at_evaluation));
    const Results<float> r = run_rows(*f, columns, Mode::evaluation);
    Activation activation(*f);
    for (const Parameter& p : spec.parameters) activation.set(p.name, static_cast<float>(p.value));
    for (std::size_t i = 0; i < 2; ++i) {
      const double x = columns.inputs[0][i];
      const Exact exactly = exact(activation, {&x, 1}, 0, Mode::evaluation);
      const auto same = [](float got, double wanted) {
        return std::isnan(wanted)   ? std::isnan(got)
               : std::isinf(wanted) ? static_cast<double>(got) == wanted
                                    : std::fabs(static_cast<double>(got) - wanted) <= 4e-7 * std::fabs(wanted);
      };
      EXPECT_TRUE(same(r.value[i], exactly.value))
          << spec.name << "(" << x << ") = " << r.value[i] << ", expected " << exactly.value;
      EXPECT_TRUE(same(r.derivatives[0][i], exactly.derivatives[0]))
          << spec.name << "'(" << x << ") = " << r.derivatives[0][i] << ", expected " << exactly.derivatives[0];
    }
  }
}

// A function that is finite and settled far out has that value at infinity, and no NaN.
TEST(Limits, AreThoseOfFarValues) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    if (spec.inputs != 1) continue;
    const Activation activation(*f);
    for (const double side : {-1.0, 1.0}) {
      const double far = side * 1e15, farther = side * 1e16, end = side * infinity;
      const double a = exact(activation, {&far, 1}, 0, Mode::evaluation).value;
      const double b = exact(activation, {&farther, 1}, 0, Mode::evaluation).value;
      const double limit = exact(activation, {&end, 1}, 0, Mode::evaluation).value;
      if (std::fabs(a - b) < 1e-9) {
        EXPECT_NEAR(limit, b, 1e-9) << spec.name << " at " << end;
      } else if (std::fabs(b) > 5 * std::fabs(a) && spec.name != "gcu") {
        EXPECT_EQ(limit, b > 0 ? infinity : -infinity) << spec.name << " at " << end;
      }
      const double slope_far = exact(activation, {&farther, 1}, 0, Mode::evaluation).derivatives[0];
      const double slope_limit = exact(activation, {&end, 1}, 0, Mode::evaluation).derivatives[0];
      const double slope_near = exact(activation, {&far, 1}, 0, Mode::evaluation).derivatives[0];
      if (std::fabs(slope_far - slope_near) < 1e-9) {
        EXPECT_NEAR(slope_limit, slope_far, 1e-9) << spec.name << "' at " << end;
      }
    }
  }
}

// A gate that is only small lets infinity through, one that is closed does not: float32 kernels and double ones, by
// which they are measured, agree where it closes.
TEST_P(EveryTarget, GatesCloseAlike) {
  Columns<float> narrow;
  narrow.inputs.resize(2);
  const auto add = [&](double a) {
    for (float b : {inf, -inf}) {
      narrow.inputs[0].push_back(static_cast<float>(a));
      narrow.inputs[1].push_back(b);
    }
  };
  for (int i = 0; i < 400; ++i) {
    add(-36 - 0.01 * i);  // exp(-a^2/2)
    add(-700 - 0.2 * i);  // exp(a)
    add(-410 - 0.1 * i);  // exp(1.702 a)
  }
  add(-inf);
  const std::size_t n = narrow.inputs[0].size();
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    if (spec.inputs != 2) continue;
    narrow.parameters.clear();
    Columns<double> wide;
    for (const auto& column : narrow.inputs) wide.inputs.emplace_back(column.begin(), column.end());
    for (const Parameter& p : spec.parameters) {
      narrow.parameters.emplace_back(n, static_cast<float>(p.value));
      wide.parameters.emplace_back(n, static_cast<float>(p.value));
    }
    narrow.noise.assign(n, 0);
    wide.noise.assign(n, 0);
    const std::vector<float> got = run_rows(*f, narrow).value;
    const std::vector<double> exact = run_rows(*f, wide).value;
    for (std::size_t i = 0; i < n; ++i) {
      const bool same = std::isnan(exact[i])   ? std::isnan(got[i])
                        : std::isinf(exact[i]) ? static_cast<double>(got[i]) == exact[i]
                                               : std::isfinite(got[i]);
      ASSERT_TRUE(same) << spec.name << "(" << narrow.inputs[0][i] << ", " << narrow.inputs[1][i] << ") = " << got[i]
                        << ", in double " << exact[i];
    }
  }
}

// A vector's lanes and the elements left over at its end must agree: one array, every length (also in rows_test.cc).
TEST_P(EveryTarget, VectorAndTailAgree) {
  std::vector<float> x(33, -1.7f), y(33);
  for (const char* name : {"gelu", "mish", "tanh", "softplus", "atlu"}) {
    for (std::size_t n = 1; n <= x.size(); ++n) {
      forward<float>(Activation(name), std::span<const float>(x).first(n), std::span<float>(y).first(n));
      for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(y[i], y[0]) << name;
    }
  }
}

// Backward needs the input, not the output: with a negative slope, or ELU's alpha negative, the output's sign says
// nothing about the input's. Here the result may overwrite x, because backward takes its own copy of x.
TEST_P(EveryTarget, NegativeSlopesInPlace) {
  std::vector<float> x{-2, 3}, dy{1, 1}, dx(2);
  backward<float>(Activation("leaky_relu(slope=-0.5)"), x, dy, dx);
  EXPECT_EQ(dx, (std::vector<float>{-0.5f, 1}));
  backward<float>(Activation("elu(alpha=-1)"), x, dy, dx);
  EXPECT_FLOAT_EQ(dx[0], -std::exp(-2.0f));
  forward<float>(Activation("leaky_relu(slope=-0.5)"), x, x);
  EXPECT_EQ(x, (std::vector<float>{1, 3}));
}

TEST_P(EveryTarget, HardSigmoidAtTheCorners) {
  EXPECT_EQ(slope("hard_sigmoid", 3.0f), 0);
  EXPECT_EQ(slope("hard_sigmoid", -3.0f), 0);
  EXPECT_FLOAT_EQ(slope("hard_sigmoid", 2.9999f), 1.0f / 6);
  EXPECT_FLOAT_EQ(slope("hard_sigmoid", -2.9999f), 1.0f / 6);
  EXPECT_EQ(value("hard_sigmoid", -3.5f), 0);
  EXPECT_EQ(value("hard_sigmoid", 3.5f), 1);
}

// hard_swish'' is 1/3 inside, 0 outside.
TEST_P(EveryTarget, HardSwishDoubleBackward) {
  for (const auto& [x, expected] : {std::pair(1.0, 1.0 / 3), {-2.0, 1.0 / 3}, {4.0, 0.0}, {-4.0, 0.0}}) {
    EXPECT_NEAR(exact_second(Activation("hard_swish"), {&x, 1}, 0)[0], expected, 1e-15);
    const double dy = 1, v = 1, p = 0;
    (void)p;
    double dx = -1, ddy = -1;
    const Activation a("hard_swish");
    Call call;
    call.function = &a.function();
    call.type = Type::float64;
    call.length = 1;
    call.input[0] = {&x};
    call.dy = {&dy};
    call.ddx[0] = {&v};
    call.dx[0] = {&dx};
    call.ddy = {&ddy};
    second(call);
    EXPECT_NEAR(dx, expected, 1e-15);
  }
}

TEST_P(EveryTarget, BfloatGeluBeyondTen) {
  for (float x : {-100.0f, -20.0f, -10.5f, 10.5f, 20.0f, 3e38f}) {
    bfloat16 in, out;
    convert(std::span<const float>(&x, 1), std::span<bfloat16>(&in, 1));
    forward<bfloat16>(Activation("gelu"), {&in, 1}, {&out, 1});
    float y, wide;
    convert(std::span<const bfloat16>(&out, 1), std::span<float>(&y, 1));
    convert(std::span<const bfloat16>(&in, 1), std::span<float>(&wide, 1));
    EXPECT_FALSE(std::isnan(y));
    if (x > 0) {
      EXPECT_EQ(y, wide);
    } else {
      EXPECT_NEAR(y, 0, 1e-20);
    }
  }
}

// At evaluation the slope is the mean one, every time.
TEST_P(EveryTarget, RreluEvaluation) {
  std::vector<float> x(1000, -1.0f), y(1000, nan);
  forward<float>(Activation("rrelu"), x, y);
  for (float v : y) ASSERT_FLOAT_EQ(v, -(0.125f + 1.0f / 3) / 2);
  forward<float>(Activation("rrelu_inverse"), x, y);
  for (float v : y) ASSERT_FLOAT_EQ(v, -1 / 5.5f);
  RunOptions training;
  training.mode = Mode::training;
  forward<float>(Activation("rrelu"), x, y, training);
  for (float v : y) {
    ASSERT_LE(v, -0.125f);
    ASSERT_GE(v, -1.0f / 3);
  }
}

// max(slope*x, x) is another function when slope > 1.
TEST_P(EveryTarget, LeakySlopeAboveOne) {
  EXPECT_EQ(value("leaky_relu(slope=2)", -1), -2);
  EXPECT_EQ(value("leaky_relu(slope=2)", 1), 1);
  EXPECT_EQ(slope("leaky_relu(slope=2)", -1), 2);
}

// Roots at 0 keep their relative accuracy.
TEST_P(EveryTarget, RootsAtZero) {
  for (float x : {1e-3f, -1e-3f, 1e-2f, 1e-6f, -1e-10f}) {
    const double d = x;
    expect_relative(value("tanhshrink", x), d * d * d / 3 * (1 - 0.4 * d * d));
    expect_relative(value("mish", x), d * std::tanh(std::log1p(std::exp(d))));
    expect_relative(value("silu", x), d / (1 + std::exp(-d)));
    expect_relative(value("phish", x), d * std::tanh(d * 0.5 * std::erfc(-d / std::sqrt(2.0))));
  }
  EXPECT_TRUE(std::signbit(value("tanh", -0.0f)));
  EXPECT_TRUE(std::signbit(value("elu", -0.0f)));
}

// Published evaluation forms of the noisy units.
TEST_P(EveryTarget, EvaluationForms) {
  // NAN keeps alpha h + (1-alpha) u; NAH takes the mean of |xi|, sqrt(2/pi) (Gulcehre et al. 2016).
  EXPECT_FLOAT_EQ(value("nan(base=hard_tanh)", 2), 1.15f * 1 - 0.15f * 2);
  const double s = 1 / (1 + std::exp(-1.0 * (1 - 2))) - 0.5;
  expect_relative(value("nah(base=hard_tanh)", 2), 1.15 - 0.3 + 0.5 * s * s * std::sqrt(2 / std::acos(-1.0)), 32);
  EXPECT_FLOAT_EQ(value("nanil(base=tanh)", 0.7f), std::tanh(0.7f));
  EXPECT_FLOAT_EQ(value("nani(base=sigmoid)", 0.7f), 1 / (1 + std::exp(-0.7f)));
  EXPECT_FLOAT_EQ(value("hard_concrete", 1.0f), 1 / (1 + std::exp(-1.0f)) * 1.2f - 0.1f);
  EXPECT_EQ(value("stochastic_binary", 1e-9f), 1);
  EXPECT_EQ(value("stochastic_binary", -1e-9f), 0);
  EXPECT_FLOAT_EQ(value("gaussian_dropout", 3), 3);
  EXPECT_EQ(value("noisy_relu", -1), 0);
}

// The direction figure of Gulcehre et al. 2016: hard-tanh at x = 4 with half-normal noise. alpha 1.2 starts near 0.4
// and scatters up, alpha 0.9 starts near 1.3 and scatters down... towards the linear range.
TEST_P(EveryTarget, HalfNormalDirection) {
  std::vector<float> x(2000, 4.0f), y(2000);
  RunOptions training;
  training.mode = Mode::training;
  training.noise = {9, 9};
  forward<float>(Activation("nah(base=hard_tanh,alpha=1.2)"), x, y, training);
  EXPECT_NEAR(*std::min_element(y.begin(), y.end()), 0.4f, 1e-3f);
  EXPECT_GT(*std::max_element(y.begin(), y.end()), 0.6f);
  forward<float>(Activation("nah(base=hard_tanh,alpha=0.9)"), x, y, training);
  EXPECT_NEAR(*std::max_element(y.begin(), y.end()), 1.3f, 1e-3f);
  EXPECT_LT(*std::min_element(y.begin(), y.end()), 1.1f);
}

INSTANTIATE_TEST_SUITE_P(Targets, EveryTarget, testing::ValuesIn(targets()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace ogee::test
