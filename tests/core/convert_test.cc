// The 16-bit conversions: all 65,536 patterns out and back, and rounding of float against the integer arithmetic.
#include "kernels/convert.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "kernels.h"

namespace ogee::test {
namespace {

float bfloat_value(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

// By definition: the nearest of the neighbouring values, the even one if halfway.
std::uint16_t nearest_bfloat(float x) {
  if (std::isnan(x)) return 0x7fc0;
  const auto down = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16);
  const auto up = static_cast<std::uint16_t>(down + 1);
  // Beyond the largest finite value the next step counts as if exponents went on.
  const double top = std::isinf(bfloat_value(up)) ? std::copysign(0x1p128, x) : bfloat_value(up);
  const double below = std::fabs(double{x} - bfloat_value(down)), above = std::fabs(top - double{x});
  if (std::isinf(x)) return down;
  return below < above || (below == above && down % 2 == 0) ? down : up;
}

std::vector<float> samples() {
  std::vector<float> v;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 4093)
    v.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  for (int half = 0; half < 65536; half += 7) {  // values, and the points between two values
    const float a = kernels::half_to_float(static_cast<std::uint16_t>(half));
    const float b = kernels::half_to_float(static_cast<std::uint16_t>(half + 1));
    v.insert(v.end(), {a, std::nextafter(a, 1e9f), (a + b) / 2, std::nextafter((a + b) / 2, 0.0f)});
    v.push_back(bfloat_value(static_cast<std::uint16_t>(half)));
    v.push_back(std::bit_cast<float>((static_cast<std::uint32_t>(half) << 16) | 0x8000u));
  }
  return v;
}

TEST(Convert, AllPatternsSurviveTheRoundTrip) {
  std::vector<std::uint16_t> all(65536), back(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  std::vector<float> wide(all.size());
  for (const std::string& target : targets()) {
    const OnTarget on(target);
    kernels::bfloat16_to_float(all.data(), all.size(), wide.data());
    kernels::float_to_bfloat16(wide.data(), wide.size(), back.data());
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (std::isnan(wide[i])) {
        ASSERT_TRUE(std::isnan(bfloat_value(back[i])));
      } else {
        ASSERT_EQ(back[i], all[i]) << target;
      }
    }
    kernels::float16_to_float(all.data(), all.size(), wide.data());
    kernels::float_to_float16(wide.data(), wide.size(), back.data());
    for (std::size_t i = 0; i < all.size(); ++i) {
      const float one = kernels::half_to_float(all[i]);
      if (std::isnan(one)) {
        ASSERT_TRUE(std::isnan(wide[i]) && std::isnan(kernels::half_to_float(back[i])));
      } else {
        ASSERT_EQ(wide[i], one) << target;
        ASSERT_EQ(back[i], all[i]) << target;
      }
    }
  }
}

TEST(Convert, RoundsToNearestEven) {
  const std::vector<float> in = samples();
  std::vector<std::uint16_t> out(in.size());
  for (const std::string& target : targets()) {
    const OnTarget on(target);
    kernels::float_to_bfloat16(in.data(), in.size(), out.data());
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (std::isnan(in[i])) {
        ASSERT_TRUE(std::isnan(bfloat_value(out[i])));
      } else {
        ASSERT_EQ(out[i], nearest_bfloat(in[i])) << target << " " << in[i];
      }
    }
    kernels::float_to_float16(in.data(), in.size(), out.data());
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (std::isnan(in[i])) {
        ASSERT_TRUE(std::isnan(kernels::half_to_float(out[i])));
      } else {
        ASSERT_EQ(out[i], kernels::float_to_half(in[i])) << target << " " << in[i];
      }
    }
  }
  // And the integer arithmetic by definition: no neighbour is nearer.
  for (float x : in) {
    if (std::isnan(x) || std::fabs(x) >= 65520) continue;
    const std::uint16_t h = kernels::float_to_half(x);
    const double error = std::fabs(double{x} - kernels::half_to_float(h));
    for (const int step : {-1, 1}) {
      const auto neighbour = static_cast<std::uint16_t>(h + step);
      if ((neighbour & 0x7fff) > 0x7bff || (h & 0x7fff) == 0) continue;
      const double other = std::fabs(double{x} - kernels::half_to_float(neighbour));
      ASSERT_TRUE(error < other || (error == other && h % 2 == 0)) << x;
    }
  }
  EXPECT_EQ(kernels::float_to_half(65519.996f), 0x7bff);
  EXPECT_EQ(kernels::float_to_half(65520.0f), 0x7c00);
}

}  // namespace
}  // namespace ogee::test
