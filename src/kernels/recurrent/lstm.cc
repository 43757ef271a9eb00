// A step of an LSTM (Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber, Cummins 2000; peepholes: Gers,
// Schraudolph, Schmidhuber 2002):
//
//   c = phi_f(f + w_f c_before) c_before + phi_i(i + w_i c_before) phi_g(g),   h = phi_o(o + w_o c) phi_c(c)
#include "kernels/recurrent/scratch.h"

namespace ogee::kernels::recurrent {
namespace {

// The arrays of a step from row `first` on.
template <class T>
struct At {
  At(const Step<T>& step, std::size_t first) : step_(step), first_(first) {}
  template <class U>
  Array<U> state(U* data) const {
    if (data == nullptr) return {};
    return {data + first_ * step_.units, static_cast<std::ptrdiff_t>(step_.units)};
  }
  template <class U>
  Array<U> sums(U* data, std::size_t place) const {
    return {data + (4 * first_ + place) * step_.units, static_cast<std::ptrdiff_t>(4 * step_.units)};
  }
  const T* peephole(std::size_t gate) const {
    return step_.peephole == nullptr ? nullptr : step_.peephole + gate * step_.units;
  }

 private:
  const Step<T>& step_;
  std::size_t first_;
};
// A peephole's places in its weights.
constexpr std::size_t to_input = 0, to_forget = 1, to_output = 2;

// A pre-activation with what a peephole adds, in `room`.
template <class T>
Array<const T> seen(const T* weights, std::size_t rows, std::size_t units, Array<const T> x, Array<const T> c,
                    Array<T> room) {
  if (weights == nullptr) return x;
  join_kernels<T>().add_peephole(rows, units, x, weights, c, room);
  return constant(room);
}

template <class T>
void forward_piece(const Step<T>& s, std::size_t first, std::size_t rows) {
  constexpr std::size_t I = 0, F = 1, G = 2, O = 3, C = 4, XI = 5, XF = 6, XO = 7, buffers = 8;
  Scratch<T>& scratch = Scratch<T>::of(buffers, rows, s.units);
  const Piece<T> piece(s, first, rows, scratch);
  const At<T> at(s, first);
  const Array<const T> before = at.state(s.before), c = at.state(static_cast<const T*>(s.c));
  const auto with_peephole = [&](std::size_t which, std::size_t place, Array<const T> state, std::size_t room) {
    return seen(at.peephole(which), rows, s.units, at.sums(s.sums, place), state, scratch[room]);
  };
  piece.forward(input_gate, with_peephole(to_input, 0, before, XI), scratch[I]);
  piece.forward(forget_gate, with_peephole(to_forget, 1, before, XF), scratch[F]);
  piece.forward(candidate, at.sums(s.sums, 2), scratch[G]);
  LstmRows<T> join{};
  join.rows = rows;
  join.units = s.units;
  join.input = constant(scratch[I]);
  join.forget = constant(scratch[F]);
  join.candidate = constant(scratch[G]);
  join.output = constant(scratch[O]);
  join.shown = constant(scratch[C]);
  join.c_before = before;
  join.c = at.state(s.c);
  join.h = at.state(s.h);
  join_kernels<T>().lstm_cell(join);
  piece.forward(output_gate, with_peephole(to_output, 3, c, XO), scratch[O]);
  piece.forward(cell_output, c, scratch[C]);
  join_kernels<T>().lstm_output(join);
}

template <class T>
void backward_piece(const Step<T>& s, std::size_t first, std::size_t rows) {
  // For each of the five activations: value, slope, derivative by p, gradient by the value; and three pre-activations
  // with peepholes.
  constexpr std::size_t I = 0, F = 4, G = 8, O = 12, C = 16, XI = 20, XF = 21, XO = 22, Unused = 23, buffers = 24;
  constexpr std::size_t value = 0, slope = 1, by_p = 2, by_value = 3;
  Scratch<T>& scratch = Scratch<T>::of(buffers, rows, s.units);
  const Piece<T> piece(s, first, rows, scratch);
  const At<T> at(s, first);
  const Array<const T> before = at.state(s.before), c = at.state(static_cast<const T*>(s.c));
  const auto with_peephole = [&](std::size_t which, std::size_t place, Array<const T> state, std::size_t room) {
    return seen(at.peephole(which), rows, s.units, at.sums(s.sums, place), state, scratch[room]);
  };
  const Array<const T> x[lstm_slots] = {with_peephole(to_input, 0, before, XI), with_peephole(to_forget, 1, before, XF),
                                        at.sums(s.sums, 2), with_peephole(to_output, 3, c, XO), c};
  const std::size_t room[lstm_slots] = {I, F, G, O, C};
  for (std::size_t k = 0; k < lstm_slots; ++k) {
    piece.backward(k, x[k], scratch[room[k] + value], scratch[room[k] + slope],
                   piece.wants_by_p(k) ? scratch[room[k] + by_p] : Array<T>{}, scratch[Unused]);
  }
  const auto by = [&](std::size_t slot) { return piece.learns(slot) ? scratch[room[slot] + by_value] : Array<T>{}; };
  LstmRows<T> join{};
  join.rows = rows;
  join.units = s.units;
  join.input = constant(scratch[I + value]);
  join.forget = constant(scratch[F + value]);
  join.candidate = constant(scratch[G + value]);
  join.output = constant(scratch[O + value]);
  join.shown = constant(scratch[C + value]);
  join.input_slope = constant(scratch[I + slope]);
  join.forget_slope = constant(scratch[F + slope]);
  join.candidate_slope = constant(scratch[G + slope]);
  join.output_slope = constant(scratch[O + slope]);
  join.shown_slope = constant(scratch[C + slope]);
  join.c_before = before;
  join.dh = at.state(s.dh);
  join.dh_more = at.state(s.dh_more);
  join.dc = at.state(s.dc);
  join.to_input = at.peephole(to_input);
  join.to_forget = at.peephole(to_forget);
  join.to_output = at.peephole(to_output);
  join.d_input = at.sums(s.d_sums, 0);
  join.d_forget = at.sums(s.d_sums, 1);
  join.d_candidate = at.sums(s.d_sums, 2);
  join.d_output = at.sums(s.d_sums, 3);
  join.dc_before = at.state(s.d_before);
  join.by_input = by(input_gate);
  join.by_forget = by(forget_gate);
  join.by_candidate = by(candidate);
  join.by_output = by(output_gate);
  join.by_shown = by(cell_output);

  join_kernels<T>().lstm_backward(join);
  double* totals = s.totals;
  for (std::size_t k = 0; k < lstm_slots; ++k) {
    if (!piece.learns(k)) continue;
    piece.add_totals(k, x[k], constant(by(k)), constant(scratch[room[k] + by_p]), totals, scratch[Unused]);
    totals += piece.gate(k).places.size() * s.units;
  }
  if (s.peephole == nullptr || s.totals == nullptr) return;
  const auto& accumulate = join_kernels<T>().accumulate;
  accumulate(rows, s.units, constant(join.d_input), before, totals);
  accumulate(rows, s.units, constant(join.d_forget), before, totals + s.units);
  accumulate(rows, s.units, constant(join.d_output), c, totals + 2 * s.units);
}

}  // namespace

template <class T>
void lstm_forward(const Step<T>& step, std::size_t first_row, std::size_t last_row) {
  for_pieces(step.units, first_row, last_row, [&](std::size_t r, std::size_t rows) { forward_piece(step, r, rows); });
}
template <class T>
void lstm_backward(const Step<T>& step, std::size_t first_row, std::size_t last_row) {
  for_pieces(step.units, first_row, last_row, [&](std::size_t r, std::size_t rows) { backward_piece(step, r, rows); });
}

template void lstm_forward<float>(const Step<float>&, std::size_t, std::size_t);
template void lstm_forward<double>(const Step<double>&, std::size_t, std::size_t);
template void lstm_backward<float>(const Step<float>&, std::size_t, std::size_t);
template void lstm_backward<double>(const Step<double>&, std::size_t, std::size_t);

}  // namespace ogee::kernels::recurrent
