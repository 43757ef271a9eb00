// Rows of functions with many learned parameters, whose gradients are summed in a way of their own: a form keeps what
// its slope was made of, and adds an element's share to its sums without ever making each derivative.
#if defined(OGEE_QUICK_LEARNED_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_LEARNED_ROWS_INL_H
#undef OGEE_QUICK_LEARNED_ROWS_INL_H
#else
#define OGEE_QUICK_LEARNED_ROWS_INL_H
#endif

#include <cstddef>

#include "kernels/kernel_table-inl.h"
#include "kernels/quick/forms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// One vector's worth of the exact rows, for vectors with lanes that the form does not serve: their results, to be taken
// in these lanes alone, as a result must not depend on its neighbours. Parameters' gradients are added where the row
// says.
template <class F>
HWY_NOINLINE HWY_ATTR Float exact_vector(const Row<float>& row, std::size_t i, kernels::Kernel<float> kernel) {
  HWY_ALIGN float result[hn::MaxLanes(SingleTag())];
  Row<float> part = row;
  part.input[0] += i;
  if (part.y != nullptr) part.y = result;
  if (part.dy != nullptr) part.dy += i;
  if (part.dx[0] != nullptr) part.dx[0] = result;
  part.stream = false;
  kernel(part, hn::MaxLanes(SingleTag()));
  return {hn::Load(SingleTag(), result)};
}

// One half of a vector in double, and two halves as floats again.
using DoubleTag = hn::ScalableTag<double>;
using Double = Lane<DoubleTag>;
HWY_INLINE Double widened(Float x, bool upper) {
  const hn::Half<SingleTag> half;
  return {hn::PromoteTo(DoubleTag(), upper ? hn::UpperHalf(half, x.v) : hn::LowerHalf(half, x.v))};
}
HWY_INLINE Float narrowed(Double low, Double high) {
  const hn::Half<SingleTag> half;
  return {hn::Combine(SingleTag(), hn::DemoteTo(half, high.v), hn::DemoteTo(half, low.v))};
}

// Forms that serve every float, NaN included.
template <class Form>
concept ServesAll = Form::serves_all;
template <class Form>
HWY_INLINE FloatTruth served(const Form& form, Float x) {
  if constexpr (ServesAll<Form>) {
    return {hn::FirstN(SingleTag(), hn::MaxLanes(SingleTag()))};
  } else {
    return form.inside(x);
  }
}
template <class Form>
HWY_INLINE bool all_served(FloatTruth lanes) {
  return ServesAll<Form> || HWY_LIKELY(hn::AllTrue(SingleTag(), lanes.m));
}

// Form: load(parameters), inside(x), value(x), State slope(x, &slope), Sums with clear(), add(form, x, state, flow) and
// flush(row, parameters). Sums are kept in registers where no loop counts through them, constants where they are
// vectors.
template <class F, class Form>
struct LearnedRows {
  static_assert(Arity<F>::inputs == 1);
  static constexpr std::size_t parameters = Arity<F>::parameters;
  // A sum of fewer floats than elsewhere, as the terms here vary more.
  static constexpr std::size_t block = 1024;

  static HWY_INLINE bool values_of(const Row<float>& row, double* value) {
    bool uniform = true;
    for (std::size_t k = 0; k < parameters; ++k) {
      value[k] = row.parameter[k].value;
      uniform = uniform && row.parameter[k].data == nullptr;
    }
    return uniform;
  }

  static HWY_ATTR void forward(const Row<float>& row, std::size_t n) {
    double parameter[parameters];
    Form form;
    constexpr auto exact = forward_row<float, Wide, F, Training>;
    if (!values_of(row, parameter) || !form.load(parameter)) return exact(row, n);
    const float* const input = row.input[0];
    float* const y = row.y;
    const bool stream = row.stream;
    for (std::size_t i = 0; i < n; i += hn::MaxLanes(SingleTag())) {
      if (HWY_UNLIKELY(stream)) fetch_ahead(input + i);
      const Float x = read<SingleTag>(input, i);
      const FloatTruth lanes = served(form, x);
      Float value = form.value(x);
      if (!all_served<Form>(lanes)) value = select(lanes, value, exact_vector<F>(row, i, exact));
      write<SingleTag>(value, y, i, stream);
    }
  }

  static HWY_ATTR void backward(const Row<float>& row, std::size_t n) {
    double parameter[parameters];
    Form form;
    constexpr auto exact = backward_row<float, Wide, F, Training>;
    if (!values_of(row, parameter) || !form.load(parameter)) return exact(row, n);
    const float *const input = row.input[0], *const dy = row.dy;
    float* const dx = row.dx[0];
    const bool stream = row.stream;
    for (std::size_t i = 0; i < n; i += hn::MaxLanes(SingleTag())) {
      if (HWY_UNLIKELY(stream)) {
        fetch_ahead(input + i);
        fetch_ahead(dy + i);
      }
      const Float x = read<SingleTag>(input, i);
      const FloatTruth lanes = served(form, x);
      Float slope;
      form.slope(x, slope);
      Float flow = read<SingleTag>(dy, i) * slope;
      if (!all_served<Form>(lanes)) flow = select(lanes, flow, exact_vector<F>(row, i, exact));
      write<SingleTag>(flow, dx, i, stream);
    }
  }

  static HWY_ATTR void backward_all(const Row<float>& row, std::size_t n) {
    double parameter[parameters];
    bool summing = true;
    for (std::size_t k = 0; k < parameters; ++k) summing = summing && row.elements[k] == nullptr;
    Form form;
    constexpr auto exact = backward_all_row<float, Wide, F, Training>;
    if (!values_of(row, parameter) || !summing || !form.load(parameter)) return exact(row, n);
    const float *const input = row.input[0], *const dy = row.dy;
    float* const dx = row.dx[0];
    const bool stream = row.stream;
    for (std::size_t begin = 0; begin < n; begin += block) {
      const std::size_t end = n - begin < block ? n : begin + block;
      typename Form::Sums sums;
      sums.clear();
      for (std::size_t i = begin; i < end; i += hn::MaxLanes(SingleTag())) {
        const Float x = read<SingleTag>(input, i);
        const FloatTruth lanes = served(form, x);
        Float slope;
        const auto state = form.slope(x, slope);
        const Float flow = read<SingleTag>(dy, i);
        if (!all_served<Form>(lanes)) {
          write<SingleTag>(select(lanes, flow * slope, exact_vector<F>(row, i, exact)), dx, i, stream);
        } else {
          write<SingleTag>(flow * slope, dx, i, stream);
          sums.add(form, x, state, flow);
        }
      }
      sums.flush(row, parameter);
    }
  }
};

// As OGEE_QUICK, for a form with rows of its own; and for one that leaves the value to the definition.
#define OGEE_QUICK_LEARNED(function, Form) \
  template <>                              \
  struct QuickValue<function> : Quick {};  \
  OGEE_QUICK_LEARNED_SLOPES(function, Form)
#define OGEE_QUICK_LEARNED_SLOPES(function, Form) \
  template <>                                     \
  struct QuickSlopes<function> : QuickAll {};     \
  template <>                                     \
  struct QuickRows<function> : LearnedRows<function, Form> {};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
