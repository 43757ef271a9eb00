// How a definition runs over a row, for every function alike: forward, backward and double backward, all from the one
// `value` template through dual numbers. Included once per SIMD target. Rows are whole vectors here: the ragged ends
// are run_row's business (ragged.h).
#if defined(OGEE_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_ROWS_INL_H
#undef OGEE_ROWS_INL_H
#else
#define OGEE_ROWS_INL_H
#endif

#include <cstddef>
#include <utility>

#include "functions/support.h"
#include "kernels/row.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

using SingleTag = hn::ScalableTag<float>;
using Float = Lane<SingleTag>;
using FloatTruth = Truth<SingleTag>;

// Functions with a faster form; quick-inl.h says which and how.
template <class F>
struct QuickValue {
  static constexpr bool exists = false;
};
template <class F>
struct QuickSlopes {
  static constexpr bool exists = false;
};

using kernels::FunctionKernels;
using kernels::KernelTable;
using kernels::ModeKernels;
using kernels::Operand;
using kernels::Row;
using kernels::RowKernels;

// Which template of a definition runs.
template <class F>
struct Training {
  template <class... A>
  static HWY_INLINE auto call(A... a) {
    return F::value(a...);
  }
};
template <class F>
struct Evaluation {
  template <class... A>
  static HWY_INLINE auto call(A... a) {
    return F::evaluation(a...);
  }
};

// Between memory of type T and the arithmetic of D, which may be wider.
template <class T, class D>
using MemoryTag = hn::Rebind<T, D>;
template <class T, class D>
HWY_INLINE Lane<D> widen(hn::Vec<MemoryTag<T, D>> v) {
  if constexpr (std::is_same_v<T, hn::TFromD<D>>) {
    return {v};
  } else {
    return {hn::PromoteTo(D(), v)};
  }
}
template <class T, class D>
HWY_INLINE hn::Vec<MemoryTag<T, D>> narrow(Lane<D> x) {
  if constexpr (std::is_same_v<T, hn::TFromD<D>>) {
    return x.v;
  } else {
#if HWY_TARGET == HWY_SCALAR  // whose DemoteTo takes infinity for the largest float
    return hn::Set(MemoryTag<T, D>(), static_cast<T>(hn::GetLane(x.v)));
#else
    return hn::DemoteTo(MemoryTag<T, D>(), x.v);
#endif
  }
}

template <class D, class T>
HWY_INLINE Lane<D> read(const T* p, std::size_t i) {
  return widen<T, D>(hn::LoadU(MemoryTag<T, D>(), p + i));
}
template <class D, class T>
HWY_INLINE Lane<D> read(const Operand<T>& o, std::size_t i) {
  return o.data == nullptr ? Lane<D>::constant(o.value) : read<D>(o.data, i);
}
template <class D, class T>
HWY_INLINE void write(Lane<D> value, T* p, std::size_t i) {
  hn::StoreU(narrow<T, D>(value), MemoryTag<T, D>(), p + i);
}
template <class D, class T>
HWY_INLINE void write(Lane<D> value, T* p, std::size_t i, bool stream) {
  if (HWY_UNLIKELY(stream)) {
    hn::Stream(narrow<T, D>(value), MemoryTag<T, D>(), p + i);
  } else {
    write<D>(value, p, i);
  }
}

// Each function's arity, as index sequences.
template <class F>
struct Arity {
  static constexpr std::size_t inputs = F::spec.inputs;
  static constexpr std::size_t parameters = F::spec.parameters.size();
  using Inputs = std::make_index_sequence<inputs>;
  using Parameters = std::make_index_sequence<parameters>;
  static constexpr bool noisy = F::spec.noise != Noise::none;
};

template <class F, template <class> class Mode, class X, class P, class E, std::size_t... I, std::size_t... J>
HWY_INLINE X call(const X* x, const P* p, E e, std::index_sequence<I...>, std::index_sequence<J...>) {
  if constexpr (Arity<F>::noisy) {
    return Mode<F>::call(x[I]..., p[J]..., e);
  } else {
    (void)e;
    return Mode<F>::call(x[I]..., p[J]...);
  }
}
template <class F, template <class> class Mode, class X, class P, class E>
HWY_INLINE X call(const X* x, const P* p, E e) {
  return call<F, Mode>(x, p, e, typename Arity<F>::Inputs(), typename Arity<F>::Parameters());
}

