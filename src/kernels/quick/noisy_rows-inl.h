// How quick forms of functions with noise run over rows of floats, in training.
#if defined(OGEE_QUICK_NOISY_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_NOISY_ROWS_INL_H
#undef OGEE_QUICK_NOISY_ROWS_INL_H
#else
#define OGEE_QUICK_NOISY_ROWS_INL_H
#endif

#include <cmath>
#include <cstddef>

#include "kernels/kernel_table-inl.h"
#include "kernels/quick/forms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

// One vector through the exact arithmetic: the value, or the slope and, where asked for, the derivative by the learned
// parameter, which is the first.
HWY_NOINLINE HWY_ATTR inline void exact_noisy(kernels::Kernel<float> kernel, const Row<float>& row, Float x, Float e,
                                              Float* result, bool learned) {
  constexpr std::size_t lanes = hn::MaxLanes(SingleTag());
  HWY_ALIGN float in[lanes], noise[lanes], ones[lanes], out[2][lanes];
  hn::Store(x.v, SingleTag(), in);
  hn::Store(e.v, SingleTag(), noise);
  hn::Store(Float::constant(1.0).v, SingleTag(), ones);
  Row<float> one = row;
  one.input[0] = in;
  one.noise = {noise, 0};
  one.y = one.dx[0] = out[0];
  one.dy = ones;
  one.elements[0] = learned ? out[1] : nullptr;
  one.stream = false;
  kernel(one, lanes);
  result[0] = {hn::Load(SingleTag(), out[0])};
  if (learned) result[1] = {hn::Load(SingleTag(), out[1])};
}

// A form is loaded with the parameters' values and says whether it serves these. value() and slopes() say which lanes
// they serve.
template <class F>
struct NoisyRows {
  static HWY_ATTR void forward(const Row<float>& row, std::size_t n) {
    const std::size_t lanes = hn::Lanes(SingleTag());
    double parameter[Arity<F>::parameters + 1];
    const bool uniform = constants_of<F, SingleTag>(row, parameter);
    QuickValue<F> quick;
    if (!uniform || !quick.load(parameter)) return forward_row<float, Wide, F, Training>(row, n);
    const float* const input = row.input[0];
    float* const y = row.y;
    const bool stream = row.stream;
    for (std::size_t i = 0; i < n; i += lanes) {
      const Float x = read<SingleTag>(input, i), e = read<SingleTag>(row.noise, i);
      FloatTruth inside;
      Float value = quick.value(x, e, inside);
      if (HWY_UNLIKELY(!hn::AllTrue(SingleTag(), inside.m))) {
        Float exact;
        exact_noisy(forward_row<float, Wide, F, Training>, row, x, e, &exact, false);
        value = select(inside, value, exact);
      }
      write<SingleTag>(value, y, i, stream);
    }
  }

  static HWY_ATTR void backward(const Row<float>& row, std::size_t n) {
    const std::size_t lanes = hn::Lanes(SingleTag());
    double parameter[Arity<F>::parameters + 1];
    const bool uniform = constants_of<F, SingleTag>(row, parameter);
    QuickSlopes<F> quick;
    if (!uniform || !quick.load(parameter)) return backward_row<float, Wide, F, Training>(row, n);
    const float* const input = row.input[0];
    const float* const dy = row.dy;
    float* const dx = row.dx[0];
    const bool stream = row.stream;
    for (std::size_t i = 0; i < n; i += lanes) {
      const Float x = read<SingleTag>(input, i), e = read<SingleTag>(row.noise, i);
      FloatTruth inside;
      Float slope = quick.slope(x, e, inside);
      if (HWY_UNLIKELY(!hn::AllTrue(SingleTag(), inside.m))) {
        Float exact;
        exact_noisy(backward_row<float, Wide, F, Training>, row, x, e, &exact, false);
        slope = select(inside, slope, exact);
      }
      write<SingleTag>(read<SingleTag>(dy, i) * slope, dx, i, stream);
    }
  }

  static HWY_ATTR void backward_learned(const Row<float>& row, std::size_t n) {
    const std::size_t lanes = hn::Lanes(SingleTag());
    double parameter[Arity<F>::parameters + 1];
    const bool uniform = constants_of<F, SingleTag>(row, parameter);
    QuickSlopes<F> quick;
    const bool served = uniform && row.elements[0] == nullptr && quick.load(parameter);
    const double scale = served ? quick.learned_scale() : 0;
    if (std::fabs(scale) < 1e-20) return backward_learned_row<float, Wide, F, Training>(row, n);
    const float* const input = row.input[0];
    const float* const dy = row.dy;
    float* const dx = row.dx[0];
    for (std::size_t begin = 0; begin < n; begin += longest_sum) {
      const std::size_t end = n - begin < longest_sum ? n : begin + longest_sum;
      Float sum = Float::constant(0.0);
      for (std::size_t i = begin; i < end; i += lanes) {
        const Float x = read<SingleTag>(input, i), e = read<SingleTag>(row.noise, i);
        FloatTruth inside;
        Float d[2];
        quick.slopes(x, e, d, inside);
        if (HWY_UNLIKELY(!hn::AllTrue(SingleTag(), inside.m))) {
          Float exact[2];
          exact_noisy(backward_learned_row<float, Wide, F, Training>, row, x, e, exact, true);
          exact[1] = exact[1] * (1 / scale);
          for (std::size_t k = 0; k < 2; ++k) d[k] = select(inside, d[k], exact[k]);
        }
        const Float flow = read<SingleTag>(dy, i);
        write<SingleTag>(flow * d[0], dx, i);
        sum = fused(flow, d[1], sum);
      }
      *row.sum[0] += scale * sum_of(sum);
    }
  }
};

template <class F>
requires(Arity<F>::noisy) struct QuickRows<F> : NoisyRows<F> {
};

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
