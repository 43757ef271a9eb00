// The quick forms of src/functions/exponential.inc.
#if defined(OGEE_QUICK_EXPONENTIAL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_EXPONENTIAL_INL_H
#undef OGEE_QUICK_EXPONENTIAL_INL_H
#else
#define OGEE_QUICK_EXPONENTIAL_INL_H
#endif

#include "kernels/quick/exponential_algebraic-inl.h"
#include "kernels/quick/exponential_eight-inl.h"
#include "kernels/quick/exponential_parts-inl.h"
#include "kernels/quick/logistic-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// Forms of one number, total or with an `inside` of their own, as a value and as a slope.
template <class Form>
struct QuickTotal : Quick {
  static constexpr bool total = true;
  Form form;
  HWY_INLINE bool load(const double*) {
    form.load();
    return true;
  }
  HWY_INLINE Float operator()(const Float* x) const { return form(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const { d[0] = form(x[0]); }
};
template <class Form>
struct QuickPlain : QuickTotal<Form> {
  static constexpr bool total = false;
  HWY_INLINE FloatTruth inside(const Float* x) const { return inside(always(), x); }
  HWY_INLINE FloatTruth inside(FloatTruth before, const Float* x) const { return this->form.inside(before, x[0]); }
};

using LogSigmoidSlopeGrid = QuickPlain<GridGate<tables::SigmoidGrid, true>>;
using BipolarSlopeGrid = QuickPlain<EvenGrid<tables::SigmoidSlopeGrid, 2>>;

OGEE_QUICK_BY(QuickValue, Sigmoid, QuickPlain<SigmoidGate>, QuickGate<LogisticForm>)
OGEE_QUICK_BY(QuickSlopes, Sigmoid, QuickPlain<EvenGrid<tables::SigmoidSlopeGrid>>, QuickSlope<LogisticSlopeForm<>>)
OGEE_QUICK_BY(QuickValue, Tanh, QuickTotal<TanhOf<1>>, QuickTotal<TanhEightForm<1>>)
OGEE_QUICK_BY(QuickSlopes, Tanh, QuickPlain<EvenGrid<tables::TanhSlopeGrid>>, QuickSlope<TanhSlopeEight>)
OGEE_QUICK_BY(QuickValue, BipolarSigmoid, QuickTotal<TanhOf<2>>, QuickTotal<TanhEightForm<2>>)
OGEE_QUICK_BY(QuickSlopes, BipolarSigmoid, BipolarSlopeGrid, QuickSlope<BipolarSlopeEight>)
OGEE_QUICK_BY(QuickValue, Erf, QuickTotal<ErfForm>, QuickTotal<ErfEightForm>)
OGEE_QUICK_BY(QuickSlopes, Erf, QuickTotal<ErfSlopeForm>, QuickPlain<ErfSlopeEight>)
OGEE_QUICK_BY(QuickValue, NormalCdf, QuickPlain<NormalGate>, QuickPlain<NormalEightForm>)
OGEE_QUICK_BY(QuickSlopes, NormalCdf, QuickTotal<NormalDensityForm>, QuickPlain<NormalDensityEight>)
OGEE_QUICK_BY(QuickValue, Gaussian, QuickTotal<GaussianForm>, QuickPlain<GaussianEightForm>)
OGEE_QUICK_BY(QuickSlopes, Gaussian, QuickPlain<GaussianSlopeForm>, QuickPlain<GaussianSlopeEight>)
OGEE_QUICK_BY(QuickValue, Arctan, QuickPlain<ArctanForm>, QuickPlain<ArctanEightForm>)
OGEE_QUICK(QuickSlopes, Arctan, QuickPlain<ArctanSlopeForm>)
OGEE_QUICK(QuickValue, Softsign, QuickPlain<SoftsignForm>)
OGEE_QUICK(QuickSlopes, Softsign, QuickPlain<SoftsignSlopeForm>)
OGEE_QUICK(QuickSlopes, Sqnl, QuickTotal<SqnlSlopeForm>)
OGEE_QUICK_BY(QuickValue, Tanhshrink, QuickPlain<TanhshrinkForm>, QuickPlain<TanhshrinkEightForm>)
OGEE_QUICK(QuickSlopes, Tanhshrink, QuickPlain<TanhshrinkSlopeForm>)
OGEE_QUICK(QuickValue, Elish, QuickPlain<ElishForm>)
OGEE_QUICK(QuickSlopes, Elish, QuickPlain<ElishSlopeForm>)
OGEE_QUICK(QuickValue, HardElish, QuickTotal<HardElishForm>)
OGEE_QUICK(QuickSlopes, HardElish, QuickTotal<HardElishSlopeForm>)
OGEE_QUICK_BY(QuickValue, LogSigmoid, QuickPlain<LogSigmoidForm>, QuickPlain<SoftplusEightForm<true>>)
OGEE_QUICK_BY(QuickSlopes, LogSigmoid, LogSigmoidSlopeGrid, QuickSlope<LogisticSide<true>>)

// For the beta that nearly everybody has.
OGEE_QUICK_BY(QuickValue, Softplus, WithBetaOne<QuickPlain<SoftplusForm>>,
              WithBetaOne<QuickPlain<SoftplusEightForm<false>>>)
OGEE_QUICK_BY(QuickSlopes, Softplus, WithBetaOne<QuickPlain<SigmoidGate>>, WithBetaOne<QuickSlope<LogisticForm>>)

// positive*x right of 0, negative*(exp(x) - 1) left of it: what the latter's table gives for positive x does not
// matter.
template <class Table, bool scaled>
struct QuickElu : Quick {
  static constexpr bool total = true;
  Grid<Table> left;
  double positive;
  HWY_INLINE bool load(double p, double n) {
    left.load(n);
    positive = p;
    return true;
  }
  HWY_INLINE Float operator()(const Float* x) const {
    return select(x[0] >= 0.0, scaled ? positive * x[0] : x[0], left(at_least(x[0], -17.5)));
  }
};
// The same for their slopes.
struct QuickEluSlope : Quick {
  static constexpr bool total = true;
  PowerForm left;
  double positive;
  HWY_INLINE bool load(double p, double n) {
    left.load(n);
    positive = p;
    return true;
  }
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    d[0] = select(x[0] > 0.0, positive, left(at_least(x[0], -160.0)));
  }
};
template <class Base>
struct QuickEluOf : Base {
  HWY_INLINE bool load(const double* p) { return Base::load(1, p[0]) && p[0] > 1e-20 && p[0] < 1e20; }
};
template <class Base>
struct QuickSeluOf : Base {
  HWY_INLINE bool load(const double*) { return Base::load(1.0507009873554804934193, 1.7580993408473768599402); }
};
template <class Base>
struct QuickCeluOf : Base {
  HWY_INLINE bool load(const double* p) { return Base::load(1, 1) && p[0] == 1; }
};

struct QuickSelu : QuickElu<tables::SeluGrid, true> {
  HWY_INLINE bool load(const double*) { return QuickElu::load(1.0507009873554804934193, 1); }
};
using QuickExpm1 = QuickElu<tables::Expm1Grid, false>;
using QuickAlphaEluEight = QuickEluOf<QuickEluEight<false, true>>;
using QuickSeluEight = QuickSeluOf<QuickEluEight<true, true>>;
using QuickCeluEight = QuickCeluOf<QuickEluEight<false, false>>;

OGEE_QUICK_BY(QuickValue, Elu, QuickEluOf<QuickExpm1>, QuickAlphaEluEight)
OGEE_QUICK_BY(QuickSlopes, Elu, QuickEluOf<QuickEluSlope>, QuickEluOf<QuickEluSlopeEight>)
OGEE_QUICK_BY(QuickValue, Selu, QuickSelu, QuickSeluEight)
OGEE_QUICK_BY(QuickSlopes, Selu, QuickSeluOf<QuickEluSlope>, QuickSeluOf<QuickEluSlopeEight>)
OGEE_QUICK_BY(QuickValue, Celu, QuickCeluOf<QuickExpm1>, QuickCeluEight)
OGEE_QUICK_BY(QuickSlopes, Celu, QuickCeluOf<QuickEluSlope>, QuickCeluOf<QuickEluSlopeEight>)

// Forms with one parameter, where it is neither huge nor tiny.
template <class Form>
struct QuickScaled : Quick {
  Form form;
  HWY_INLINE bool load(const double* p) {
    form.parameter = Float::constant(p[0]);
    return p[0] > 1e-3 && p[0] < 1e3;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return form.inside(always(), x[0]); }
  HWY_INLINE FloatTruth inside(FloatTruth before, const Float* x) const { return form.inside(before, x[0]); }
  HWY_INLINE Float operator()(const Float* x) const { return form(x[0]); }
  HWY_INLINE void operator()(const Float* x, Float* d) const { d[0] = form(x[0]); }
};
OGEE_QUICK(QuickValue, Squareplus, QuickScaled<SquareplusForm>)
template <>
struct QuickSlopes<Squareplus> : QuickPlain<NarrowGate<tables::SquareplusSlopeGrid>> {
  HWY_INLINE bool load(const double* p) {
    return QuickPlain<NarrowGate<tables::SquareplusSlopeGrid>>::load(p) && p[0] == 4;
  }
};
OGEE_QUICK(QuickValue, Isru, QuickScaled<InverseRootForm<false>>)
OGEE_QUICK(QuickSlopes, Isru, QuickScaled<InverseRootSlopeForm<false>>)
OGEE_QUICK(QuickValue, Isrlu, QuickScaled<InverseRootForm<true>>)
OGEE_QUICK(QuickSlopes, Isrlu, QuickScaled<InverseRootSlopeForm<true>>)

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