// Where an input is NaN, so is every derivative, whatever a definition's branches say.
template <class F, class D>
HWY_INLINE Lane<D> with_nan_of(Lane<D> derivative, const Lane<D>* x) {
  for (std::size_t k = 0; k < Arity<F>::inputs; ++k) derivative = select(is_nan(x[k]), x[k], derivative);
  return derivative;
}

template <class T, class D, class F, template <class> class Mode>
HWY_ATTR void forward_row(const Row<T>& row, std::size_t n) {
  using A = Arity<F>;
  const std::size_t lanes = hn::Lanes(D());
  const T* input[A::inputs];
  for (std::size_t k = 0; k < A::inputs; ++k) input[k] = row.input[k];
  T* const y = row.y;
  const bool stream = row.stream;
  Lane<D> p[A::parameters + 1];
  bool uniform = true;
  for (std::size_t k = 0; k < A::parameters; ++k) {
    p[k] = Lane<D>::constant(row.parameter[k].value);
    uniform = uniform && row.parameter[k].data == nullptr;
  }
  for (std::size_t i = 0; i < n; i += lanes) {
    Lane<D> x[A::inputs];
    for (std::size_t k = 0; k < A::inputs; ++k) x[k] = read<D>(input[k], i);
    if constexpr (A::parameters > 0) {
      if (!uniform) {
        for (std::size_t k = 0; k < A::parameters; ++k) p[k] = read<D>(row.parameter[k], i);
      }
    }
    Lane<D> e = Lane<D>::constant(0.0);
    if constexpr (A::noisy) e = read<D>(row.noise, i);
    write<D>(call<F, Mode>(x, p, e), y, i, stream);
  }
}

template <class D>
HWY_INLINE double sum_of(Lane<D> value) {
  const D d;
  HWY_ALIGN hn::TFromD<D> buffer[hn::MaxLanes(D())];
  hn::Store(value.v, d, buffer);
  double sum = 0;
  for (std::size_t j = 0; j < hn::Lanes(d); ++j) sum += static_cast<double>(buffer[j]);
  return sum;
}

// A definition of one input may give its derivative in closed form, where that is faster or more exact than the dual
// number's; the latter stays its oracle (tests/core/closed_form_test.cc).
template <class F, class X, class... P>
concept HasDerivative = requires(X x, P... p) {
  F::derivative(x, p...);
};

template <class F, class D, std::size_t... J>
HWY_INLINE Lane<D> closed_derivative(Lane<D> x, const Lane<D>* p, std::index_sequence<J...>) {
  return F::derivative(x, p[J]...);
}
template <class F, class D, std::size_t... J>
constexpr bool has_derivative(std::index_sequence<J...>) {
  return HasDerivative<F, Lane<D>, decltype((void)J, Lane<D>())...>;
}

template <class T, class D, class F, template <class> class Mode>
HWY_ATTR void backward_row(const Row<T>& row, std::size_t n) {
  using A = Arity<F>;
  using Number = Dual<Lane<D>, static_cast<int>(A::inputs)>;
  const std::size_t lanes = hn::Lanes(D());
  const T* input[A::inputs];
  T* dx[A::inputs];
  for (std::size_t k = 0; k < A::inputs; ++k) {
    input[k] = row.input[k];
    dx[k] = row.dx[k];
  }
  const T* const dy = row.dy;
  const bool stream = row.stream;
  Lane<D> p[A::parameters + 1];
  bool uniform = true;
  for (std::size_t k = 0; k < A::parameters; ++k) {
    p[k] = Lane<D>::constant(row.parameter[k].value);
    uniform = uniform && row.parameter[k].data == nullptr;
  }
  for (std::size_t i = 0; i < n; i += lanes) {
    Lane<D> x[A::inputs];
    for (std::size_t k = 0; k < A::inputs; ++k) x[k] = read<D>(input[k], i);
    if constexpr (A::parameters > 0) {
      if (!uniform) {
        for (std::size_t k = 0; k < A::parameters; ++k) p[k] = read<D>(row.parameter[k], i);
      }
    }
    if constexpr (has_derivative<F, D>(typename A::Parameters())) {
      const Lane<D> slope = closed_derivative<F, D>(x[0], p, typename A::Parameters());
      write<D>(read<D>(dy, i) * slope, dx[0], i, stream);
    } else {
      Number seeded[A::inputs];
      for (std::size_t k = 0; k < A::inputs; ++k) {
        seeded[k] = lift<Number>(x[k]);
        seeded[k].d[k] = Lane<D>::constant(1.0);
      }
      Lane<D> e = Lane<D>::constant(0.0);
      if constexpr (A::noisy) e = read<D>(row.noise, i);
      const Number y = call<F, Mode>(seeded, p, e);
      const Lane<D> flow = read<D>(dy, i);
      for (std::size_t k = 0; k < A::inputs; ++k) {
        write<D>(flow * with_nan_of<F>(y.d[k], x), dx[k], i, stream);
      }
    }
  }
}

