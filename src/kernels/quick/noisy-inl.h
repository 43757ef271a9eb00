// The quick forms of src/functions/noisy.inc.
#if defined(OGEE_QUICK_NOISY_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_NOISY_INL_H
#undef OGEE_QUICK_NOISY_INL_H
#else
#define OGEE_QUICK_NOISY_INL_H
#endif

#include "kernels/quick/forms-inl.h"
#include "kernels/quick/noisy_concrete-inl.h"
#include "kernels/quick/noisy_rows-inl.h"
#include "kernels/quick/noisy_tables.h"
#include "kernels/quick/noisy_sums-inl.h"
#include "kernels/quick/noisy_units-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

template <class Base>
struct QuickValue<Nan<Base>> : QuickNoisyUnit<Base, Nan<Base>> {};
template <class Base>
struct QuickValue<Nah<Base>> : QuickNoisyUnit<Base, Nah<Base>> {};
template <class Base>
struct QuickValue<NanFixed<Base>> : QuickFixedUnit<Base> {};
template <class Base>
struct QuickSlopes<Nan<Base>> : QuickNoisyUnitSlopes<Base, Nan<Base>> {};
template <class Base>
struct QuickSlopes<Nah<Base>> : QuickNoisyUnitSlopes<Base, Nah<Base>> {};
template <class Base>
struct QuickSlopes<NanFixed<Base>> : QuickFixedUnitSlopes<Base> {};

template <class Base>
struct QuickValue<Nanil<Base>> : QuickPulled<Base> {};

OGEE_QUICK(QuickValue, NoisyRelu, QuickNoisyRelu)
OGEE_QUICK(QuickValue, Nani<TanhBase>, QuickShifted<TanhBase, false>)
OGEE_QUICK(QuickValue, Nani<SigmoidBase>, QuickShifted<SigmoidBase, false>)
OGEE_QUICK(QuickValue, Nanis<TanhBase>, QuickShifted<TanhBase, true>)
OGEE_QUICK(QuickValue, Nanis<SigmoidBase>, QuickShifted<SigmoidBase, true>)
OGEE_QUICK(QuickSlopes, Nani<TanhBase>, QuickShiftedSlope<TanhBase, false>)
OGEE_QUICK(QuickSlopes, Nani<SigmoidBase>, QuickShiftedSlope<SigmoidBase, false>)
OGEE_QUICK(QuickSlopes, Nanis<TanhBase>, QuickShiftedSlope<TanhBase, true>)
OGEE_QUICK(QuickSlopes, Nanis<SigmoidBase>, QuickShiftedSlope<SigmoidBase, true>)
OGEE_QUICK(QuickSlopes, Nani<HardTanhBase>, QuickShiftedHardSlope<false, false>)
OGEE_QUICK(QuickSlopes, Nani<HardSigmoidBase>, QuickShiftedHardSlope<true, false>)
OGEE_QUICK(QuickSlopes, Nanis<HardTanhBase>, QuickShiftedHardSlope<false, true>)
OGEE_QUICK(QuickSlopes, Nanis<HardSigmoidBase>, QuickShiftedHardSlope<true, true>)

// The row kernel by input and learned parameters is the definition's own there: no flag of a quick form replaces it.
#define OGEE_QUICK_LEARNED(...)                                                                                   \
  template <>                                                                                                     \
  HWY_ATTR inline void backward_learned_row<float, SingleTag, __VA_ARGS__, Training, true>(const Row<float>& row, \
                                                                                           std::size_t n) {       \
    NoisyRows<__VA_ARGS__>::backward_learned(row, n);                                                             \
  }
OGEE_QUICK_LEARNED(Nan<HardTanhBase>)
OGEE_QUICK_LEARNED(Nan<HardSigmoidBase>)
OGEE_QUICK_LEARNED(Nan<TanhBase>)
OGEE_QUICK_LEARNED(Nan<SigmoidBase>)
OGEE_QUICK_LEARNED(Nah<HardTanhBase>)
OGEE_QUICK_LEARNED(Nah<HardSigmoidBase>)
OGEE_QUICK_LEARNED(Nah<TanhBase>)
OGEE_QUICK_LEARNED(Nah<SigmoidBase>)
#undef OGEE_QUICK_LEARNED

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
