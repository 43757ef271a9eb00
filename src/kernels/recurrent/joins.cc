// What joins the gates of recurrent cells, by SIMD: each step reads and writes every element once.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/recurrent/joins.cc"
#include "hwy/foreach_target.h"
//
#include "kernels/recurrent/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {
namespace {

using kernels::recurrent::Array;
using kernels::recurrent::GruRows;
using kernels::recurrent::JoinTable;
using kernels::recurrent::LstmRows;

template <class D, class T>
HWY_INLINE void write_if_there(Lane<D> v, const Array<T>& a, std::ptrdiff_t r, Place<D> at) {
  if (a.data != nullptr) write<D>(v, a, r, at);
}
template <class D, class T>
HWY_INLINE Lane<D> read_if_there(const Array<T>& a, std::ptrdiff_t r, Place<D> at) {
  return a.data != nullptr ? read<D>(a, r, at) : Lane<D>::constant(0.0);
}

template <class T>
HWY_ATTR void add_peephole(std::size_t rows, std::size_t units, Array<const T> x, const T* w, Array<const T> c,
                           Array<T> out) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(rows, units, [&](std::ptrdiff_t r, Place<D> at) HWY_ATTR {
    write<D>(fused(read<D>(w, at), read<D>(c, r, at), read<D>(x, r, at)), out, r, at);
  });
}

template <class T>
HWY_ATTR void lstm_cell(const LstmRows<T>& s) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(s.rows, s.units, [&](std::ptrdiff_t r, Place<D> at) HWY_ATTR {
    const Lane<D> kept = read<D>(s.forget, r, at) * read<D>(s.c_before, r, at);
    write<D>(fused(read<D>(s.input, r, at), read<D>(s.candidate, r, at), kept), s.c, r, at);
  });
}
template <class T>
HWY_ATTR void lstm_output(const LstmRows<T>& s) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(s.rows, s.units, [&](std::ptrdiff_t r, Place<D> at) HWY_ATTR {
    write<D>(read<D>(s.output, r, at) * read<D>(s.shown, r, at), s.h, r, at);
  });
}

// h = o phi(c), c = f c_before + i g; o's pre-activation has w_o c, those of i and f have w_i c_before, w_f c_before.
template <class T>
HWY_ATTR void lstm_backward(const LstmRows<T>& s) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(s.rows, s.units, [&](std::ptrdiff_t r, Place<D> at) HWY_ATTR {
    const Lane<D> dh = read_if_there<D>(s.dh, r, at) + read_if_there<D>(s.dh_more, r, at);
    const Lane<D> by_output = dh * read<D>(s.shown, r, at), by_shown = dh * read<D>(s.output, r, at);
    const Lane<D> d_output = by_output * read<D>(s.output_slope, r, at);
    Lane<D> dc = fused(by_shown, read<D>(s.shown_slope, r, at), read_if_there<D>(s.dc, r, at));
    if (s.to_output != nullptr) dc = fused(d_output, read<D>(s.to_output, at), dc);

    const Lane<D> by_input = dc * read<D>(s.candidate, r, at), by_forget = dc * read<D>(s.c_before, r, at),
                  by_candidate = dc * read<D>(s.input, r, at);
    const Lane<D> d_input = by_input * read<D>(s.input_slope, r, at),
                  d_forget = by_forget * read<D>(s.forget_slope, r, at);
    Lane<D> dc_before = dc * read<D>(s.forget, r, at);
    if (s.to_input != nullptr) {
      dc_before = fused(d_input, read<D>(s.to_input, at), dc_before);
      dc_before = fused(d_forget, read<D>(s.to_forget, at), dc_before);
    }
    const Lane<D> d_candidate = by_candidate * read<D>(s.candidate_slope, r, at);
    write<D>(d_input, s.d_input, r, at);
    write<D>(d_forget, s.d_forget, r, at);
    write<D>(d_candidate, s.d_candidate, r, at);
    write<D>(d_output, s.d_output, r, at);
    write<D>(dc_before, s.dc_before, r, at);
    write_if_there<D>(by_input, s.by_input, r, at);
    write_if_there<D>(by_forget, s.by_forget, r, at);
    write_if_there<D>(by_candidate, s.by_candidate, r, at);
    write_if_there<D>(by_output, s.by_output, r, at);
    write_if_there<D>(by_shown, s.by_shown, r, at);
  });
}

