// Which calls write their results past the caches: a rule of sizes and addresses, at which nothing is read here.
#include <gtest/gtest.h>

#include <cstdint>

#include "kernels/cache.h"
#include "kernels/operands.h"

namespace ogee {
namespace {

using kernels::counted_on;
using kernels::OperandArrays;
using kernels::Pass;
using kernels::streams;

constexpr std::size_t mib = std::size_t{1} << 20;

TEST(Streaming, TheCacheIsWhatIsReportedBut32MiBAtMost) {
  EXPECT_EQ(counted_on(static_cast<long>(8 * mib)), 8 * mib);
  EXPECT_EQ(counted_on(static_cast<long>(32 * mib)), 32 * mib);
  EXPECT_EQ(counted_on(static_cast<long>(260 * mib)), 32 * mib);
  EXPECT_EQ(counted_on(0), 32 * mib);   // where the system does not say
  EXPECT_EQ(counted_on(-1), 32 * mib);  // nor knows what was asked
}

TEST(Streaming, BeginsBeyondTheCache) {
  EXPECT_FALSE(streams(8 * mib, 8 * mib));
  EXPECT_TRUE(streams(8 * mib + 1, 8 * mib));
}

// Never read.
// NOLINTNEXTLINE(performance-no-int-to-ptr)
const void* address(std::uintptr_t at) { return reinterpret_cast<const void*>(at); }

// One row of n elements that begins at `in`, with a result at `out`.
Call contiguous(Type type, std::size_t n, std::uintptr_t in, std::uintptr_t out) {
  Call call;
  call.type = type;
  call.length = n;
  call.input[0].data = address(in);
  call.y.data = const_cast<void*>(address(out));
  return call;
}

constexpr Spec one_input{.name = "test", .formula = "x", .source = "this test"};
constexpr std::uintptr_t here = 1 << 20;
constexpr std::size_t many = 16 * mib, few = 1024;  // elements

TEST(Streaming, FloatsNeedResultsAtWholeElements) {
  const auto stream = [](std::size_t n, std::uintptr_t out) {
    const OperandArrays arrays(Pass::forward, one_input, contiguous(Type::float32, n, here, out), sizeof(float));
    EXPECT_FALSE(arrays.any_staged());
    return arrays.stream(sizeof(float), 16);
  };
  EXPECT_TRUE(stream(many, here));
  EXPECT_TRUE(stream(many, here + 4));  // the elements up to a whole vector go ahead
  EXPECT_FALSE(stream(many, here + 2));
  EXPECT_FALSE(stream(few, here));
}

TEST(Streaming, ResultsOfOneCallMustReachWholeVectorsTogether) {
  constexpr Spec gated{.name = "test", .formula = "x*u", .inputs = 2, .source = "this test"};
  const auto stream = [&](std::uintptr_t second) {
    Call call = contiguous(Type::float32, many, here, here);
    call.input[1] = call.dy = call.input[0];
    call.dx[0] = call.y;
    call.dx[1].data = const_cast<void*>(address(second));
    return OperandArrays(Pass::backward, gated, call, sizeof(float)).stream(sizeof(float), 16);
  };
  EXPECT_TRUE(stream(here + 64));
  EXPECT_FALSE(stream(here + 4));
}

TEST(Streaming, SixteenBitResultsNeedLinesOfMemory) {
  const auto stream = [](std::size_t n, std::uintptr_t out, std::ptrdiff_t step) {
    Call call = contiguous(Type::bfloat16, n, here, out);
    call.y.step = step;
    const OperandArrays arrays(Pass::forward, one_input, call, sizeof(float));
    EXPECT_TRUE(arrays.any_staged());
    return arrays.stream_narrow();
  };
  EXPECT_TRUE(stream(many, here, 1));
  EXPECT_FALSE(stream(many, here + 2, 1));
  EXPECT_FALSE(stream(many, here, 2));
  EXPECT_FALSE(stream(few, here, 1));
}

}  // namespace
}  // namespace ogee
