#include "lab/adam_pass.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lab/adam_pass.cc"
#include "hwy/foreach_target.h"
//
#include <cmath>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::lab::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

HWY_ATTR void pass_over(const AdamPass& pass, std::size_t size, const float* g, float* m, float* v, float* w) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto keep = hn::Set(d, pass.keep), rate = hn::Set(d, pass.rate), epsilon = hn::Set(d, pass.epsilon);
  const auto beta1 = hn::Set(d, pass.beta1), rest1 = hn::Set(d, pass.rest1);
  const auto beta2 = hn::Set(d, pass.beta2), rest2 = hn::Set(d, pass.rest2);
  std::size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const auto gradient = hn::LoadU(d, g + i);
    const auto first = hn::Add(hn::Mul(beta1, hn::LoadU(d, m + i)), hn::Mul(rest1, gradient));
    const auto second = hn::Add(hn::Mul(beta2, hn::LoadU(d, v + i)), hn::Mul(rest2, hn::Mul(gradient, gradient)));
    hn::StoreU(first, d, m + i);
    hn::StoreU(second, d, v + i);
    const auto step = hn::Div(hn::Mul(rate, first), hn::Add(hn::Sqrt(second), epsilon));
    hn::StoreU(hn::Sub(hn::Mul(keep, hn::LoadU(d, w + i)), step), d, w + i);
  }
  for (; i < size; ++i) {
    m[i] = pass.beta1 * m[i] + pass.rest1 * g[i];
    v[i] = pass.beta2 * v[i] + pass.rest2 * (g[i] * g[i]);
    w[i] = pass.keep * w[i] - pass.rate * m[i] / (std::sqrt(v[i]) + pass.epsilon);
  }
}

}  // namespace ogee::lab::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee::lab {

HWY_EXPORT(pass_over);

void adam_pass(const AdamPass& pass, std::size_t size, const float* g, float* m, float* v, float* w) {
  HWY_DYNAMIC_DISPATCH(pass_over)(pass, size, g, m, v, w);
}

}  // namespace ogee::lab
#endif  // HWY_ONCE
