// How the parameters' gradients run over a row. A definition's dual numbers serve any function; one that offers all its
// partial derivatives in closed form (`partials`) shares the work between them; and where some parameters are learned
// and others not, a kernel of its own differentiates the learned ones alone, which is what training asks for.
#if defined(OGEE_PARAMETER_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_PARAMETER_ROWS_INL_H
#undef OGEE_PARAMETER_ROWS_INL_H
#else
#define OGEE_PARAMETER_ROWS_INL_H
#endif

#include <cstddef>
#include <utility>

#include "kernels/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

// A sum in float lanes goes on over at most so many elements; beyond, in double.
inline constexpr std::size_t longest_sum = 4096;

// Partial derivatives by all arguments at once would need more registers than there are for the functions with ten
// parameters; those go over their parameters in groups of this many.
inline constexpr std::size_t group_size = 4;

// The sums of a row's parameter gradients, or their elements where the row asks for these.
template <class T, class D, std::size_t count>
struct Gradients {
  Lane<D> sums[count];
  HWY_INLINE void clear() {
    for (std::size_t k = 0; k < count; ++k) sums[k] = Lane<D>::constant(0.0);
  }
  HWY_INLINE void add(const Row<T>& row, std::size_t k, Lane<D> flow, std::size_t i) {
    if (row.elements[k] != nullptr) {
      write<D>(flow, row.elements[k], i);
    } else {
      sums[k] = sums[k] + flow;
    }
  }
  HWY_INLINE void flush(const Row<T>& row) {
    for (std::size_t k = 0; k < count; ++k) {
      if (row.elements[k] == nullptr && row.sum[k] != nullptr) *row.sum[k] += sum_of(sums[k]);
    }
    clear();
  }
};

// A definition of one input without noise may give all its partial derivatives in closed form: by the input, then by
// the parameters, `partials(x, p..., d)`.
template <class F, class X, class... P>
concept HasPartials = requires(X x, X* d, P... p) {
  F::partials(x, p..., d);
};
template <class F, class D, std::size_t... J>
constexpr bool has_partials(std::index_sequence<J...>) {
  return HasPartials<F, Lane<D>, decltype((void)J, Lane<D>())...>;
}
template <class F, class D, class P, std::size_t... J>
HWY_INLINE void closed_partials(Lane<D> x, const P* p, Lane<D>* d, std::index_sequence<J...>) {
  F::partials(x, p[J]..., d);
}

template <class T, class D, class F, bool scalar = scalar_constants<F, D>>
HWY_ATTR void partials_row(const Row<T>& row, std::size_t n) {
  using A = Arity<F>;
  const std::size_t lanes = hn::Lanes(D());
  const T* const input = row.input[0];
  const T* const upstream = row.dy;
  T* const dx = row.dx[0];
  Constant<scalar, D> p[A::parameters];
  const bool uniform = constants_of<F, D>(row, p);
  if constexpr (scalar) {
    if (!uniform) return partials_row<T, Wide, F, false>(row, n);
  }
  bool summing = true;
  for (std::size_t k = 0; k < A::parameters; ++k) summing = summing && row.elements[k] == nullptr;
  Gradients<T, D, A::parameters> gradients;
  gradients.clear();
  for (std::size_t begin = 0; begin < n; begin += longest_sum) {
    const std::size_t end = n - begin < longest_sum ? n : begin + longest_sum;
    for (std::size_t i = begin; i < end; i += lanes) {
      if constexpr (!scalar) {
        if (!uniform) {
          for (std::size_t k = 0; k < A::parameters; ++k) p[k] = read<D>(row.parameter[k], i);
        }
      }
      const Lane<D> x = read<D>(input, i);
      Lane<D> d[A::parameters + 1];
      closed_partials<F, D>(x, p, d, typename A::Parameters());
      const Lane<D> dy = read<D>(upstream, i);
      for (std::size_t k = 0; k <= A::parameters; ++k) d[k] = with_nan_of<F>(d[k], &x);
      write<D>(dy * d[0], dx, i);
      if (HWY_LIKELY(summing)) {
        for (std::size_t k = 0; k < A::parameters; ++k) gradients.sums[k] = fused(dy, d[k + 1], gradients.sums[k]);
      } else {
        for (std::size_t k = 0; k < A::parameters; ++k) gradients.add(row, k, dy * d[k + 1], i);
      }
    }
    gradients.flush(row);
  }
}

