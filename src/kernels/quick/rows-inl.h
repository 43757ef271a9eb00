// How the quick forms (forms-inl.h) run over rows of floats, and of bfloat16.
#if defined(OGEE_QUICK_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_ROWS_INL_H
#undef OGEE_QUICK_ROWS_INL_H
#else
#define OGEE_QUICK_ROWS_INL_H
#endif

#include <cstddef>
#include <type_traits>

#include "hwy/cache_control.h"
#include "kernels/kernel_table-inl.h"
#include "kernels/quick/elements-inl.h"
#include "kernels/quick/forms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

// The quick forms' rows. Vectors with lanes that the quick form does not serve get these from the exact arithmetic.
template <class F, std::size_t derivatives>
using Rescue = std::conditional_t<(derivatives == 0                  ? single_of<F>().value
                                   : derivatives == Arity<F>::inputs ? single_of<F>().slope
                                                                     : single_of<F>().all),
                                  SingleTag, Wide>;

template <class F, class D, std::size_t count>
HWY_INLINE void exact_of(const Lane<D>* x, const Lane<D>* p, Lane<D>* result) {
  const Lane<D> e = Lane<D>::constant(0.0);
  if constexpr (count == 0) {
    result[0] = call<F, Training>(x, p, e);
  } else if constexpr (count == 1 && has_derivative<F, D>(typename Arity<F>::Parameters())) {
    result[0] = closed_derivative<F, D>(x[0], p, typename Arity<F>::Parameters());
  } else if constexpr (count == Arity<F>::inputs) {
    using A = Arity<F>;
    using Number = Dual<Lane<D>, static_cast<int>(A::inputs)>;
    Number seeded[A::inputs];
    for (std::size_t k = 0; k < A::inputs; ++k) {
      seeded[k] = lift<Number>(x[k]);
      seeded[k].d[k] = Lane<D>::constant(1.0);
    }
    const Number y = call<F, Training>(seeded, p, e);
    for (std::size_t k = 0; k < A::inputs; ++k) result[k] = with_nan_of<F>(y.d[k], x);
  } else {
    using A = Arity<F>;
    using Number = Dual<Lane<D>, static_cast<int>(count)>;
    Number seeded[count + 1];
    for (std::size_t k = 0; k < count; ++k) {
      seeded[k] = lift<Number>(k < A::inputs ? x[k] : p[k - A::inputs]);
      seeded[k].d[k] = Lane<D>::constant(1.0);
    }
    const Number y = call<F, Training>(seeded, seeded + A::inputs, e);
    for (std::size_t k = 0; k < count; ++k) result[k] = with_nan_of<F>(y.d[k], x);
  }
}

// count = 0: the value; else that many derivatives. Values of parameters as doubles.
template <class F, std::size_t count>
HWY_NOINLINE HWY_ATTR void rescue(const Float* x, const double* parameter, Float* result) {
  using A = Arity<F>;
  using D = Rescue<F, count>;
  constexpr std::size_t results = count == 0 ? 1 : count;
  Lane<D> p[A::parameters + 1];
  for (std::size_t k = 0; k < A::parameters; ++k) p[k] = Lane<D>::constant(parameter[k]);
  if constexpr (std::is_same_v<D, SingleTag>) {
    exact_of<F, D, count>(x, p, result);
  } else {
    constexpr std::size_t lanes = hn::MaxLanes(SingleTag()), half = hn::MaxLanes(D());
    HWY_ALIGN float in[A::inputs][lanes];
    HWY_ALIGN float out[results][lanes];
    for (std::size_t k = 0; k < A::inputs; ++k) hn::Store(x[k].v, SingleTag(), in[k]);
    for (std::size_t part = 0; part < lanes; part += half) {
      Lane<D> wide[A::inputs], y[results];
      for (std::size_t k = 0; k < A::inputs; ++k) wide[k] = read<D>(in[k], part);
      exact_of<F, D, count>(wide, p, y);
      for (std::size_t k = 0; k < results; ++k) write<D>(y[k], out[k], part);
    }
    for (std::size_t k = 0; k < results; ++k) result[k] = {hn::Load(SingleTag(), out[k])};
  }
}

