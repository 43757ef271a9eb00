// The quick forms of src/functions/smooth.inc.
//
// Most tables here hold whole functions (tools/tables/warped.py), so that a value is rounded once after the last
// coefficient; their intervals need not be equal.
#if defined(OGEE_QUICK_SMOOTH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_SMOOTH_INL_H
#undef OGEE_QUICK_SMOOTH_INL_H
#else
#define OGEE_QUICK_SMOOTH_INL_H
#endif

#include <bit>
#include <cstdint>

#include "kernels/quick/forms-inl.h"
#include "kernels/quick/logistic-inl.h"
#include "kernels/quick/smooth_eight-inl.h"
#include "kernels/quick/smooth_tables.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

template <class Table>
struct Whole {
  Polynomials<Table> polynomials;
  HWY_INLINE void load() { polynomials.load(); }
  static HWY_INLINE Float interval(Float z) {
    const Float slope = Float::constant(Table::slope);
    Float k = fused(Table::square == 0 ? slope : fused(z, Float::constant(Table::square), slope), z,
                    Float::constant(Table::offset));
    if constexpr (Table::second != 0) {
      const Float other = fused(z, Float::constant(Table::second_slope), Float::constant(Table::second_offset));
      k = {Table::second > 0 ? hn::Max(k.v, other.v) : hn::Min(k.v, other.v)};
    }
    return Table::last ? at_most(k, integer_shift + 31) : k;
  }
  HWY_INLINE Float operator()(Float z) const {
    const auto found = polynomials.find(interval(z));
    return found.template horner<0>(z - found.centre());
  }
  // m times the function, with one rounding of the large part.
  HWY_INLINE Float times(Float m, Float z, Float k) const {
    const auto found = polynomials.find(k);
    const Float t = z - found.centre();
    return fused(m, found.template c<0>(), (m * t) * found.template horner<1>(t));
  }
  HWY_INLINE Float times(Float m, Float z) const { return times(m, z, interval(z)); }
  // Where the table serves f(x), and where it serves f(|x|).
  HWY_INLINE FloatTruth inside(Float x) const {
    if constexpr (Table::low == 0 || Table::low == -Table::high) {
      return abs(x) <= Table::high;
    } else {
      return {hn::And((x >= Table::low).m, (x <= Table::high).m)};
    }
  }
};

// x times a gate g with g(x) + g(-x) = 1: max(x, 0) and a dip, which is even. A steep one has vanished where its table
// ends, so that right of there max(x, 0) is left.
template <class Table, bool steep>
struct DipTable {
  Whole<Table> table;
  HWY_INLINE void load() { table.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return steep ? x >= -Table::high : abs(x) <= Table::high; }
  HWY_INLINE Float operator()(Float x) const { return table(steep ? clamped<Table>(x) : abs(x)); }
};
template <class Table, bool steep = false>
struct QuickDip : Quick {
  DipTable<Table, steep> dip;
  HWY_INLINE bool load(const double*) {
    dip.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return dip.inside(x[0]); }
  HWY_INLINE Float operator()(const Float* x) const { return at_least(x[0], 0.0) + dip(x[0]); }
};
// The slope of such a function: s(x) + s(-x) = 1.
template <class Table, bool steep = false>
struct DipSlopeForm {
  DipTable<Table, steep> left;
  HWY_INLINE void load() { left.load(); }
  HWY_INLINE FloatTruth inside(Float x) const { return left.inside(x); }
  HWY_INLINE Float operator()(Float x) const {
    const Float p = left(x);
    return minus_where(x >= 0.0, Float::constant(1.0), p, p);
  }
};
template <class Table>
struct QuickWhole : Quick {
  Whole<Table> table;
  HWY_INLINE bool load(const double*) {
    table.load();
    return true;
  }
  HWY_INLINE FloatTruth inside(const Float* x) const { return table.inside(x[0]); }
  HWY_INLINE Float operator()(const Float* x) const { return table(x[0]); }
};

template <class Table>
using SteepDip = QuickDip<Table, true>;
template <class Table>
using SteepDipSlope = QuickSlope<DipSlopeForm<Table, true>>;

OGEE_QUICK_BY(QuickValue, Silu, QuickDip<tables::SiluDip>, LogisticSelfGated)
OGEE_QUICK_BY(QuickValue, Gelu, SteepDip<tables::GeluDip>, QuickGeluEight)
OGEE_QUICK_BY(QuickValue, GeluTanh, SteepDip<tables::TanhGeluDip>, QuickTanhGeluEight)
OGEE_QUICK_BY(QuickValue, GeluQuick, QuickDip<tables::QuickGeluDip>, QuickLogisticGeluEight)
OGEE_QUICK(QuickValue, Atlu, QuickDip<tables::AtluDip>)
OGEE_QUICK(QuickValue, Logish, QuickWhole<tables::LogishWhole>)
OGEE_QUICK(QuickValue, Serf, QuickWhole<tables::SerfWhole>)
OGEE_QUICK_BY(QuickSlopes, Silu, QuickSlope<DipSlopeForm<tables::SiluSlope>>, QuickSlope<SelfGatedSlope>)
OGEE_QUICK_BY(QuickSlopes, Gelu, SteepDipSlope<tables::GeluSlope>, QuickSlope<GeluSlopeEightForm>)
OGEE_QUICK(QuickSlopes, GeluTanh, SteepDipSlope<tables::TanhGeluSlope>)
OGEE_QUICK_BY(QuickSlopes, GeluQuick, QuickSlope<DipSlopeForm<tables::QuickGeluSlope>>,
              QuickSlope<LogisticGeluSlopeEightForm>)