template <class T, class D, class F, template <class> class Mode>
HWY_ATTR void backward_all_row(const Row<T>& row, std::size_t n) {
  using A = Arity<F>;
  if constexpr (has_partials<F, D>(typename A::Parameters())) return partials_row<T, D, F>(row, n);
  constexpr std::size_t total = A::inputs + A::parameters;
  constexpr std::size_t group = total < group_size ? total : group_size;
  using Number = Dual<Lane<D>, static_cast<int>(group)>;
  const std::size_t lanes = hn::Lanes(D());
  const Lane<D> one = Lane<D>::constant(1.0), zero = Lane<D>::constant(0.0);
  Gradients<T, D, A::parameters> gradients;
  gradients.clear();
  for (std::size_t i = 0; i < n; i += lanes) {
    if (HWY_UNLIKELY(i % longest_sum == 0 && i > 0)) gradients.flush(row);
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
        } else {
          gradients.add(row, which - A::inputs, flow, i);
        }
      }
    }
  }
  gradients.flush(row);
}

// Functions some of whose parameters are learned: their definitions take the others as numbers of another type, so that
// nothing is multiplied by a derivative known to be zero.
template <class F>
constexpr std::size_t learned_parameters() {
  std::size_t count = 0;
  for (const Parameter& p : F::spec.parameters) count += p.role == Role::learned ? 1 : 0;
  return count;
}
template <class F>
inline constexpr bool partly_learned = learned_parameters<F>() > 0 && learned_parameters<F>() < Arity<F>::parameters;
template <class F, std::size_t J>
inline constexpr bool is_learned = F::spec.parameters[J].role == Role::learned;

template <bool first, class A, class B>
HWY_INLINE auto either(A a, B b) {
  if constexpr (first) {
    return a;
  } else {
    return b;
  }
}
template <class F, template <class> class Mode, class Number, class P, class E, std::size_t... I, std::size_t... J>
HWY_INLINE Number call_learned(const Number* x, const Number* learned, const P* fixed, E e, std::index_sequence<I...>,
                               std::index_sequence<J...>) {
  if constexpr (Arity<F>::noisy) {
    return Mode<F>::call(x[I]..., either<is_learned<F, J>>(learned[J], fixed[J])..., e);
  } else {
    (void)e;
    return Mode<F>::call(x[I]..., either<is_learned<F, J>>(learned[J], fixed[J])...);
  }
}

template <class T, class D, class F, template <class> class Mode, bool scalar = scalar_constants<F, D>>
HWY_ATTR void backward_learned_row(const Row<T>& row, std::size_t n) {
  using A = Arity<F>;
  constexpr std::size_t total = A::inputs + learned_parameters<F>();
  using Number = Dual<Lane<D>, static_cast<int>(total)>;
  const std::size_t lanes = hn::Lanes(D());
  const Lane<D> one = Lane<D>::constant(1.0), zero = Lane<D>::constant(0.0);
  Gradients<T, D, A::parameters> gradients;
  gradients.clear();
  Constant<scalar, D> p[A::parameters];
  const bool uniform = constants_of<F, D>(row, p);
  if constexpr (scalar) {
    if (!uniform) return backward_learned_row<T, Wide, F, Mode, false>(row, n);
  }
  for (std::size_t i = 0; i < n; i += lanes) {
    if (HWY_UNLIKELY(i % longest_sum == 0 && i > 0)) gradients.flush(row);
    if constexpr (!scalar) {
      if (!uniform) {
        for (std::size_t k = 0; k < A::parameters; ++k) p[k] = read<D>(row.parameter[k], i);
      }
    }
    Lane<D> x[A::inputs];
    Number seeded_x[A::inputs], seeded_p[A::parameters];
    for (std::size_t k = 0; k < A::inputs; ++k) {
      x[k] = read<D>(row.input[k], i);
      seeded_x[k] = lift<Number>(x[k]);
      seeded_x[k].d[k] = one;
    }
    std::size_t direction = A::inputs;
    for (std::size_t k = 0; k < A::parameters; ++k) {
      if (F::spec.parameters[k].role != Role::learned) continue;
      seeded_p[k] = lift<Number>(Lane<D>::constant(p[k]));
      seeded_p[k].d[direction++] = one;
    }
    Lane<D> e = zero;
    if constexpr (A::noisy) e = read<D>(row.noise, i);
    const Number y = call_learned<F, Mode>(seeded_x, seeded_p, p, e, typename A::Inputs(), typename A::Parameters());
    const Lane<D> dy = read<D>(row.dy, i);
    for (std::size_t k = 0; k < A::inputs; ++k) write<D>(dy * with_nan_of<F>(y.d[k], x), row.dx[k], i);
    direction = A::inputs;
    for (std::size_t k = 0; k < A::parameters; ++k) {
      if (F::spec.parameters[k].role != Role::learned) continue;
      gradients.add(row, k, dy * with_nan_of<F>(y.d[direction++], x), i);
    }
  }
  gradients.flush(row);
}

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
