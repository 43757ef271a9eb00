// A step of a gated recurrent unit (Cho et al. 2014, 1406.1078; the reset gate applied to the product, as in cuDNN and
// LibTorch), and of a minimal gated unit (Zhou, Wu, Zhang, Zhou 2016, 1603.09420), whose one gate f is both:
//
//   GRU  n = phi(n_x + r n_h),  h = n + z (h_before - n)
//   MGU  n = phi(n_x + f n_h),  h = h_before + f (n - h_before)
#include "kernels/recurrent/scratch.h"

namespace ogee::kernels::recurrent {
namespace {

// The places of a cell's pre-activations: n from x, the gates, n from h.
struct At {
  std::size_t units, first, width;
  template <class T>
  Array<T> state(T* data) const {
    if (data == nullptr) return {};
    return {data + first * units, static_cast<std::ptrdiff_t>(units)};
  }
  template <class T>
  Array<T> sums(T* data, std::size_t place) const {
    return {data + (width * first + place) * units, static_cast<std::ptrdiff_t>(width * units)};
  }
};

template <class T>
GruRows<T> join_of(const Step<T>& s, bool minimal, const At& at, std::size_t rows) {
  GruRows<T> join{};
  join.rows = rows;
  join.units = s.units;
  join.minimal = minimal;
  join.from_x = at.sums(s.sums, 0);
  join.from_h = at.sums(s.sums, at.width - 1);
  join.h_before = at.state(s.before);
  return join;
}

template <class T>
void forward_piece(const Step<T>& s, bool minimal, std::size_t first, std::size_t rows) {
  constexpr std::size_t R = 0, Z = 1, N = 2, A = 3, buffers = 4;
  Scratch<T>& scratch = Scratch<T>::of(buffers, rows, s.units);
  const Piece<T> piece(s, first, rows, scratch);
  const At at{s.units, first, minimal ? std::size_t{3} : std::size_t{4}};
  piece.forward(reset_gate, at.sums(s.sums, 1), scratch[R]);
  if (!minimal) piece.forward(update_gate, at.sums(s.sums, 2), scratch[Z]);
  GruRows<T> join = join_of(s, minimal, at, rows);
  join.reset = constant(scratch[R]);
  join.update = constant(scratch[Z]);
  join.candidate = constant(scratch[N]);
  join.a = scratch[A];
  join.h = at.state(s.h);
  join_kernels<T>().gru_candidate(join);
  piece.forward((minimal ? mgu_slots : gru_slots) - 1, constant(scratch[A]), scratch[N]);
  join_kernels<T>().gru_output(join);
}

template <class T>
void backward_piece(const Step<T>& s, bool minimal, std::size_t first, std::size_t rows) {
  constexpr std::size_t R = 0, Z = 4, N = 8, A = 12, Unused = 13, buffers = 14;
  constexpr std::size_t value = 0, slope = 1, by_p = 2, by_value = 3;
  Scratch<T>& scratch = Scratch<T>::of(buffers, rows, s.units);
  const Piece<T> piece(s, first, rows, scratch);
  const At at{s.units, first, minimal ? std::size_t{3} : std::size_t{4}};
  const std::size_t slots = minimal ? mgu_slots : gru_slots;
  const std::size_t room[gru_slots] = {R, minimal ? N : Z, N};
  const Array<const T> x[gru_slots] = {at.sums(s.sums, 1), minimal ? constant(scratch[A]) : at.sums(s.sums, 2),
                                       constant(scratch[A])};
  const auto differentiate = [&](std::size_t k) {
    piece.backward(k, x[k], scratch[room[k] + value], scratch[room[k] + slope],
                   piece.wants_by_p(k) ? scratch[room[k] + by_p] : Array<T>{}, scratch[Unused]);
  };
  for (std::size_t k = 0; k + 1 < slots; ++k) differentiate(k);
  GruRows<T> join = join_of(s, minimal, at, rows);
  join.reset = constant(scratch[R + value]);
  join.update = constant(scratch[Z + value]);
  join.candidate = constant(scratch[N + value]);
  join.reset_slope = constant(scratch[R + slope]);
  join.update_slope = constant(scratch[Z + slope]);
  join.candidate_slope = constant(scratch[N + slope]);
  join.a = scratch[A];
  join_kernels<T>().gru_candidate(join);
  differentiate(slots - 1);

  join.dh = at.state(s.dh);
  join.dh_more = at.state(s.dh_more);
  join.d_from_x = at.sums(s.d_sums, 0);
  join.d_from_h = at.sums(s.d_sums, at.width - 1);
  join.d_reset = at.sums(s.d_sums, 1);
  if (!minimal) join.d_update = at.sums(s.d_sums, 2);
  join.dh_before = at.state(s.d_before);
  const auto by = [&](std::size_t slot) { return piece.learns(slot) ? scratch[room[slot] + by_value] : Array<T>{}; };
  join.by_reset = by(0);
  if (!minimal) join.by_update = by(update_gate);
  join.by_candidate = by(slots - 1);
  join_kernels<T>().gru_backward(join);
  double* totals = s.totals;
  for (std::size_t k = 0; k < slots; ++k) {
    if (!piece.learns(k)) continue;
    piece.add_totals(k, x[k], constant(by(k)), constant(scratch[room[k] + by_p]), totals, scratch[Unused]);
    totals += piece.gate(k).places.size() * s.units;
  }
}

}  // namespace

template <class T>
void gru_forward(const Step<T>& step, bool minimal, std::size_t first_row, std::size_t last_row) {
  for_pieces(step.units, first_row, last_row,
             [&](std::size_t r, std::size_t rows) { forward_piece(step, minimal, r, rows); });
}
template <class T>
void gru_backward(const Step<T>& step, bool minimal, std::size_t first_row, std::size_t last_row) {
  for_pieces(step.units, first_row, last_row,
             [&](std::size_t r, std::size_t rows) { backward_piece(step, minimal, r, rows); });
}

template void gru_forward<float>(const Step<float>&, bool, std::size_t, std::size_t);
template void gru_forward<double>(const Step<double>&, bool, std::size_t, std::size_t);
template void gru_backward<float>(const Step<float>&, bool, std::size_t, std::size_t);
template void gru_backward<double>(const Step<double>&, bool, std::size_t, std::size_t);

}  // namespace ogee::kernels::recurrent