// A sum in float lanes goes on over at most so many elements; beyond, in double.
inline constexpr std::size_t longest_sum = 4096;

// Partial derivatives by all arguments at once would need more registers than there are for the functions with ten
// parameters; those go over their parameters in groups of this many.
inline constexpr std::size_t group_size = 4;

template <class T, class D, class F, template <class> class Mode>
HWY_ATTR void backward_all_row(const Row<T>& row, std::size_t n) {
  using A = Arity<F>;
  constexpr std::size_t total = A::inputs + A::parameters;
  constexpr std::size_t group = total < group_size ? total : group_size;
  using Number = Dual<Lane<D>, static_cast<int>(group)>;
  const std::size_t lanes = hn::Lanes(D());
  const Lane<D> one = Lane<D>::constant(1.0), zero = Lane<D>::constant(0.0);
  Lane<D> sums[total];
  for (std::size_t k = 0; k < total; ++k) sums[k] = zero;
  const auto flush = [&]() HWY_ATTR {
    for (std::size_t k = A::inputs; k < total; ++k) {
      if (row.elements[k - A::inputs] == nullptr) *row.sum[k - A::inputs] += sum_of(sums[k]);
      sums[k] = zero;
    }
  };
  for (std::size_t i = 0; i < n; i += lanes) {
    if (HWY_UNLIKELY(i % longest_sum == 0 && i > 0)) flush();
    Lane<D> x[A::inputs], p[A::parameters + 1];
    for (std::size_t k = 0; k < A::inputs; ++k) x[k] = read<D>(row.input[k], i);
    for (std::size_t k = 0; k < A::parameters; ++k) p[k] = read<D>(row.parameter[k], i);
    Lane<D> e = zero;
    if constexpr (A::noisy) e = read<D>(row.noise, i);
    const Lane<D> dy = read<D>(row.dy, i);
    for (std::size_t first = 0; first < total; first += group) {
      Number seeded_x[A::inputs], seeded_p[A::parameters + 1];
      for (std::size_t k = 0; k < A::inputs; ++k) {
        seeded_x[k] = lift<Number>(x[k]);
        for (std::size_t g = 0; g < group; ++g) seeded_x[k].d[g] = first + g == k ? one : zero;
      }
      for (std::size_t k = 0; k < A::parameters; ++k) {
        seeded_p[k] = lift<Number>(p[k]);
        for (std::size_t g = 0; g < group; ++g) seeded_p[k].d[g] = first + g == k + A::inputs ? one : zero;
      }
      const Number y = call<F, Mode>(seeded_x, seeded_p, e);
      for (std::size_t g = 0; g < group; ++g) {
        const std::size_t which = first + g;
        if (which >= total) break;
        Lane<D> slope = y.d[g];
        if constexpr (has_derivative<F, D>(typename A::Parameters())) {
          if (which == 0) slope = closed_derivative<F, D>(x[0], p, typename A::Parameters());
        }
        const Lane<D> flow = dy * with_nan_of<F>(slope, x);
        if (which < A::inputs) {
          write<D>(flow, row.dx[which], i);
        } else if (row.elements[which - A::inputs] != nullptr) {
          write<D>(flow, row.elements[which - A::inputs], i);
        } else {
          sums[which] = sums[which] + flow;
        }
      }
    }
  }
  flush();
}

