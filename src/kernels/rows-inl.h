// How a definition runs over a row, for every function alike: forward, backward and double backward, all from the one
// `value` template through dual numbers. Included once per SIMD target.
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

using kernels::FunctionKernels;
using kernels::KernelTable;
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

// Reads a vector at i; at the ragged end only the elements that exist, the rest as the first of them, so that no lane
// computes on memory that is not there.
template <class T, class D>
struct Reader {
  std::size_t i, count;  // count < lanes: ragged
  HWY_INLINE Lane<D> row(const T* p) const {
    const D d;
    if (HWY_LIKELY(count >= hn::Lanes(d))) return {hn::LoadU(d, p + i)};
    return tail(p);
  }
  HWY_INLINE Lane<D> operand(const Operand<T>& o) const {
    if (o.step == 0) return {hn::Set(D(), o.data[0])};
    return row(o.data);
  }
  HWY_NOINLINE HWY_ATTR Lane<D> tail(const T* p) const {
    const D d;
    HWY_ALIGN T buffer[hn::MaxLanes(D())];
    for (std::size_t j = 0; j < hn::Lanes(d); ++j) buffer[j] = p[i + (j < count ? j : 0)];
    return {hn::Load(d, buffer)};
  }
};

template <class T, class D>
HWY_INLINE void write(Lane<D> value, T* p, std::size_t i, std::size_t count) {
  const D d;
  if (HWY_LIKELY(count >= hn::Lanes(d))) {
    hn::StoreU(value.v, d, p + i);
  } else {
    HWY_ALIGN T buffer[hn::MaxLanes(D())];
    hn::Store(value.v, d, buffer);
    for (std::size_t j = 0; j < count; ++j) p[i + j] = buffer[j];
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

template <class T, class F, template <class> class Mode>
HWY_ATTR void forward_row(const Row<T>& row) {
  using D = hn::ScalableTag<T>;
  using A = Arity<F>;
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  if (row.n == 0) return;
  Lane<D> p[A::parameters + 1];
  bool uniform = true;
  for (std::size_t k = 0; k < A::parameters; ++k) {
    p[k] = {hn::Set(d, row.parameter[k].data[0])};
    uniform = uniform && row.parameter[k].step == 0;
  }
  for (std::size_t i = 0; i < row.n; i += lanes) {
    const Reader<T, D> read{i, row.n - i};
    Lane<D> x[A::inputs];
    for (std::size_t k = 0; k < A::inputs; ++k) x[k] = read.row(row.input[k]);
    if (!uniform) {
      for (std::size_t k = 0; k < A::parameters; ++k) p[k] = read.operand(row.parameter[k]);
    }
    Lane<D> e = Lane<D>::constant(0.0);
    if constexpr (A::noisy) e = read.operand(row.noise);
    write<T, D>(call<F, Mode>(x, p, e), row.y, i, row.n - i);
  }
}

// Keeps the first `count` lanes; the ragged end repeats elements that must not be summed twice.
template <class T, class D>
HWY_INLINE double sum_of_first(Lane<D> value, std::size_t count) {
  const D d;
  HWY_ALIGN T buffer[hn::MaxLanes(D())];
  hn::Store(value.v, d, buffer);
  double sum = 0;
  for (std::size_t j = 0; j < hn::Lanes(d) && j < count; ++j) sum += static_cast<double>(buffer[j]);
  return sum;
}

template <class T, class F, template <class> class Mode>
HWY_ATTR void backward_row(const Row<T>& row) {
  using D = hn::ScalableTag<T>;
  using A = Arity<F>;
  using Number = Dual<Lane<D>, static_cast<int>(A::inputs)>;
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t i = 0; i < row.n; i += lanes) {
    const Reader<T, D> read{i, row.n - i};
    Lane<D> x[A::inputs], p[A::parameters + 1];
    Number seeded[A::inputs];
    for (std::size_t k = 0; k < A::inputs; ++k) {
      x[k] = read.row(row.input[k]);
      seeded[k] = lift<Number>(x[k]);
      seeded[k].d[k] = Lane<D>::constant(1.0);
    }
    for (std::size_t k = 0; k < A::parameters; ++k) p[k] = read.operand(row.parameter[k]);
    Lane<D> e = Lane<D>::constant(0.0);
    if constexpr (A::noisy) e = read.operand(row.noise);
    const Number y = call<F, Mode>(seeded, p, e);
    const Lane<D> dy = read.row(row.dy);
    for (std::size_t k = 0; k < A::inputs; ++k) {
      write<T, D>(dy * with_nan_of<F>(y.d[k], x), row.dx[k], i, row.n - i);
    }
  }
}

// Partial derivatives by all arguments at once would need more registers than there are for the functions with ten
// parameters; those go over their parameters in groups of this many.
inline constexpr std::size_t group_size = 4;

template <class T, class F, template <class> class Mode>
HWY_ATTR void backward_all_row(const Row<T>& row) {
  using D = hn::ScalableTag<T>;
  using A = Arity<F>;
  constexpr std::size_t total = A::inputs + A::parameters;
  constexpr std::size_t group = total < group_size ? total : group_size;
  using Number = Dual<Lane<D>, static_cast<int>(group)>;
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  if (row.n == 0) return;
  const Lane<D> one = Lane<D>::constant(1.0), zero = Lane<D>::constant(0.0);
  Lane<D> sums[total];
  for (std::size_t k = 0; k < total; ++k) sums[k] = zero;
  for (std::size_t i = 0; i < row.n; i += lanes) {
    const Reader<T, D> read{i, row.n - i};
    const bool ragged = row.n - i < lanes;
    Lane<D> x[A::inputs], p[A::parameters + 1];
    for (std::size_t k = 0; k < A::inputs; ++k) x[k] = read.row(row.input[k]);
    for (std::size_t k = 0; k < A::parameters; ++k) p[k] = read.operand(row.parameter[k]);
    Lane<D> e = zero;
    if constexpr (A::noisy) e = read.operand(row.noise);
    const Lane<D> dy = read.row(row.dy);
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
        const Lane<D> flow = dy * with_nan_of<F>(y.d[g], x);
        if (which < A::inputs) {
          write<T, D>(flow, row.dx[which], i, row.n - i);
        } else if (row.elements[which - A::inputs] != nullptr) {
          write<T, D>(flow, row.elements[which - A::inputs], i, row.n - i);
        } else if (ragged) {
          *row.sum[which - A::inputs] += sum_of_first<T, D>(flow, row.n - i);
        } else {
          sums[which] = sums[which] + flow;
        }
      }
    }
  }
  for (std::size_t k = A::inputs; k < total; ++k) {
    if (row.elements[k - A::inputs] == nullptr) *row.sum[k - A::inputs] += sum_of_first<T, D>(sums[k], lanes);
  }
}

