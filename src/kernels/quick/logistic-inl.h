// The logistic function and what is made of it by one exponential and one division, for vectors in which a lookup
// takes longer than these (registers-inl.h).
#if defined(OGEE_QUICK_LOGISTIC_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_LOGISTIC_INL_H
#undef OGEE_QUICK_LOGISTIC_INL_H
#else
#define OGEE_QUICK_LOGISTIC_INL_H
#endif

#include "kernels/quick/eight-inl.h"
#include "kernels/quick/forms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

#define OGEE_QUICK_BY(kind, function, by_table, otherwise) \
  template <>                                              \
  struct kind<function> : std::conditional_t<OGEE_AVX512_TARGET, by_table, otherwise> {};

// (m + rest)/(d + low), rounded once but for a few hundredths: what is missing in m/d times 1/d to a tenth, whose
// exponent is d's turned round.
HWY_INLINE Float exact_quotient(Float m, Float rest, Float d, Float low) {
  const hn::RebindToSigned<SingleTag> di;
  const Float q = m / d, inverse = {hn::BitCast(SingleTag(), hn::Sub(hn::Set(di, 0x7EF311C7), bits_of(d)))};
  const Float missing = {hn::NegMulAdd(q.v, d.v, m.v)};
  return fused(missing + Float{hn::NegMulAdd(q.v, low.v, rest.v)}, inverse, q);
}
// (m + rest)/(1 + p)
HWY_INLINE Float exact_quotient(Float m, Float rest, const Power& p) {
  Float low;
  const Float d = p.plus_one(low);
  return exact_quotient(m, rest, d, low);
}
// m/((1 + p) b)
HWY_INLINE Float quotient_by_product(Float m, const Power& p, Float b) {
  Float low;
  const Float a = p.plus_one(low), d = a * b;
  return exact_quotient(m, Float::constant(0.0), d, fused(low, b, fused(a, b, -d)));
}

// 1/sigmoid(x) = 1 + exp(-x)
struct Logistic {
  static constexpr double low = -87;
  static HWY_INLINE FloatTruth above(Float x) { return x >= low; }
  static HWY_INLINE Power power(Float x) { return Power::of_minus(at_most(x, 80.0)); }
  static HWY_INLINE Float divisor(Float x) { return power(x).plus_one(); }
};
template <bool mirrored>
struct LogisticSide {
  HWY_INLINE void load() {}
  static HWY_INLINE Float argument(Float x) { return mirrored ? -x : x; }
  HWY_INLINE FloatTruth inside(Float x) const { return mirrored ? x <= -Logistic::low : Logistic::above(x); }
  HWY_INLINE Float operator()(Float x) const { return 1.0 / Logistic::divisor(argument(x)); }
  HWY_INLINE Float times(Float m, Float x) const { return m / Logistic::divisor(argument(x)); }
};
using LogisticForm = LogisticSide<false>;

// factor s s(-z), s the logistic function at z = stretch*x: e/(1 + e)^2 with e = exp(-|z|)
template <int stretch = 1, int factor = 1>
struct LogisticSlopeForm {
  static constexpr double high = 87.0 / stretch;
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) <= high; }
  HWY_INLINE Float operator()(Float x) const {
    const Float z = at_most(abs(x), high), e = Power::of_minus(stretch == 1 ? z : z * stretch).value();
    return (factor == 1 ? e : e * factor) / fused(e, e + 2.0, Float::constant(1.0));
  }
};
// The slope of x s(x): with e = exp(-|x|), left of 0 it is e (1 + e - |x|)/(1 + e)^2; right of it 1 less that. The
// middle factor, whose terms cancel, is put together of parts that do so exactly, and of others that are small.
struct SelfGatedSlope {
  static constexpr double high = 80;
  struct Left {
    Power p;
    Float middle;
    HWY_INLINE Float at(Float x) const {
      const Float e = p.value();
      return sided(p.times(middle) / fused(e, e + 2.0, Float::constant(1.0)), x, Float::constant(1.0));
    }
    HWY_INLINE Float at_exactly(Float x) const { return sided(p.times(middle) / divisor(), x, Float::constant(1.0)); }
    // m times that, with a rounding less; with hardly one before the quotient.
    HWY_INLINE Float times(Float m, Float x) const { return sided(p.times(middle) * m / divisor(), x, m); }
    HWY_INLINE Float times_exactly(Float m, Float x) const {
      const Float product = middle * m, left_out = fused(middle, m, -product);
      const Float above = fused(p.q, product, product), rest = fused(p.q, product, product - above);
      return sided(p.s * exact_quotient(above, rest + left_out, divisor(), Float::constant(0.0)), x, m);
    }

   private:
    static HWY_INLINE Float sided(Float y, Float x, Float all) { return by_sign(x, y, all - y); }
    // (1 + e)^2, without rounding e
    HWY_INLINE Float divisor() const {
      const Float v = p.s * p.q, twice = fused(p.s + 1.0, Float::constant(2.0), v);
      return 1.0 + fused(v, twice, p.s * (p.s + 2.0));
    }
  };
  static HWY_INLINE Left left(const Power& p, Float z) { return {p, fused(p.s, p.q, (p.s + 1.0) - z)}; }
  static HWY_INLINE Left left(const Power& p, Float z, Float rest) {
    return {p, ((p.s + 1.0) - z) + fused(p.s, p.q, -rest)};
  }
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(Float x) const { return x >= -high; }
  HWY_INLINE Float operator()(Float x) const {
    const Float z = at_most(abs(x), high);
    return left(Power::of_minus(z), z).at(x);
  }
};

// x*s(x)
struct LogisticSelfGated : QuickFixed {
  HWY_INLINE FloatTruth inside(const Float* x) const { return Logistic::above(x[0]); }
  HWY_INLINE Float operator()(const Float* x) const { return x[0] / Logistic::divisor(x[0]); }
};
// a s(a) b: what the rounding of the product left out of it counts, too.
struct LogisticSelfGatedProduct : QuickFixed {
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite_product(Logistic::above(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float m = x[0] * x[1];
    return exact_quotient(m, fused(x[0], x[1], -m), Logistic::power(x[0]));
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