// Double backward. Given directions v (gradients with respect to the first gradients), the first derivative along v,
// t = sum_i v_i dphi/da_i, flows into dy, and dy * dt/da_j flows into argument j. One dual carries v, a second one
// argument j at a time, so that one body of code serves any number of arguments.
template <class T, class D, class F, template <class> class Mode>
HWY_ATTR void second_row(const Row<T>& row, std::size_t n) {
  using A = Arity<F>;
  using Along = Dual<Lane<D>, 1>;
  using Number = Dual<Along, 1>;
  constexpr std::size_t total = A::inputs + A::parameters;
  const std::size_t lanes = hn::Lanes(D());
  const Lane<D> one = Lane<D>::constant(1.0), zero = Lane<D>::constant(0.0);
  for (std::size_t i = 0; i < n; i += lanes) {
    Lane<D> value[total], along[total], x[A::inputs];
    for (std::size_t k = 0; k < A::inputs; ++k) {
      x[k] = value[k] = read<D>(row.input[k], i);
      along[k] = row.ddx[k] != nullptr ? read<D>(row.ddx[k], i) : zero;
    }
    for (std::size_t k = 0; k < A::parameters; ++k) {
      value[A::inputs + k] = read<D>(row.parameter[k], i);
      along[A::inputs + k] = read<D>(row.ddp[k], i);
    }
    Lane<D> e = zero;
    if constexpr (A::noisy) e = read<D>(row.noise, i);
    const Lane<D> dy = read<D>(row.dy, i);
    for (std::size_t j = 0; j < total; ++j) {
      Number a[total + 1];
      for (std::size_t k = 0; k < total; ++k) {
        a[k].v = Along{value[k], {along[k]}};
        a[k].d[0] = Along{j == k ? one : zero, {zero}};
      }
      const Number y = call<F, Mode>(a, a + A::inputs, e);
      if (j == 0) write<D>(with_nan_of<F>(y.v.d[0], x), row.ddy, i);
      const Lane<D> flow = dy * with_nan_of<F>(y.d[0].d[0], x);
      if (j < A::inputs) {
        write<D>(flow, row.dx[j], i);
      } else if (row.elements[j - A::inputs] != nullptr) {
        write<D>(flow, row.elements[j - A::inputs], i);
      } else {
        *row.sum[j - A::inputs] += sum_of(flow);
      }
    }
  }
}

template <class F>
concept HasEvaluation = requires {
  F::has_evaluation;
};
template <class F>
concept DeclaresSingle = requires {
  F::single;
};
template <class F>
constexpr Single single_of() {
  if constexpr (DeclaresSingle<F>) {
    return F::single;
  } else {
    return {};
  }
}

// Double backward has one kernel, the exact one: it is the longest to compile, and speed is not asked of it.
template <class T, class D, class F, template <class> class Mode>
constexpr RowKernels<T> row_kernels() {
  using Second = std::conditional_t<std::is_same_v<T, float> && !single_of<F>().all, Wide, D>;
  RowKernels<T> k{forward_row<T, D, F, Mode>, backward_row<T, D, F, Mode>, backward_row<T, D, F, Mode>,
                  second_row<T, Second, F, Mode>};
  if constexpr (Arity<F>::parameters > 0) k.backward_all = backward_all_row<T, D, F, Mode>;
  return k;
}

// Exact kernels are those of T where the definition says that T's rounding is within the contract, else of Wide; and
// the quick ones, where there are such, in either case.
template <class T, class F, template <class> class Mode>
constexpr RowKernels<T> exact_kernels(const RowKernels<T>& fast) {
  RowKernels<T> k = fast;
  if constexpr (std::is_same_v<T, float>) {
    constexpr Single single = single_of<F>();
    if constexpr (!single.value) k.forward = forward_row<T, Wide, F, Mode>;
    if constexpr (!single.slope) k.backward = k.backward_all = backward_row<T, Wide, F, Mode>;
    if constexpr (!single.all && Arity<F>::parameters > 0) k.backward_all = backward_all_row<T, Wide, F, Mode>;
  }
  return k;
}

// The quick forms' rows, in quick_rows-inl.h.
template <class F>
struct QuickRows;

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
  if constexpr (HasEvaluation<F>) {
    fast.evaluation = row_kernels<T, D, F, Evaluation>();
    exact.evaluation = exact_kernels<T, F, Evaluation>(fast.evaluation);
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
