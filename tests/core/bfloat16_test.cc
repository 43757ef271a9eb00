// bfloat16 has kernels of its own, which must give what float's give, rounded once: every function, every pattern of
// bits, any length and place.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels.h"

namespace ogee::test {
namespace {

using Narrow = std::vector<bfloat16>;
using Wide = std::vector<float>;

constexpr std::size_t patterns = 65536, ragged = 77;

// All patterns, `stride` apart and from `first` on, so that two arrays pair them differently.
Narrow all_patterns(std::size_t stride, std::size_t first) {
  Narrow v(patterns + ragged);
  for (std::size_t i = 0; i < v.size(); ++i) v[i].bits = static_cast<std::uint16_t>(first + i * stride);
  return v;
}
Wide widened(const Narrow& v) {
  Wide wide(v.size());
  convert(std::span<const bfloat16>(v), std::span<float>(wide));
  return wide;
}
bool is_nan(bfloat16 v) { return (v.bits & 0x7fff) > 0x7f80; }

void expect_rounded(const Narrow& got, const Wide& wide, const char* what) {
  Narrow want(wide.size());
  convert(std::span<const float>(wide), std::span<bfloat16>(want));
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_TRUE(got[i].bits == want[i].bits || (is_nan(got[i]) && is_nan(want[i])))
        << what << " at " << i << ": " << std::hex << got[i].bits << ", not " << want[i].bits;
  }
}

class Bfloat16 : public testing::TestWithParam<const Function*> {
 protected:
  // Forward and backward over elements from `begin` on, `n` of them.
  void check(const RunOptions& options, std::size_t begin, std::size_t n) const {
    const Activation activation(*GetParam());
    const auto part = [&](const Narrow& v) { return Narrow(v.begin() + begin, v.begin() + begin + n); };
    const Narrow whole_a = all_patterns(1, 0), whole_b = all_patterns(24001, 7), whole_dy = all_patterns(40503, 3);
    // Spans into longer arrays, so that they begin anywhere.
    const auto span = [&](const Narrow& v) { return std::span<const bfloat16>(v).subspan(begin, n); };
    const Wide a = widened(part(whole_a)), b = widened(part(whole_b)), dy = widened(part(whole_dy));
    Narrow y(n), da(n), db(n);
    Wide wide_y(n), wide_da(n), wide_db(n);
    if (activation.spec().inputs == 1) {
      forward<bfloat16>(activation, span(whole_a), y, options);
      forward<float>(activation, a, wide_y, options);
      backward<bfloat16>(activation, span(whole_a), span(whole_dy), da, options);
      backward<float>(activation, a, dy, wide_da, options);
    } else {
      forward<bfloat16>(activation, span(whole_a), span(whole_b), y, options);
      forward<float>(activation, a, b, wide_y, options);
      backward<bfloat16>(activation, span(whole_a), span(whole_b), span(whole_dy), da, db, options);
      backward<float>(activation, a, b, dy, wide_da, wide_db, options);
      expect_rounded(db, wide_db, "second gradient");
    }
    expect_rounded(y, wide_y, "value");
    expect_rounded(da, wide_da, "gradient");
  }
};

TEST_P(Bfloat16, IsFloatRoundedOnce) {
  for (const std::string& target : targets()) {
    SCOPED_TRACE(target);
    const OnTarget on(target);
    check({}, 0, patterns + ragged);
    for (const std::size_t n : {1, 31, 32, 33, 95, 257}) check({}, 16000 + n, n);
  }
}

// Forms serve some values of the parameters; others take another way.
TEST_P(Bfloat16, WithOtherParametersToo) {
  const Spec& spec = spec_of(*GetParam());
  if (spec.parameters.empty()) GTEST_SKIP() << "no parameters";
  RunOptions options;
  for (const Parameter& p : spec.parameters) {
    const double value = p.value + (p.role == Role::learned ? 0.125 : 0);
    options.parameters.push_back({static_cast<float>(value)});
  }
  check(options, 5, patterns);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Bfloat16, testing::ValuesIn(functions().begin(), functions().end()),
                         [](const auto& info) { return std::string(spec_of(*info.param).name); });

}  // namespace
}  // namespace ogee::test