template <class F, class T>
HWY_INLINE bool values_of(const Row<T>& row, double* value) {
  bool uniform = true;
  for (std::size_t k = 0; k < Arity<F>::parameters; ++k) {
    uniform = uniform && row.parameter[k].data == nullptr;
    value[k] = row.parameter[k].value;
  }
  return uniform;
}

// Which lanes of a value are good: some forms tell from the value, too.
template <class Q>
concept JudgesValue = requires(const Q& quick, const Float* x, Float y) {
  quick.inside(x, y);
};
// Some forms compare under the mask of what was compared before, which costs nothing, where a conjunction of masks
// does.
template <class Q>
concept Chains = requires(const Q& quick, const Float* x, FloatTruth before) {
  quick.inside(before, x);
};
template <class Q>
HWY_INLINE FloatTruth inside_of(const Q& quick, const Float* x, Float y) {
  if constexpr (JudgesValue<Q>) {
    return quick.inside(x, y);
  } else {
    return quick.inside(x);
  }
}

// Forms that serve every float, NaN included, say so with `total`, and nothing is asked of their lanes.
template <class Q>
concept Total = Q::total;

template <class F>
struct QuickRows {
  // So many vectors are asked at once whether all their lanes are inside: the mask's way into a branch costs as much as
  // two of the form's instructions.
  using A = Arity<F>;
  static constexpr std::size_t group = 4;
  template <class E>
  using In = const typename E::Element* const*;
  template <class E>
  using Out = typename E::Element*;

  template <class E>
  static HWY_INLINE void read_inputs(In<E> input, std::size_t i, std::size_t v, Float* x) {
    for (std::size_t k = 0; k < A::inputs; ++k) x[k] = E::read(input[k] + i, v);
  }

  template <class Q>
  static HWY_INLINE FloatTruth inside_too(FloatTruth before, const Q& quick, const Float* x, FloatTruth inside) {
    if constexpr (Chains<Q>) {
      return quick.inside(before, x);
    } else {
      return {hn::And(before.m, inside.m)};
    }
  }

  // The inputs are read anew where lanes are outside, so that until then no register has to hold them.
  template <class E, std::size_t count, class Q>
  static HWY_INLINE void forward_step(const Q& quick, In<E> input, const double* parameter, Out<E> y, std::size_t i,
                                      bool stream) {
    if (HWY_UNLIKELY(stream)) {
      for (std::size_t k = 0; k < A::inputs; ++k) E::template fetch<count>(input[k] + i);
    }
    Float value[count];
    FloatTruth all = {hn::FirstN(SingleTag(), hn::MaxLanes(SingleTag()))};
#pragma GCC unroll 4
    for (std::size_t v = 0; v < count; ++v) {
      Float x[A::inputs];
      read_inputs<E>(input, i, v, x);
      value[v] = quick(x);
      if constexpr (Total<Q>) {
        E::write(value, v, y + i, stream);
      } else {
        all = inside_too(all, quick, x, inside_of(quick, x, value[v]));
      }
    }
    if constexpr (!Total<Q>) {
      if (HWY_UNLIKELY(!hn::AllTrue(SingleTag(), all.m))) {
#pragma GCC unroll 4
        for (std::size_t v = 0; v < count; ++v) {
          Float x[A::inputs], exact;
          read_inputs<E>(input, i, v, x);
          const FloatTruth inside = inside_of(quick, x, value[v]);
          if (hn::AllTrue(SingleTag(), inside.m)) continue;
          rescue<F, 0>(x, parameter, &exact);
          value[v] = select(inside, value[v], exact);
        }
      }
#pragma GCC unroll 4
      for (std::size_t v = 0; v < count; ++v) E::write(value, v, y + i, stream);
    }
  }

  // Where a selection costs three instructions, lanes with NaN or what is too large in one of two inputs are left to
  // the rescue; else NaN is put into the derivatives. One input's NaN is outside the form's range already.
  template <class Q>
  static constexpr bool without_nan = A::inputs == 2 && !OGEE_AVX512_TARGET && !Total<Q> && !Chains<Q>;
  template <class Q>
  static HWY_INLINE FloatTruth slopes_inside(const Q& quick, const Float* x) {
    if constexpr (without_nan<Q>) {
      return {hn::And(quick.inside(x).m, (abs(x[0] + x[1]) < 3e38).m)};
    } else {
      return quick.inside(x);
    }
  }