template <class T>
HWY_ATTR void gru_candidate(const GruRows<T>& s) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(s.rows, s.units, [&](std::ptrdiff_t r, Place<D> at) HWY_ATTR {
    const Lane<D> kept = fused(read<D>(s.reset, r, at), read<D>(s.from_h, r, at), read<D>(s.from_x, r, at));
    write<D>(kept, s.a, r, at);
  });
}
template <class T>
HWY_ATTR void gru_output(const GruRows<T>& s) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(s.rows, s.units, [&](std::ptrdiff_t r, Place<D> at) HWY_ATTR {
    const Lane<D> n = read<D>(s.candidate, r, at), before = read<D>(s.h_before, r, at);
    const Lane<D> h =
        s.minimal ? fused(read<D>(s.reset, r, at), n - before, before) : fused(read<D>(s.update, r, at), before - n, n);
    write<D>(h, s.h, r, at);
  });
}
// GRU: h = n + z (h_before - n); MGU: h = h_before + f (n - h_before); both n = phi(from_x + r from_h), r = f for MGU.
template <class T>
HWY_ATTR void gru_backward(const GruRows<T>& s) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(s.rows, s.units, [&](std::ptrdiff_t r, Place<D> at) HWY_ATTR {
    const Lane<D> dh = read_if_there<D>(s.dh, r, at) + read_if_there<D>(s.dh_more, r, at);
    const Lane<D> n = read<D>(s.candidate, r, at), before = read<D>(s.h_before, r, at);
    const Lane<D> reset = read<D>(s.reset, r, at), share = s.minimal ? reset : read<D>(s.update, r, at);
    const Lane<D> shared = dh * share, rest = dh - shared;
    const Lane<D> by_candidate = s.minimal ? shared : rest;
    const Lane<D> d_a = by_candidate * read<D>(s.candidate_slope, r, at);
    Lane<D> by_reset = d_a * read<D>(s.from_h, r, at);
    const Lane<D> by_share = dh * (s.minimal ? n - before : before - n);
    if (s.minimal) by_reset = by_reset + by_share;
    write<D>(s.minimal ? rest : shared, s.dh_before, r, at);
    write<D>(d_a, s.d_from_x, r, at);
    write<D>(d_a * reset, s.d_from_h, r, at);
    write<D>(by_reset * read<D>(s.reset_slope, r, at), s.d_reset, r, at);
    write_if_there<D>(by_reset, s.by_reset, r, at);
    write_if_there<D>(by_candidate, s.by_candidate, r, at);
    if (!s.minimal) {
      write<D>(by_share * read<D>(s.update_slope, r, at), s.d_update, r, at);
      write_if_there<D>(by_share, s.by_update, r, at);
    }
  });
}

HWY_INLINE Lane<hn::ScalableTag<double>> widened(const float* p) {
  const hn::ScalableTag<double> d;
  return {hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, decltype(d)>(), p))};
}
HWY_INLINE Lane<hn::ScalableTag<double>> widened(const double* p) { return {hn::LoadU(hn::ScalableTag<double>(), p)}; }

// The sum of a few rows in T, then of these sums in double.
template <class T>
HWY_ATTR void accumulate(std::size_t rows, std::size_t units, Array<const T> a, Array<const T> b, double* sum) {
  using D = hn::ScalableTag<T>;
  const hn::ScalableTag<double> wide;
  const std::size_t lanes = hn::Lanes(D()), wide_lanes = hn::Lanes(wide);
  HWY_ALIGN T few[hn::MaxLanes(D())];
  for (std::size_t j = 0; j < units; j += lanes) {
    const Place<D> at{j, j + lanes <= units ? lanes : units - j};
    Lane<D> total = Lane<D>::constant(0.0);
    for (std::ptrdiff_t r = 0; r < static_cast<std::ptrdiff_t>(rows); ++r) {
      const Lane<D> x = read<D>(a, r, at);
      total = b.data == nullptr ? total + x : fused(x, read<D>(b, r, at), total);
    }
    hn::Store(total.v, D(), few);
    std::size_t i = 0;
    for (; i + wide_lanes <= at.n; i += wide_lanes) {
      hn::StoreU(hn::Add(hn::LoadU(wide, sum + j + i), widened(few + i).v), wide, sum + j + i);
    }
    for (; i < at.n; ++i) sum[j + i] += static_cast<double>(few[i]);
  }
}

template <class T>
constexpr JoinTable<T> join_table = {add_peephole<T>,  lstm_cell<T>,  lstm_output<T>,  lstm_backward<T>,
                                     gru_candidate<T>, gru_output<T>, gru_backward<T>, accumulate<T>};

}  // namespace

const JoinTable<float>* float_joins() { return &join_table<float>; }
const JoinTable<double>* double_joins() { return &join_table<double>; }

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee {
HWY_EXPORT(float_joins);
HWY_EXPORT(double_joins);

namespace kernels::recurrent {
template <>
const JoinTable<float>& join_kernels<float>() {
  return *HWY_DYNAMIC_DISPATCH(float_joins)();
}
template <>
const JoinTable<double>& join_kernels<double>() {
  return *HWY_DYNAMIC_DISPATCH(double_joins)();
}
}  // namespace kernels::recurrent
}  // namespace ogee
#endif
