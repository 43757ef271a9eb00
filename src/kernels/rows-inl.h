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
#include "hwy/cache_control.h"
#include "kernels/row.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

// Functions with a faster form; quick/ says which and how.
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

// A compiler that finds a number in memory may take it from there each time it is used, which costs relu's backward
// pass a third of its speed (GCC 12: three loads for one).
template <class V>
HWY_INLINE V in_register(V v) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  asm("" : "+v"(v.raw));
#endif
  return v;
}
template <class D, class T>
HWY_INLINE Lane<D> read(const T* p, std::size_t i) {
  const auto v = hn::LoadU(MemoryTag<T, D>(), p + i);
  if constexpr (std::is_same_v<T, hn::TFromD<D>>) {
    return {in_register(v)};
  } else {
    return widen<T, D>(v);
  }
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

// For rows that no cache holds: so far ahead that memory's latency is hidden, as the processor, which looks ahead by so
// many instructions, sees fewer loads the longer a function is.
template <class T>
HWY_INLINE void fetch_ahead(const T* p) {
  hwy::Prefetch(reinterpret_cast<const char*>(p) + 4096);
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

// Parameters that are the same for a whole row come to a definition as doubles where it says `scalar_constants`: what
// is made of them (1 - alpha, 1/temperature, softplus(p)) is then computed once a row, in double precision, and rounded
// once. Rows whose elements have parameters of their own take wide arithmetic, element by element.
template <class F>
concept WantsScalarConstants = requires {
  F::scalar_constants;
};
template <class F, class D>
inline constexpr bool scalar_constants = WantsScalarConstants<F> &&
                                         (std::is_same_v<D, SingleTag> || std::is_same_v<D, Wide>);
template <bool scalar, class D>
using Constant = std::conditional_t<scalar, double, Lane<D>>;

// The parameters' values; whether all are the same for the whole row.
template <class F, class D, class T, class P>
HWY_INLINE bool constants_of(const Row<T>& row, P* p) {
  bool uniform = true;
  for (std::size_t k = 0; k < Arity<F>::parameters; ++k) {
    if constexpr (std::is_same_v<P, double>) {
      p[k] = row.parameter[k].value;
    } else {
      p[k] = Lane<D>::constant(row.parameter[k].value);
    }
    uniform = uniform && row.parameter[k].data == nullptr;
  }
  return uniform;
}

template <class T, class D, class F, template <class> class Mode, bool scalar = scalar_constants<F, D>>
HWY_ATTR void forward_row(const Row<T>& row, std::size_t n) {
  using A = Arity<F>;
  const std::size_t lanes = hn::Lanes(D());
  const T* input[A::inputs];
  for (std::size_t k = 0; k < A::inputs; ++k) input[k] = row.input[k];
  T* const y = row.y;
  const bool stream = row.stream;
  Constant<scalar, D> p[A::parameters + 1];
  const bool uniform = constants_of<F, D>(row, p);
  if constexpr (scalar) {
    if (!uniform) return forward_row<T, Wide, F, Mode, false>(row, n);
  }
  for (std::size_t i = 0; i < n; i += lanes) {
    if (HWY_UNLIKELY(stream)) {
      for (std::size_t k = 0; k < A::inputs; ++k) fetch_ahead(input[k] + i);
    }
    Lane<D> x[A::inputs];
    for (std::size_t k = 0; k < A::inputs; ++k) x[k] = read<D>(input[k], i);
    if constexpr (A::parameters > 0 && !scalar) {
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

template <class F, class D, class P, std::size_t... J>
HWY_INLINE Lane<D> closed_derivative(Lane<D> x, const P* p, std::index_sequence<J...>) {
  return F::derivative(x, p[J]...);
}
template <class F, class D, std::size_t... J>
constexpr bool has_derivative(std::index_sequence<J...>) {
  return HasDerivative<F, Lane<D>, decltype((void)J, Lane<D>())...>;
}

template <class T, class D, class F, template <class> class Mode, bool scalar = scalar_constants<F, D>>
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
  Constant<scalar, D> p[A::parameters + 1];
  const bool uniform = constants_of<F, D>(row, p);
  if constexpr (scalar) {
    if (!uniform) return backward_row<T, Wide, F, Mode, false>(row, n);
  }
  for (std::size_t i = 0; i < n; i += lanes) {
    if (HWY_UNLIKELY(stream)) {
      for (std::size_t k = 0; k < A::inputs; ++k) fetch_ahead(input[k] + i);
      fetch_ahead(dy + i);
    }
    Lane<D> x[A::inputs];
    for (std::size_t k = 0; k < A::inputs; ++k) x[k] = read<D>(input[k], i);
    if constexpr (A::parameters > 0 && !scalar) {
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

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