  template <class E, std::size_t count, class Q>
  static HWY_INLINE void backward_step(const Q& quick, In<E> input, const double* parameter,
                                       const typename E::Element* dy, const Out<E>* dx, std::size_t i, bool stream) {
    if (HWY_UNLIKELY(stream)) {
      for (std::size_t k = 0; k < A::inputs; ++k) E::template fetch<count>(input[k] + i);
      E::template fetch<count>(dy + i);
    }
    Float slope[count][A::inputs + A::parameters];
    FloatTruth all = {hn::FirstN(SingleTag(), hn::MaxLanes(SingleTag()))};
#pragma GCC unroll 4
    for (std::size_t v = 0; v < count; ++v) {
      Float x[A::inputs];
      read_inputs<E>(input, i, v, x);
      quick(x, slope[v]);
      if constexpr (!Total<Q>) all = inside_too(all, quick, x, slopes_inside(quick, x));
      if constexpr (A::inputs > 1 && !without_nan<Q>) {
        for (std::size_t k = 0; k < A::inputs; ++k) slope[v][k] = with_nan_of<F>(slope[v][k], x);
      }
    }
    if constexpr (!Total<Q>) {
      if (HWY_UNLIKELY(!hn::AllTrue(SingleTag(), all.m))) {
#pragma GCC unroll 4
        for (std::size_t v = 0; v < count; ++v) {
          Float x[A::inputs], exact[A::inputs];
          read_inputs<E>(input, i, v, x);
          const FloatTruth inside = slopes_inside(quick, x);
          if (hn::AllTrue(SingleTag(), inside.m)) continue;
          rescue<F, A::inputs>(x, parameter, exact);
          for (std::size_t k = 0; k < A::inputs; ++k) slope[v][k] = select(inside, slope[v][k], exact[k]);
        }
      }
    }
    Float flow[count];  // read before anything is written, as dx may be the same memory
#pragma GCC unroll 4
    for (std::size_t v = 0; v < count; ++v) flow[v] = E::read(dy + i, v);
    for (std::size_t k = 0; k < A::inputs; ++k) {
      Float result[count];
#pragma GCC unroll 4
      for (std::size_t v = 0; v < count; ++v) {
        result[v] = flow[v] * slope[v][k];
        E::write(result, v, dx[k] + i, stream);
      }
    }
  }

  template <class E, class Q>
  static HWY_INLINE void forward_over(const Q& quick, const double* parameter, const Row<typename E::Element>& row,
                                      std::size_t n) {
    constexpr std::size_t lanes = hn::MaxLanes(SingleTag());
    const typename E::Element* input[A::inputs];
    for (std::size_t k = 0; k < A::inputs; ++k) input[k] = row.input[k];
    const Out<E> y = row.y;
    const bool stream = row.stream;
    std::size_t i = 0;
    for (; i + group * lanes <= n; i += group * lanes) forward_step<E, group>(quick, input, parameter, y, i, stream);
    for (; i < n; i += E::together * lanes) forward_step<E, E::together>(quick, input, parameter, y, i, stream);
  }
  template <class E, class Q>
  static HWY_INLINE void backward_over(const Q& quick, const double* parameter, const Row<typename E::Element>& row,
                                       std::size_t n) {
    constexpr std::size_t lanes = hn::MaxLanes(SingleTag());
    const typename E::Element* input[A::inputs];
    Out<E> dx[A::inputs];
    for (std::size_t k = 0; k < A::inputs; ++k) {
      input[k] = row.input[k];
      dx[k] = row.dx[k];
    }
    const typename E::Element* const dy = row.dy;
    const bool stream = row.stream;
    std::size_t i = 0;
    for (; i + group * lanes <= n; i += group * lanes) {
      backward_step<E, group>(quick, input, parameter, dy, dx, i, stream);
    }
    for (; i < n; i += E::together * lanes) {
      backward_step<E, E::together>(quick, input, parameter, dy, dx, i, stream);
    }
  }

