// The interface over spans and calls: layouts, types, channels, threads, in place, empty, and what it refuses.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <random>

#include "kernels.h"

namespace ogee::test {
namespace {

std::vector<float> noise_like(std::size_t n, unsigned seed, float scale = 2) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> v(n);
  for (float& x : v) x = normal(random);
  return v;
}

std::vector<const Function*> of_inputs(std::size_t inputs) {
  std::vector<const Function*> list;
  for (const Function* f : functions()) {
    if (spec_of(*f).inputs == inputs) list.push_back(f);
  }
  return list;
}
const auto name_of = [](const auto& info) { return std::string(spec_of(*info.param).name); };

class OneInput : public testing::TestWithParam<const Function*> {};
class TwoInputs : public testing::TestWithParam<const Function*> {};

TEST_P(OneInput, InPlaceAndThreads) {
  const Activation activation(*GetParam());
  for (const std::size_t n : {0, 1, 7, 1000, 70000}) {
    const std::vector<float> x = noise_like(n, 1), dy = noise_like(n, 2);
    std::vector<float> y(n), dx(n);
    RunOptions options;
    options.mode = Mode::training;
    forward<float>(activation, x, y, options);
    backward<float>(activation, x, dy, dx, options);
    options.threads = 2;
    std::vector<float> in_place = x, over_dy = dy, over_x = x;
    forward<float>(activation, in_place, in_place, options);
    EXPECT_EQ(in_place, y);
    backward<float>(activation, x, over_dy, over_dy, options);
    EXPECT_EQ(over_dy, dx);
    backward<float>(activation, over_x, dy, over_x, options);
    EXPECT_EQ(over_x, dx);
  }
}

// Each 16-bit result is the float32 result rounded once.
template <class T>
void expect_rounded(const Activation& activation, const RunOptions& options) {
  const std::size_t n = 3001;
  std::vector<T> x(n), dy(n), y(n), dx(n), expected(n);
  convert(std::span<const float>(noise_like(n, 3)), std::span<T>(x));
  convert(std::span<const float>(noise_like(n, 4)), std::span<T>(dy));
  std::vector<float> wide_x(n), wide_dy(n), wide(n);
  convert(std::span<const T>(x), std::span<float>(wide_x));
  convert(std::span<const T>(dy), std::span<float>(wide_dy));
  const auto equal = [&](const std::vector<T>& got) {
    convert(std::span<const float>(wide), std::span<T>(expected));
    for (std::size_t i = 0; i < n; ++i) {
      if (got[i].bits != expected[i].bits) return false;
    }
    return true;
  };
  forward<T>(activation, x, y, options);
  forward<float>(activation, wide_x, wide, options);
  EXPECT_TRUE(equal(y));
  const auto sums = backward_all<T>(activation, x, dy, dx, options);
  const auto wide_sums = backward_all<float>(activation, wide_x, wide_dy, wide, options);
  EXPECT_TRUE(equal(dx));
  for (std::size_t k = 0; k < sums.size(); ++k) {  // summed in blocks of another size
    EXPECT_NEAR(sums[k][0], wide_sums[k][0], 1e-4 * (1 + std::fabs(wide_sums[k][0])));
  }
}

TEST_P(OneInput, SixteenBitTypes) {
  const Activation activation(*GetParam());
  RunOptions options;
  options.mode = Mode::training;
  options.threads = 2;
  expect_rounded<bfloat16>(activation, options);
  expect_rounded<float16>(activation, options);
}

// Parameters that differ by channel, for an inner, a middle and an outer channel dimension: the same as running each
// channel by itself.
// A parameter that is one value may take a quick form, one that changes within a vector does not: both within the
// contract, not the same bits.
void expect_near(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-6F * (1 + std::fabs(b[i])));
}

