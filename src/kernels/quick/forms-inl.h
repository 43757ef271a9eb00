// The functions everybody uses, as 32 polynomials looked up in registers: on AVX-512 a permute of two registers finds a
// coefficient for each of 16 lanes, which costs less than an exponential and a division (measured: 0.08 to 0.1 ns an
// element where the formula takes 0.17 to 0.4). Lanes outside a table's range, and NaN, take the formula instead.
//
// QuickValue<F> and QuickSlopes<F> exist for some F. Loaded with the parameters' values, they say whether they serve
// these, which lanes they serve (`inside`), and give the value, or the partial derivatives by the inputs. (No
// constructors: an implicit one would not be compiled for the target.) Their errors, like all others, are measured by
// `ogee accuracy`. One file a family says which of its functions have them; here is what they share.
#if defined(OGEE_QUICK_FORMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_FORMS_INL_H
#undef OGEE_QUICK_FORMS_INL_H
#else
#define OGEE_QUICK_FORMS_INL_H
#endif

#include <cstddef>
#include <type_traits>
#include <utility>

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// Where y is neither infinite nor NaN.
HWY_INLINE FloatTruth finite(FloatTruth mask, Float y) {
  return {hn::And(mask.m, (abs(y) < std::numeric_limits<double>::infinity()).m)};
}

// The same where y was made of a product and of what rounding that left out: near the smallest numbers the latter is
// itself rounded away.
HWY_INLINE FloatTruth finite_product(FloatTruth mask, Float y) {
  return finite({hn::And(mask.m, hn::Or((abs(y) >= 1e-30).m, (abs(y) <= 0.0).m))}, y);
}

HWY_INLINE FloatTruth always() { return {hn::FirstN(SingleTag(), hn::MaxLanes(SingleTag()))}; }

struct Quick {
  static constexpr bool exists = true;
  static constexpr bool parameters = false;
  static HWY_INLINE FloatTruth everywhere(const Float*) { return always(); }
};

// Forms that have nothing to load.
struct QuickFixed : Quick {
  HWY_INLINE bool load(const double*) { return true; }
};

// x*gate(x), gate(x), and their likes.
template <class Gate>
struct QuickGate : Quick {
  Gate gate;
  HWY_INLINE bool load(const double*) {
    gate.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return gate.inside(x[0]); }
  HWY_INLINE Float operator()(const Float* x) const { return gate(x[0]); }
};

template <class Gate>
struct QuickSelfGated : QuickGate<Gate> {
  HWY_INLINE FloatTruth inside(const Float* x, Float y) const { return finite(this->gate.inside(x[0]), y); }
  HWY_INLINE Float operator()(const Float* x) const { return this->gate.times(x[0], x[0]); }
};

template <class Form>
struct QuickSlope : Quick {
  Form slope;
  HWY_INLINE bool load(const double*) {
    slope.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return slope.inside(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const { d[0] = slope(x[0]); }
};

#define OGEE_QUICK(kind, function, ...) \
  template <>                           \
  struct kind<function> : __VA_ARGS__ {};

using SigmoidForm = SymmetricGate<tables::SigmoidTail>;
using NormalForm = SymmetricGate<tables::NormalTail>;
using TanhGateForm = SymmetricGate<tables::TanhGateTail>;
using SiluSlopeForm = SymmetricGate<tables::SiluSlopeTail>;
using GeluSlopeForm = SymmetricGate<tables::GeluSlopeTail>;
using TanhGateSlopeForm = SymmetricGate<tables::TanhGateSlopeTail>;

// x*sigmoid(beta*x), for the beta that nearly everybody has: 1
template <class Base>
struct WithBetaOne : Base {
  HWY_INLINE bool load(const double* p) { return Base::load(p) && p[0] == 1; }
};

// Derivatives by parameters too: d holds the inputs', then the parameters'.
struct QuickAll : Quick {
  static constexpr bool parameters = true;
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