// Double backward. Given directions v (gradients with respect to the first gradients), the first derivative along v,
// t = sum_i v_i dphi/da_i, flows into dy, and dy * dt/da_j flows into argument j. One dual carries v, a second one
// argument j at a time, so that one body of code serves any number of arguments.
template <class T, class F, template <class> class Mode>
HWY_ATTR void second_row(const Row<T>& row) {
  using D = hn::ScalableTag<T>;
  using A = Arity<F>;
  using Along = Dual<Lane<D>, 1>;
  using Number = Dual<Along, 1>;
  constexpr std::size_t total = A::inputs + A::parameters;
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const Lane<D> one = Lane<D>::constant(1.0), zero = Lane<D>::constant(0.0);
  for (std::size_t i = 0; i < row.n; i += lanes) {
    const Reader<T, D> read{i, row.n - i};
    Lane<D> value[total], along[total], x[A::inputs];
    for (std::size_t k = 0; k < A::inputs; ++k) {
      x[k] = value[k] = read.row(row.input[k]);
      along[k] = row.ddx[k] != nullptr ? read.row(row.ddx[k]) : zero;
    }
    for (std::size_t k = 0; k < A::parameters; ++k) {
      value[A::inputs + k] = read.operand(row.parameter[k]);
      along[A::inputs + k] = row.ddp[k].data != nullptr ? read.operand(row.ddp[k]) : zero;
    }
    Lane<D> e = zero;
    if constexpr (A::noisy) e = read.operand(row.noise);
    const Lane<D> dy = read.row(row.dy);
    for (std::size_t j = 0; j < total; ++j) {
      Number a[total + 1];
      for (std::size_t k = 0; k < total; ++k) {
        a[k].v = Along{value[k], {along[k]}};
        a[k].d[0] = Along{j == k ? one : zero, {zero}};
      }
      const Number y = call<F, Mode>(a, a + A::inputs, e);
      if (j == 0) write<T, D>(with_nan_of<F>(y.v.d[0], x), row.ddy, i, row.n - i);
      const Lane<D> flow = dy * with_nan_of<F>(y.d[0].d[0], x);
      if (j < A::inputs) {
        write<T, D>(flow, row.dx[j], i, row.n - i);
      } else if (row.elements[j - A::inputs] != nullptr) {
        write<T, D>(flow, row.elements[j - A::inputs], i, row.n - i);
      } else {
        *row.sum[j - A::inputs] += sum_of_first<T, D>(flow, row.n - i);
      }
    }
  }
}

template <class T, class F, template <class> class Mode>
constexpr RowKernels<T> row_kernels() {
  RowKernels<T> k{forward_row<T, F, Mode>, backward_row<T, F, Mode>, backward_row<T, F, Mode>, second_row<T, F, Mode>};
  if constexpr (Arity<F>::parameters > 0) k.backward_all = backward_all_row<T, F, Mode>;
  return k;
}

template <class F>
concept HasEvaluation = requires {
  F::has_evaluation;
};

template <class T, class F>
constexpr FunctionKernels<T> function_kernels() {
  FunctionKernels<T> k{row_kernels<T, F, Training>(), {}};
  if constexpr (HasEvaluation<F>) k.evaluation = row_kernels<T, F, Evaluation>();
  return k;
}

template <class T, class Functions>
struct Table;
template <class T, class... F>
struct Table<T, Family<F...>> {
  static constexpr FunctionKernels<T> functions[] = {function_kernels<T, F>()...};
  static constexpr KernelTable<T> table{functions, sizeof...(F)};
};

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