TEST_P(OneInput, ChannelwiseParameters) {
  const Activation activation(*GetParam());
  const Spec& spec = activation.spec();
  if (spec.parameters.empty()) GTEST_SKIP() << "no parameters";
  const std::size_t channels = 5;
  for (const std::size_t inner : {1, 3, 63, 64, 200}) {
    const std::size_t outer = 4, n = outer * channels * inner;
    const std::vector<float> x = noise_like(n, 5), dy = noise_like(n, 6);
    RunOptions options;  // at evaluation: the noise goes by element, not by channel
    options.channels = channels;
    options.inner = inner;
    for (const Parameter& p : spec.parameters) {
      auto& values = options.parameters.emplace_back();
      for (std::size_t c = 0; c < channels; ++c) {
        values.push_back(static_cast<float>(p.value + (p.role == Role::learned ? 0.125 * double(c) : 0)));
      }
    }
    std::vector<float> y(n), dx(n), dx_only(n);
    forward<float>(activation, x, y, options);
    const auto sums = backward_all<float>(activation, x, dy, dx, options);
    backward<float>(activation, x, dy, dx_only, options);
    for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(dx[i], dx_only[i], 1e-5f * (1 + std::fabs(dx[i])));
    for (std::size_t c = 0; c < channels; ++c) {
      Activation alone(*GetParam());
      RunOptions plain;
      for (std::size_t k = 0; k < spec.parameters.size(); ++k) plain.parameters.push_back({options.parameters[k][c]});
      std::vector<float> xs, dys, ys, dxs;
      const auto pick = [&](const std::vector<float>& from, std::vector<float>& to) {
        for (std::size_t i = 0; i < n; ++i) {
          if (i / inner % channels == c) to.push_back(from[i]);
        }
      };
      pick(x, xs);
      pick(dy, dys);
      pick(y, ys);
      pick(dx, dxs);
      std::vector<float> expected(xs.size());
      forward<float>(alone, xs, expected, plain);
      expect_near(ys, expected);
      const auto alone_sums = backward_all<float>(alone, xs, dys, expected, plain);
      expect_near(dxs, expected);
      for (std::size_t k = 0; k < sums.size(); ++k) {
        EXPECT_NEAR(sums[k][c], alone_sums[k][0], 1e-4 * (1 + std::fabs(alone_sums[k][0]))) << spec.parameters[k].name;
      }
    }
  }
}

