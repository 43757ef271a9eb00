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

template <class D, bool whole, class T>
HWY_INLINE void write_if_there(Lane<D> v, const Array<T>& a, std::ptrdiff_t r, Place<D, whole> at) {
  if (a.data != nullptr) write(v, a, r, at);
}
template <class D, bool whole, class T>
HWY_INLINE Lane<D> read_if_there(const Array<T>& a, std::ptrdiff_t r, Place<D, whole> at) {
  return a.data != nullptr ? read(a, r, at) : Lane<D>::constant(0.0);
}

template <class T>
HWY_ATTR void add_peephole(std::size_t rows, std::size_t units, Array<const T> x, const T* w, Array<const T> c,
                           Array<T> out) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(rows, units, [&](std::ptrdiff_t r, auto at) HWY_ATTR {
    write(fused(read(w, at), read(c, r, at), read(x, r, at)), out, r, at);
  });
}

template <class T>
HWY_ATTR void lstm_cell(const LstmRows<T>& s) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(s.rows, s.units, [&](std::ptrdiff_t r, auto at) HWY_ATTR {
    const Lane<D> kept = read(s.forget, r, at) * read(s.c_before, r, at);
    write(fused(read(s.input, r, at), read(s.candidate, r, at), kept), s.c, r, at);
  });
}
template <class T>
HWY_ATTR void lstm_output(const LstmRows<T>& s) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(s.rows, s.units, [&](std::ptrdiff_t r, auto at) HWY_ATTR {
    write(read(s.output, r, at) * read(s.shown, r, at), s.h, r, at);
  });
}

// h = o phi(c), c = f c_before + i g; o's pre-activation has w_o c, those of i and f have w_i c_before, w_f c_before.
template <class T>
HWY_ATTR void lstm_backward(const LstmRows<T>& s) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(s.rows, s.units, [&](std::ptrdiff_t r, auto at) HWY_ATTR {
    const Lane<D> dh = read_if_there(s.dh, r, at) + read_if_there(s.dh_more, r, at);
    const Lane<D> by_output = dh * read(s.shown, r, at), by_shown = dh * read(s.output, r, at);
    const Lane<D> d_output = by_output * read(s.output_slope, r, at);
    Lane<D> dc = fused(by_shown, read(s.shown_slope, r, at), read_if_there(s.dc, r, at));
    if (s.to_output != nullptr) dc = fused(d_output, read(s.to_output, at), dc);

    const Lane<D> by_input = dc * read(s.candidate, r, at), by_forget = dc * read(s.c_before, r, at),
                  by_candidate = dc * read(s.input, r, at);
    const Lane<D> d_input = by_input * read(s.input_slope, r, at), d_forget = by_forget * read(s.forget_slope, r, at);
    Lane<D> dc_before = dc * read(s.forget, r, at);
    if (s.to_input != nullptr) {
      dc_before = fused(d_input, read(s.to_input, at), dc_before);
      dc_before = fused(d_forget, read(s.to_forget, at), dc_before);
    }
    const Lane<D> d_candidate = by_candidate * read(s.candidate_slope, r, at);
    write(d_input, s.d_input, r, at);
    write(d_forget, s.d_forget, r, at);
    write(d_candidate, s.d_candidate, r, at);
    write(d_output, s.d_output, r, at);
    write(dc_before, s.dc_before, r, at);
    write_if_there(by_input, s.by_input, r, at);
    write_if_there(by_forget, s.by_forget, r, at);
    write_if_there(by_candidate, s.by_candidate, r, at);
    write_if_there(by_output, s.by_output, r, at);
    write_if_there(by_shown, s.by_shown, r, at);
  });
}

template <class T>
HWY_ATTR void gru_candidate(const GruRows<T>& s) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(s.rows, s.units, [&](std::ptrdiff_t r, auto at) HWY_ATTR {
    const Lane<D> kept = fused(read(s.reset, r, at), read(s.from_h, r, at), read(s.from_x, r, at));
    write(kept, s.a, r, at);
  });
}
template <class T>
HWY_ATTR void gru_output(const GruRows<T>& s) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(s.rows, s.units, [&](std::ptrdiff_t r, auto at) HWY_ATTR {
    const Lane<D> n = read(s.candidate, r, at), before = read(s.h_before, r, at);
    const Lane<D> h =
        s.minimal ? fused(read(s.reset, r, at), n - before, before) : fused(read(s.update, r, at), before - n, n);
    write(h, s.h, r, at);
  });
}
// GRU: h = n + z (h_before - n); MGU: h = h_before + f (n - h_before); both n = phi(from_x + r from_h), r = f for MGU.
template <class T>
HWY_ATTR void gru_backward(const GruRows<T>& s) {
  using D = hn::ScalableTag<T>;
  for_vectors<D>(s.rows, s.units, [&](std::ptrdiff_t r, auto at) HWY_ATTR {
    const Lane<D> dh = read_if_there(s.dh, r, at) + read_if_there(s.dh_more, r, at);
    const Lane<D> n = read(s.candidate, r, at), before = read(s.h_before, r, at);
    const Lane<D> reset = read(s.reset, r, at), share = s.minimal ? reset : read(s.update, r, at);
    const Lane<D> shared = dh * share, rest = dh - shared;
    const Lane<D> by_candidate = s.minimal ? shared : rest;
    const Lane<D> d_a = by_candidate * read(s.candidate_slope, r, at);
    Lane<D> by_reset = d_a * read(s.from_h, r, at);
    const Lane<D> by_share = dh * (s.minimal ? n - before : before - n);
    if (s.minimal) by_reset = by_reset + by_share;
    write(s.minimal ? rest : shared, s.dh_before, r, at);
    write(d_a, s.d_from_x, r, at);
    write(d_a * reset, s.d_from_h, r, at);
    write(by_reset * read(s.reset_slope, r, at), s.d_reset, r, at);
    write_if_there(by_reset, s.by_reset, r, at);
    write_if_there(by_candidate, s.by_candidate, r, at);
    if (!s.minimal) {
      write(by_share * read(s.update_slope, r, at), s.d_update, r, at);
      write_if_there(by_share, s.by_update, r, at);
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
  const auto add_rows = [&](auto at) HWY_ATTR {
    Lane<D> total = Lane<D>::constant(0.0);
    for (std::ptrdiff_t r = 0; r < static_cast<std::ptrdiff_t>(rows); ++r) {
      const Lane<D> x = read(a, r, at);
      total = b.data == nullptr ? total + x : fused(x, read(b, r, at), total);
    }
    hn::Store(total.v, D(), few);
  };
  std::size_t j = 0;
  for (; j + lanes <= units; j += lanes) {
    add_rows(Place<D, true>{j, lanes});
    for (std::size_t i = 0; i < lanes; i += wide_lanes) {
      hn::StoreU(hn::Add(hn::LoadU(wide, sum + j + i), widened(few + i).v), wide, sum + j + i);
    }
  }
  if (j == units) return;
  add_rows(Place<D, false>{j, units - j});
  for (std::size_t i = 0; j + i < units; ++i) sum[j + i] += static_cast<double>(few[i]);
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
