// Which kernels serve a function: one of each kind for T's own arithmetic and one within the contract, where that takes
// another.
#if defined(OGEE_KERNEL_TABLE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_KERNEL_TABLE_INL_H
#undef OGEE_KERNEL_TABLE_INL_H
#else
#define OGEE_KERNEL_TABLE_INL_H
#endif

#include <type_traits>

#include "functions/support.h"
#include "kernels/parameter_rows-inl.h"
#include "kernels/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

template <class F>
constexpr Single single_of() {
  if constexpr (requires { F::single; }) {
    return F::single;
  } else {
    return {};
  }
}

// At evaluation, where the contract is stricter (no noise, no terms: ogee accuracy).
template <class F>
constexpr Single at_evaluation_of() {
  if constexpr (requires { F::single_at_evaluation; }) {
    return F::single_at_evaluation;
  } else {
    return single_of<F>();
  }
}

// Whether the learned parameters have a kernel of their own: where there are others, and no closed form gives all.
template <class F, class D>
inline constexpr bool learned_apart = partly_learned<F> && !has_partials<F, D>(typename Arity<F>::Parameters());

// Double backward has one kernel, the exact one: it is the longest to compile, and speed is not asked of it.
template <class T, class D, class F, template <class> class Mode>
constexpr RowKernels<T> row_kernels() {
  using Second = std::conditional_t<std::is_same_v<T, float> && !single_of<F>().all, Wide, D>;
  RowKernels<T> k{forward_row<T, D, F, Mode>, backward_row<T, D, F, Mode>, backward_row<T, D, F, Mode>,
                  second_row<T, Second, F, Mode>};
  if constexpr (Arity<F>::parameters > 0) k.backward_all = backward_all_row<T, D, F, Mode>;
  if constexpr (learned_apart<F, D>) k.backward_learned = backward_learned_row<T, D, F, Mode>;
  return k;
}

// Exact kernels are those of T where the definition says that T's rounding is within the contract, else of Wide; and
// the quick ones, where there are such, in either case.
template <class T, class F, template <class> class Mode, Single single = single_of<F>()>
constexpr RowKernels<T> exact_kernels(const RowKernels<T>& fast) {
  RowKernels<T> k = fast;
  if constexpr (std::is_same_v<T, float>) {
    if constexpr (!single.value) k.forward = forward_row<T, Wide, F, Mode>;
    if constexpr (!single.slope) k.backward = k.backward_all = backward_row<T, Wide, F, Mode>;
    if constexpr (!single.all && Arity<F>::parameters > 0) k.backward_all = backward_all_row<T, Wide, F, Mode>;
    if constexpr (!single.all && !single.learned && learned_apart<F, Wide>) {
      k.backward_learned = backward_learned_row<T, Wide, F, Mode>;
    }
  }
  return k;
}

// Quick forms of noisy functions are for training: without noise the contract is stricter.
template <class F>
inline constexpr bool quick_noise = Arity<F>::noisy && (QuickValue<F>::exists || QuickSlopes<F>::exists);

// The quick forms' rows, in quick/rows-inl.h.
template <class F>
struct QuickRows;

// Those of bfloat16: of quick forms, unless these have rows of their own, and of definitions that need no wider
// arithmetic than float's.
template <class F>
constexpr void add_bfloat16(RowKernels<float>& k) {
  if constexpr (requires { QuickRows<F>::forward_bfloat16; }) {
    if constexpr (QuickValue<F>::exists || single_of<F>().value) k.forward_bfloat16 = QuickRows<F>::forward_bfloat16;
    if constexpr (QuickSlopes<F>::exists || single_of<F>().slope) k.backward_bfloat16 = QuickRows<F>::backward_bfloat16;
  }
}

template <class T, class F>
constexpr FunctionKernels<T> function_kernels() {
  using D = hn::ScalableTag<T>;
  ModeKernels<T> fast{row_kernels<T, D, F, Training>(), {}}, exact{exact_kernels<T, F, Training>(fast.training), {}};
  if constexpr (std::is_same_v<T, float>) {
    if constexpr (QuickValue<F>::exists) exact.training.forward = fast.training.forward = QuickRows<F>::forward;
    if constexpr (QuickSlopes<F>::exists) {
      exact.training.backward = fast.training.backward = QuickRows<F>::backward;
      if constexpr (Arity<F>::parameters == 0) {
        exact.training.backward_all = fast.training.backward_all = QuickRows<F>::backward;
      } else if constexpr (QuickSlopes<F>::parameters) {
        exact.training.backward_all = fast.training.backward_all = QuickRows<F>::backward_all;
      }
    }
  }
  if constexpr (std::is_same_v<T, float> && OGEE_QUICK_TARGET && !Arity<F>::noisy) {
    add_bfloat16<F>(exact.training);
    add_bfloat16<F>(fast.training);
  }
  if constexpr (requires { F::has_evaluation; }) {
    fast.evaluation = row_kernels<T, D, F, Evaluation>();
    exact.evaluation = exact_kernels<T, F, Evaluation, at_evaluation_of<F>()>(fast.evaluation);
  } else if constexpr (std::is_same_v<T, float> && (at_evaluation_of<F>() != single_of<F>() || quick_noise<F>)) {
    fast.evaluation = fast.training;
    exact.evaluation = exact_kernels<T, F, Training, at_evaluation_of<F>()>(fast.training);
  }
  return {exact, fast};
}

template <class T, class Functions>
struct Table;
template <class T, class... F>
struct Table<T, Family<F...>> {
  static constexpr FunctionKernels<T> functions[] = {function_kernels<T, F>()...};
  static constexpr KernelTable<T> table{functions, sizeof...(F), hn::MaxLanes(hn::ScalableTag<T>())};
};

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