// A layout is where the halves lie, nothing else: the same bits as from two arrays, forward, backward, in 16 bits too.
TEST_P(TwoInputs, EveryLayoutGivesTheSameBits) {
  const Activation activation(*GetParam());
  for (const std::size_t half : {1, 5, 63, 64, 100, 1500}) {
    const std::size_t rows = 7, n = rows * half;
    const std::vector<float> a = noise_like(n, 1), b = noise_like(n, 2), dy = noise_like(n, 3);
    std::vector<float> y(n), da(n), db(n);
    forward<float>(activation, a, b, y);
    backward<float>(activation, a, b, dy, da, db);
    for (const Layout layout : {Layout::gate_first, Layout::gate_last, Layout::interleaved}) {
      const auto at = [&](std::size_t i, int input) {
        const std::size_t r = i / half, j = i % half;
        if (layout == Layout::interleaved) return r * 2 * half + 2 * j + static_cast<std::size_t>(input);
        const bool second = (input == 1) == (layout == Layout::gate_first);
        return r * 2 * half + j + (second ? half : 0);
      };
      std::vector<float> packed(2 * n), dpacked(2 * n), got(n);
      for (std::size_t i = 0; i < n; ++i) {
        packed[at(i, 0)] = a[i];
        packed[at(i, 1)] = b[i];
      }
      RunOptions options;
      options.threads = 2;
      forward<float>(activation, layout, half, packed, got, options);
      EXPECT_EQ(got, y) << half;
      backward<float>(activation, layout, half, packed, dy, dpacked, options);
      for (std::size_t i = 0; i < n; ++i) {
        ASSERT_EQ(dpacked[at(i, 0)], da[i]) << half << " at " << i;
        ASSERT_EQ(dpacked[at(i, 1)], db[i]) << half << " at " << i;
      }
      std::vector<bfloat16> narrow(2 * n), narrow_y(n);
      convert(std::span<const float>(packed), std::span<bfloat16>(narrow));
      std::vector<float> wide(2 * n), wide_y(n), back(n);
      convert(std::span<const bfloat16>(narrow), std::span<float>(wide));
      forward<bfloat16>(activation, layout, half, narrow, narrow_y, options);
      forward<float>(activation, layout, half, wide, wide_y, options);
      for (std::size_t i = 0; i < n; ++i) {
        bfloat16 rounded;
        convert(std::span<const float>(&wide_y[i], 1), std::span<bfloat16>(&rounded, 1));
        ASSERT_EQ(narrow_y[i].bits, rounded.bits);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, OneInput, testing::ValuesIn(of_inputs(1)), name_of);
INSTANTIATE_TEST_SUITE_P(Catalogue, TwoInputs, testing::ValuesIn(of_inputs(2)), name_of);

// Double backward through a Call with shared parameters: sums over elements, any number of threads.
TEST(CallTest, SecondSumsOverElements) {
  const std::size_t n = 40000;
  const Activation swish("swish_beta(beta=0.7)");
  std::vector<double> x(n), dy(n), ddx(n), flow(n), ddy(n);
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = std::sin(double(i)) * 3;
    dy[i] = std::cos(double(i));
    ddx[i] = std::sin(0.5 * double(i));
  }
  double ddp = 0.3, expected = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::vector<double> h = exact_second(swish, {&x[i], 1}, 0);
    expected += dy[i] * (h[2] * ddx[i] + h[3] * ddp);
  }
  std::vector<double> results;
  for (const int threads : {1, 2, 3}) {
    double dp = -1;
    const Parallel parallel = on_threads(threads);
    Call call;
    call.function = &swish.function();
    call.type = Type::float64;
    call.length = n;
    call.input[0] = {x.data()};
    call.parameter[0] = {swish.parameters().data(), false};
    call.dy = {dy.data()};
    call.ddx[0] = {ddx.data()};
    call.ddp[0] = &ddp;
    call.dx[0] = {flow.data()};
    call.ddy = {ddy.data()};
    call.dp[0] = &dp;
    call.parallel = &parallel;
    second(call);
    EXPECT_NEAR(dp, expected, 1e-8);
    results.push_back(dp);
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[1], results[2]);
}

TEST(Refusals, SayWhatWasExpected) {
  std::vector<float> x(4), y(3), z(4);
  const auto message = [](auto&& action) -> std::string {
    try {
      action();
    } catch (const Error& e) {
      return e.what();
    }
    return "nothing was refused";
  };
  const Activation gelu("gelu"), glu("glu"), prelu("prelu");
  EXPECT_EQ(message([&] { forward<float>(gelu, x, y); }), "gelu: y has 3 elements where 4 were expected");
  EXPECT_EQ(message([&] { backward<float>(gelu, x, z, y); }), "gelu: dx has 3 elements where 4 were expected");
  EXPECT_EQ(message([&] { forward<float>(glu, x, z); }), "glu: takes 2 input(s), not 1");
  EXPECT_EQ(message([&] { forward<float>(gelu, x, x, z); }), "gelu: takes 1 input(s), not 2");
  EXPECT_EQ(message([&] { forward<float>(glu, x, y, z); }), "glu: b has 3 elements where 4 were expected");
  EXPECT_EQ(message([&] { forward<float>(glu, Layout::gate_first, 3, x, y); }),
            "glu: 4 packed elements are no multiple of 2*half = 6");
  EXPECT_EQ(message([&] { forward<float>(glu, Layout::two, 2, x, y); }),
            "glu: layout `two` means two arrays; a packed one was given");
  RunOptions options;
  options.channels = 3;
  options.parameters = {{1.0, 2.0}};
  EXPECT_EQ(message([&] { forward<float>(prelu, x, z, options); }),
            "prelu: slope has 2 values where 1 or one for each of 3 channels were expected");
  options.parameters = {};
  options.threads = 0;
  EXPECT_EQ(message([&] { forward<float>(prelu, x, z, options); }), "threads must be at least 1, not 0");
  EXPECT_EQ(message([&] { use_target("MMX"); }).substr(0, 40), "target 'MMX' is none of those supported ");
  const double two[] = {1, 2};
  EXPECT_EQ(message([&] { exact(gelu, two, 0); }), "gelu takes 1 input(s), not 2");
}

TEST(Threads, RunEveryTaskOnceAndPassOnErrors) {
  for (const int threads : {1, 2, 5}) {
    const Parallel parallel = on_threads(threads);
    std::vector<std::atomic<int>> counts(1000);
    parallel(counts.size(), [&](std::size_t i) { ++counts[i]; });
    for (const auto& c : counts) ASSERT_EQ(c, 1);
    EXPECT_THROW(parallel(100,
                          [](std::size_t i) {
                            if (i == 37) throw std::runtime_error("37");
                          }),
                 std::runtime_error);
    // A task that runs tasks itself.
    std::atomic<int> inner = 0;
    parallel(4, [&](std::size_t) { parallel(4, [&](std::size_t) { ++inner; }); });
    EXPECT_EQ(inner, 16);
  }
}

}  // namespace
}  // namespace ogee::test
