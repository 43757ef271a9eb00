#include "accuracy/compare.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "accuracy/compare.cc"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <cmath>
#include <limits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::accuracy::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// 2^-(unit's exponent) is put together from the exact value's exponent bits: 23 below them, clamped to the normal
// floats' range.
template <class D>
HWY_INLINE hn::Vec<D> errors(D d, hn::Vec<D> got, hn::Vec<D> exact) {
  const hn::RebindToSigned<D> di;
  const auto infinite = hn::Set(d, 0x1p128);
  const auto e = hn::Max(hn::Min(exact, infinite), hn::Neg(infinite));
  const auto y = hn::Max(hn::Min(got, infinite), hn::Neg(infinite));
  const auto size = hn::Min(hn::Max(hn::Abs(e), hn::Set(d, 0x1p-126)), hn::Set(d, 0x1.fffffep127));
  const auto exponent = hn::ShiftRight<52>(hn::BitCast(di, size));
  const auto scale = hn::BitCast(d, hn::ShiftLeft<52>(hn::Sub(hn::Set(di, 2 * 1023 + 23), exponent)));
  const auto error = hn::Mul(hn::Abs(hn::Sub(y, e)), scale);
  const auto no_value = hn::IsNaN(exact), no_result = hn::IsNaN(got);
  const auto both = hn::And(no_value, no_result);
  const auto one = hn::Or(no_value, no_result);
  const auto inf = hn::Set(d, std::numeric_limits<double>::infinity());
  return hn::IfThenZeroElse(both, hn::IfThenElse(one, inf, error));
}

// Whether all errors are at most `known`, which `share` is in the last place of 1: what is nearly always so costs a
// third of the errors themselves. Where the unit is not the exact value's own (infinities, NaN, above FLT_MAX) it says
// no.
template <class D>
HWY_INLINE bool all_within(D d, hn::Vec<D> got, hn::Vec<D> exact, hn::Vec<D> share) {
  const hn::RebindToUnsigned<D> du;
  const auto power = hn::BitCast(d, hn::And(hn::BitCast(du, exact), hn::Set(du, 0x7ff0000000000000u)));
  const auto most = hn::Mul(share, hn::Max(power, hn::Set(d, 0x1p-126)));
  const auto near = hn::Le(hn::Abs(hn::Sub(got, exact)), most);
  return hn::AllTrue(d, hn::And(near, hn::Le(power, hn::Set(d, 0x1p127))));
}

HWY_ATTR double largest(const float* got, const double* exact, std::size_t n, double known) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> half;
  const std::size_t lanes = hn::Lanes(d);
  const auto share = hn::Set(d, known * 0x1p-23);
  auto most = hn::Set(d, known);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto y = hn::PromoteTo(d, hn::LoadU(half, got + i));
    const auto e = hn::LoadU(d, exact + i);
    if (!all_within(d, y, e, share)) most = hn::Max(most, errors(d, y, e));
  }
  double result = hn::GetLane(hn::MaxOfLanes(d, most));
  const hn::CappedTag<double, 1> one;
  for (; i < n; ++i) {
    result =
        std::max(result, hn::GetLane(errors(one, hn::Set(one, static_cast<double>(got[i])), hn::Set(one, exact[i]))));
  }
  return result;
}

}  // namespace ogee::accuracy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee::accuracy {
HWY_EXPORT(largest);

double error_in_ulp(double got, double exact, Format format, double term) {
  if (std::isnan(exact) || std::isnan(got)) {
    return std::isnan(exact) && std::isnan(got) ? 0 : std::numeric_limits<double>::infinity();
  }
  const double infinite = std::ldexp(1.0, format.most + 1);
  const double e = std::clamp(exact, -infinite, infinite), y = std::clamp(got, -infinite, infinite);
  const double size = std::max(std::fabs(e), std::fabs(term));
  const int exponent = size == 0 ? format.least : std::clamp(std::ilogb(size), format.least, format.most);
  return std::fabs(y - e) * std::ldexp(1.0, format.digits - exponent);
}

double worst(const float* got, const double* exact, std::size_t n, double known) {
  return HWY_DYNAMIC_DISPATCH(largest)(got, exact, n, known);
}

}  // namespace ogee::accuracy
#endif