  static HWY_ATTR void forward(const Row<float>& row, std::size_t n) {
    double parameter[A::parameters + 1];
    const bool uniform = values_of<F>(row, parameter);
    QuickValue<F> quick;
    if (!quick.load(parameter) || !uniform) return forward_row<float, Rescue<F, 0>, F, Training>(row, n);
    forward_over<Floats>(quick, parameter, row, n);
  }

  static HWY_ATTR void backward(const Row<float>& row, std::size_t n) {
    double parameter[A::parameters + 1];
    const bool uniform = values_of<F>(row, parameter);
    QuickSlopes<F> quick;
    if (!quick.load(parameter) || !uniform) return backward_row<float, Rescue<F, A::inputs>, F, Training>(row, n);
    backward_over<Floats>(quick, parameter, row, n);
  }

#if OGEE_QUICK_TARGET
  // Where there is no quick form, these are for definitions that float itself keeps within the contract.
  static HWY_ATTR bool forward_bfloat16(const Row<std::uint16_t>& row, std::size_t n) {
    double parameter[A::parameters + 1];
    const bool uniform = values_of<F>(row, parameter);
    std::conditional_t<QuickValue<F>::exists, QuickValue<F>, DefinedValue<F>> quick;
    if (!quick.load(parameter) || !uniform) return false;
    forward_over<Bfloats>(quick, parameter, row, n);
    return true;
  }

  static HWY_ATTR bool backward_bfloat16(const Row<std::uint16_t>& row, std::size_t n) {
    double parameter[A::parameters + 1];
    const bool uniform = values_of<F>(row, parameter);
    std::conditional_t<QuickSlopes<F>::exists, QuickSlopes<F>, DefinedSlopes<F>> quick;
    if (!quick.load(parameter) || !uniform) return false;
    backward_over<Bfloats>(quick, parameter, row, n);
    return true;
  }
#endif

  static HWY_ATTR void backward_all(const Row<float>& row, std::size_t n) {
    constexpr std::size_t total = A::inputs + A::parameters;
    const std::size_t lanes = hn::Lanes(SingleTag());
    double parameter[A::parameters + 1];
    const bool uniform = values_of<F>(row, parameter);
    bool summing = true;
    for (std::size_t k = 0; k < A::parameters; ++k) summing = summing && row.elements[k] == nullptr;
    QuickSlopes<F> quick;
    if (!quick.load(parameter) || !uniform || !summing) {
      return backward_all_row<float, Rescue<F, total>, F, Training>(row, n);
    }
    const float* input[A::inputs];
    float* dx[A::inputs];
    for (std::size_t k = 0; k < A::inputs; ++k) {
      input[k] = row.input[k];
      dx[k] = row.dx[k];
    }
    const float* const dy = row.dy;
    for (std::size_t begin = 0; begin < n; begin += longest_sum) {
      const std::size_t end = n - begin < longest_sum ? n : begin + longest_sum;
      Float sums[A::parameters];
      for (std::size_t k = 0; k < A::parameters; ++k) sums[k] = Float::constant(0.0);
      for (std::size_t i = begin; i < end; i += lanes) {
        Float x[A::inputs], slope[total];
        for (std::size_t k = 0; k < A::inputs; ++k) x[k] = read<SingleTag>(input[k], i);
        quick(x, slope);
        const FloatTruth inside = quick.inside(x);
        if (HWY_UNLIKELY(!hn::AllTrue(SingleTag(), inside.m))) {
          Float exact[total];
          rescue<F, total>(x, parameter, exact);
          for (std::size_t k = 0; k < total; ++k) slope[k] = select(inside, slope[k], exact[k]);
        }
        const Float flow = read<SingleTag>(dy, i);
        for (std::size_t k = 0; k < A::inputs; ++k) {
          write<SingleTag>(flow * (A::inputs == 1 ? slope[k] : with_nan_of<F>(slope[k], x)), dx[k], i);
        }
        for (std::size_t k = 0; k < A::parameters; ++k) sums[k] = fused(flow, slope[A::inputs + k], sums[k]);
      }
      for (std::size_t k = 0; k < A::parameters; ++k) *row.sum[k] += sum_of(sums[k]);
    }
  }
};

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
