// The quick forms of src/functions/channel.inc. sigma(a) and b*sigma'(a) cancel along whole curves of the plane: only
// where their sum has factors that do not is float32 arithmetic good enough.
#if defined(OGEE_QUICK_CHANNEL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_CHANNEL_INL_H
#undef OGEE_QUICK_CHANNEL_INL_H
#else
#define OGEE_QUICK_CHANNEL_INL_H
#endif

#include "kernels/quick/forms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

template <>
struct QuickValue<ChannelLimit<SquaredRelu>> : Quick {  // r (r + 2 b), r = max(a, 0)
  HWY_INLINE bool load(const double*) { return true; }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(abs(x[0]) < infinity, y); }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float r = at_least(x[0], 0.0);
    return r * fused(x[1], Float::constant(2.0), r);
  }
};

template <>
struct QuickSlopes<ChannelLimit<SquaredRelu>> : Quick {
  HWY_INLINE bool load(const double*) { return true; }
  HWY_INLINE FloatTruth inside(const Float* x) const { return finite(abs(x[0]) < infinity, x[1]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    d[0] = select(x[0] > 0.0, 2.0 * (x[0] + x[1]), 0.0);
    d[1] = 2.0 * at_least(x[0], 0.0);
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
