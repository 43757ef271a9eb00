// A table of 32 polynomials whose parts can be had apart: its centres, its leading coefficients, the rest.
#if defined(OGEE_QUICK_LEARNED_TABLES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_LEARNED_TABLES_INL_H
#undef OGEE_QUICK_LEARNED_TABLES_INL_H
#else
#define OGEE_QUICK_LEARNED_TABLES_INL_H
#endif

#include <cstddef>

#include "kernels/quick/forms-inl.h"
#include "kernels/quick/learned_tables.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

template <class Table>
class LookUp {
 public:
  struct Place {
    typename Polynomials<Table>::Found found;
    Float centre, t;  // z = centre + t
  };
  HWY_INLINE void load() { table_.load(); }
  HWY_INLINE Place place(Float z) const {
    const auto found = table_.find(fused(z, Float::constant(Table::steps), integer_shift));
    const Float centre = found.centre();
    return {found, centre, z - centre};
  }
  template <std::size_t I>
  HWY_INLINE Float coefficient(const Place& at) const {
    return at.found.template c<I>();
  }
  // The polynomial from coefficient I on: c_I + t (c_(I+1) + ...)
  template <std::size_t I>
  HWY_INLINE Float tail(const Place& at) const {
    return at.found.template horner<I>(at.t);
  }

 private:
  Polynomials<Table> table_;
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
