// The concrete units in float32, for training: s = sigmoid(z/temperature), z = x + log(u) - log(1 - u). An error of the
// argument is one of the tail in relative terms, so that z is a sum in two parts: whole numbers of log(2) and what a
// table has for the interval of a mantissa add up exactly, the rest is small.
#if defined(OGEE_QUICK_NOISY_CONCRETE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_NOISY_CONCRETE_INL_H
#undef OGEE_QUICK_NOISY_CONCRETE_INL_H
#else
#define OGEE_QUICK_NOISY_CONCRETE_INL_H
#endif

#include <type_traits>

#include "kernels/quick/eight-inl.h"
#include "kernels/quick/forms-inl.h"
#include "kernels/quick/noisy_tables.h"
#include "kernels/quick/noisy_units-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// log(u) - log(1 - u) of a uniform deviate, in two parts.
struct Logit {
  HWY_INLINE void load() {
#if OGEE_AVX512_TARGET
    inverse_.load(Table::inverse);
    high_.load(Table::high);
    low_.load(Table::low);
#endif
  }
  HWY_INLINE Split of(Float u) const {
    const Whole32 bits = bits_of(u), other_bits = bits_of(1.0 - u);  // a multiple of 2^-24, like u
    const Split p = part(bits), q = part(other_bits);
    const auto octaves = hn::Sub(hn::ShiftRight<23>(bits), hn::ShiftRight<23>(other_bits));
    const Float k = {hn::ConvertTo(SingleTag(), octaves)};
    // log(2) to 2^-13, by up to 24 octaves exact; and the rest of it.
    constexpr double large = 0.693115234375, small = 0.69314718055994530942 - large;
    return {fused(k, Float::constant(large), p.high - q.high), fused(k, Float::constant(small), p.low - q.low)};
  }

 private:
  using Table = std::conditional_t<OGEE_AVX512_TARGET, tables::Logarithm16, tables::Logarithm8>;
  HWY_INLINE Split part(Whole32 bits) const {
    const hn::RebindToSigned<SingleTag> di;
    const auto mantissa = hn::Or(hn::And(bits, hn::Set(di, 0x7fffff)), hn::Set(di, 0x3f800000));
    const Float m = {hn::BitCast(SingleTag(), mantissa)};
#if OGEE_AVX512_TARGET
    const Float place = {hn::BitCast(SingleTag(), hn::ShiftRight<19>(bits))};
    const Float inverse = inverse_.at(place), high = high_.at(place), low = low_.at(place);
#else
    const EightPlaces place = EightPlaces::of(hn::ShiftRight<20>(bits));
    const Float inverse = place.in(Table::inverse), high = place.in(Table::high), low = place.in(Table::low);
#endif
    const Float r = fused_minus(m, -inverse, Float::constant(-1.0));
    return {high, fused(r, polynomial(r, Table::p), low)};
  }
#if OGEE_AVX512_TARGET
  Sixteen inverse_, high_, low_;
#endif
};

// s, as 1/(1 + e) = near (1 + missing).
struct ConcreteSigmoid {
  Power e;
  Float near, missing;
  // Of (x + logit(u)) rate.
  static HWY_INLINE ConcreteSigmoid of(Float x, Split logit, Factor rate, FloatTruth& inside) {
    const Float z = x + logit.high, part = z - x;
    const Float z_low = ((x - (z - part)) + (logit.high - part)) + logit.low;
    const Float large = Float::constant(rate.large), first = z * large;
    const Float rest = fused(z_low, large, fused(z, Float::constant(rate.small), fused(z, large, -first)));
    const Float a = first + rest, a_low = rest - (a - first);
    inside = abs(a) <= 80.0;
    ConcreteSigmoid s;
    s.e = Power::of_minus(at_least(at_most(a, 80.0), -80.0), a_low);
    Float sum_low;
    const Float sum = s.e.plus_one(sum_low);
    s.near = near_inverse(sum);
    s.missing = fused_minus(sum_low, s.near, fused_minus(sum, s.near, Float::constant(1.0)));
    return s;
  }
  HWY_INLINE Float value() const { return fused(near, missing, near); }
  // s (s e), the slope by the argument, with the roundings given back
  HWY_INLINE Float slope() const {
    const Float part = e.s * near, product = near * part, left_out = fused(near, part, -product);
    const Float rise = fused(fused(e.q, missing, missing), Float::constant(2.0), e.q);
    return product + fused(product, rise, fused(left_out, e.q, left_out));
  }
};

struct ConcreteForm : Quick {
  Logit logit;
  Factor rate;
  HWY_INLINE bool load(const double* parameter) {
    logit.load();
    rate = Factor::of(1 / parameter[0]);
    return rate.large <= 4 && rate.large >= 1e-3f;  // a larger one would make the logarithms' errors count
  }
  HWY_INLINE ConcreteSigmoid at(Float x, Float u, FloatTruth& inside) const {
    return ConcreteSigmoid::of(x, logit.of(u), rate, inside);
  }
};

template <>
struct QuickValue<BinaryConcrete> : ConcreteForm {
  HWY_INLINE Float value(Float x, Float u, FloatTruth& inside) const { return at(x, u, inside).value(); }
};
template <>
struct QuickSlopes<BinaryConcrete> : ConcreteForm {
  HWY_INLINE Float slope(Float x, Float u, FloatTruth& inside) const { return at(x, u, inside).slope() * rate.large; }
};

// clip(s width + low, 0, 1): where that is near a bound, the exact arithmetic says which side of it.
struct StretchedForm : ConcreteForm {
  Factor width, low;
  HWY_INLINE bool load(const double* parameter) {
    width = Factor::of(parameter[2] - parameter[1]);
    low = Factor::of(parameter[1]);
    return ConcreteForm::load(parameter) && width.large <= 100;
  }
  HWY_INLINE Float stretched(const ConcreteSigmoid& s) const {
    const Float large = Float::constant(width.large);
    const Float rest = fused(s.near, Float::constant(width.small), Float::constant(low.small));
    return fused(s.near, large, Float::constant(low.large)) + fused(s.near * large, s.missing, rest);
  }
};
template <>
struct QuickValue<HardConcrete> : StretchedForm {
  HWY_INLINE Float value(Float x, Float u, FloatTruth& inside) const {
    return at_least(at_most(stretched(at(x, u, inside)), 1.0), 0.0);
  }
};
template <>
struct QuickSlopes<HardConcrete> : StretchedForm {
  HWY_INLINE Float slope(Float x, Float u, FloatTruth& inside) const {
    const ConcreteSigmoid s = at(x, u, inside);
    const Float y = stretched(s), centred = abs(y - 0.5);
    inside = {hn::And(inside.m, (abs(centred - 0.5) > 1e-5).m)};
    return select(centred < 0.5, s.slope() * (double{rate.large} * width.large), 0.0);
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