OGEE_QUICK(QuickSlopes, Atlu, QuickSlope<DipSlopeForm<tables::AtluSlope>>)
OGEE_QUICK(QuickSlopes, Mish, QuickSlope<Whole<tables::MishWholeSlope>>)
OGEE_QUICK(QuickSlopes, Logish, QuickSlope<Whole<tables::LogishSlope>>)
OGEE_QUICK(QuickSlopes, TanhExp, QuickSlope<Whole<tables::TanhExpSlope>>)
OGEE_QUICK(QuickSlopes, Serf, QuickSlope<Whole<tables::SerfSlope>>)
OGEE_QUICK(QuickSlopes, Phish, QuickSlope<Whole<tables::PhishSlope>>)
OGEE_QUICK_BY(QuickValue, Swish, WithBetaOne<QuickDip<tables::SiluDip>>, WithBetaOne<LogisticSelfGated>)
OGEE_QUICK_BY(QuickSlopes, Swish, WithBetaOne<QuickSlope<DipSlopeForm<tables::SiluSlope>>>,
              WithBetaOne<QuickSlope<SelfGatedSlope>>)

// At 0 the gate's first coefficient would not be a float, so the factor x stays outside.
template <class Table>
struct QuickFactor : QuickWhole<Table> {
  HWY_INLINE Float operator()(const Float* x) const { return this->table.times(x[0], x[0]); }
};
OGEE_QUICK_BY(QuickValue, Mish, QuickFactor<tables::MishFactor>, QuickMishEight)
OGEE_QUICK(QuickValue, TanhExp, QuickFactor<tables::TanhExpFactor>)

// The table has the beta that nearly everybody has; a product with a rounded value would be rounded twice.
struct QuickESwish : QuickDip<tables::ESwishDip> {
  HWY_INLINE bool load(const double* p) { return QuickDip::load(p) && p[0] == 1.375; }
  HWY_INLINE Float operator()(const Float* x) const {
    return fused(at_least(x[0], 0.0), Float::constant(1.375), dip(x[0]));
  }
};
OGEE_QUICK_BY(QuickValue, ESwish, QuickESwish, QuickESwishEight)
struct QuickESwishSlope : QuickSlope<DipSlopeForm<tables::SiluSlope>> {
  double beta;
  HWY_INLINE bool load(const double* p) {
    beta = p[0];
    return QuickSlope::load(p);
  }
  HWY_INLINE void operator()(const Float* x, Float* d) const { d[0] = beta * slope(x[0]); }
};
OGEE_QUICK_BY(QuickSlopes, ESwish, QuickESwishSlope, QuickESwishSlopeEight)

// Around 0, where x tanh(x Phi(x)) has a double root, the table holds it over x^2.
template <>
struct QuickValue<Phish> : QuickWhole<tables::PhishWhole> {
  HWY_INLINE Float operator()(const Float* x) const {
    const Float k = table.interval(x[0]);
    const FloatTruth near = abs(k - (integer_shift + 22)) <= 1.0;
    return table.times(select(near, x[0] * x[0], 1.0), x[0], k);
  }
};

// The sign of y turned where x is negative.
HWY_INLINE Float turned(Float y, Float x) { return {hn::Xor(y.v, hn::And(x.v, Float::constant(-0.0).v))}; }
template <>
struct QuickValue<Gcu> : QuickWhole<tables::GcuWhole> {
  HWY_INLINE Float operator()(const Float* x) const { return turned(table(abs(x[0])), x[0]); }
};
template <>
struct QuickSlopes<Gcu> : QuickSlope<Whole<tables::GcuSlope>> {
  HWY_INLINE void operator()(const Float* x, Float* d) const { d[0] = slope(abs(x[0])); }
};

// x*tanh(x) = |x| z (tanh(z)/z), where z ends with the table: tanh is 1 there.
struct QuickLisht : QuickWhole<tables::LishtRatio> {
  HWY_INLINE FloatTruth inside(const Float* x) const { return abs(x[0]) <= 3e37; }
  HWY_INLINE Float operator()(const Float* x) const {
    const Float a = abs(x[0]), z = at_most(a, tables::LishtRatio::high);
    return table.times(a * z, z);
  }
};
OGEE_QUICK_BY(QuickValue, Lisht, QuickLisht, QuickLishtEight)
template <>
struct QuickSlopes<Lisht> : QuickSlope<Whole<tables::LishtSlope>> {
  static constexpr bool total = true;
  HWY_INLINE void operator()(const Float* x, Float* d) const {
    d[0] = turned(slope(clamped<tables::LishtSlope>(x[0])), x[0]);
  }
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#include "kernels/quick/smooth_waves-inl.h"
#endif
