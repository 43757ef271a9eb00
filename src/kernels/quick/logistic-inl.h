// The logistic function and what is made of it by one exponential and one division, for vectors in which a lookup
// takes longer than these (registers-inl.h): half the time on AVX2.
#if defined(OGEE_QUICK_LOGISTIC_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_LOGISTIC_INL_H
#undef OGEE_QUICK_LOGISTIC_INL_H
#else
#define OGEE_QUICK_LOGISTIC_INL_H
#endif

#include "kernels/quick/forms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// s(x) = n/(1 + e), with e = exp(-|x|) and n = e left of 0, 1 right of it, as a quotient and what its rounding and that
// of 1 + e left out of it. Serves |x| <= 87, where e is normal.
struct Logistic {
  Float quotient, rest;
  static constexpr double high = 87;
  // exp(-z), 0 <= z <= high
  static HWY_INLINE Float decay(Float z) {
    Float r;
    const Nearest<SingleTag> k = reduce_by_log2(-z, r);
    const Float mantissa = fused(r * r, polynomial(r, Float::P::exp), r) + 1.0;
    const hn::RebindToSigned<SingleTag> di;  // the exponent's field takes k: the product is normal
    return {hn::BitCast(SingleTag(),
                        hn::Add(hn::BitCast(di, mantissa.v), hn::ShiftLeft<23>(hn::BitCast(di, k.shifted.v))))};
  }
  static HWY_INLINE Logistic of(Float x) {
    const Float e = decay(at_most(abs(x), high)), d = 1.0 + e;
    const Float n = select(x < 0.0, e, 1.0), q = n / d;
    // The quotient's remainder by the unrounded sum, over it; 1/d to a few percent.
    const Float remainder = fused_minus(q, d, n) - q * (e - (d - 1.0));
    return {q, remainder * fused(-0.5, e, 0.957)};
  }
  // The smaller of s(x) and s(-x).
  static HWY_INLINE Logistic smaller(Float x) {
    const Float e = decay(at_most(abs(x), high)), d = 1.0 + e, q = e / d;
    return {q, (fused_minus(q, d, e) - q * (e - (d - 1.0))) * fused(-0.5, e, 0.957)};
  }
  HWY_INLINE Float value() const { return quotient + rest; }
  HWY_INLINE Float times(Float m) const { return fused(m, quotient, m * rest); }
};

struct LogisticForm {
  HWY_INLINE void load() {}
  HWY_INLINE FloatTruth inside(Float x) const { return abs(x) <= Logistic::high; }
  HWY_INLINE Float operator()(Float x) const { return Logistic::of(x).value(); }
  HWY_INLINE Float times(Float m, Float x) const { return Logistic::of(x).times(m); }
};
// s(x) s(-x)
struct LogisticSlopeForm : LogisticForm {
  HWY_INLINE Float operator()(Float x) const {
    const Float s = Logistic::smaller(x).value();
    return s * (1.0 - s);
  }
};

// factor*x*s(x)
struct LogisticSelfGated : Quick {
  HWY_INLINE bool load(const double*) { return true; }
  HWY_INLINE FloatTruth inside(const Float* x) const { return abs(x[0]) <= Logistic::high; }
  HWY_INLINE Float operator()(const Float* x) const { return Logistic::of(x[0]).times(x[0]); }
};
// a s(a) b: what the rounding of the product left out of it counts, too.
struct LogisticSelfGatedProduct : Quick {
  HWY_INLINE bool load(const double*) { return true; }
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(abs(x[0]) <= Logistic::high, y); }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float m = x[0] * x[1], left_out = fused(x[0], x[1], -m);
    const Logistic s = Logistic::of(x[0]);
    return fused(m, s.quotient, fused(left_out, s.quotient, m * s.rest));
  }
};

#define OGEE_QUICK_BY(kind, function, by_table, by_division) \
  template <>                                                \
  struct kind<function> : std::conditional_t<OGEE_AVX512_TARGET, by_table, by_division> {};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
