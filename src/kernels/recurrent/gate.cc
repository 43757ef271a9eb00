// One activation of a recurrent cell over a few rows: by a kernel of its own, or by the catalogue's.
#include <string_view>
#include <utility>

#include "kernels/noise.h"
#include "kernels/recurrent/scratch.h"

namespace ogee::kernels::recurrent {
namespace {

Way way_of(std::string_view name) {
  if (name == "sigmoid") return Way::sigmoid;
  if (name == "tanh") return Way::tanh;
  if (name.starts_with("nan_") || name.starts_with("nah_")) {
    const std::string_view base = name.substr(4);
    if (base == "sigmoid") return Way::noisy_sigmoid;
    if (base == "tanh") return Way::noisy_tanh;
    if (base == "hard_sigmoid") return Way::noisy_hard_sigmoid;
    if (base == "hard_tanh") return Way::noisy_hard_tanh;
  }
  return Way::any;
}

}  // namespace

template <class T>
Gate<T>::Gate(const Activation& activation, std::vector<std::vector<double>> learned_values)
    : function(&activation.function()), learned(std::move(learned_values)) {
  const Spec& spec = activation.spec();
  values.assign(activation.parameters().begin(), activation.parameters().end());
  for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
    if (spec.parameters[k].role == Role::learned) places.push_back(k);
  }
  kind = spec.noise;
  noisy = spec.noise != Noise::none;
  at_evaluation = spec.noise_at_evaluation;
  way = way_of(spec.name);
  if (way == Way::sigmoid || way == Way::tanh || way == Way::any) return;
  if (activation.parameter("clip") > 0) {  // rare, and a case more in every vector
    way = Way::any;
    return;
  }
  alpha = activation.parameter("alpha");
  c = activation.parameter("c");
  half_normal = spec.name.starts_with("nah_");
  for (const double value : learned[0]) p.push_back(static_cast<T>(value));
}

template <class T>
GateRows<T> Piece<T>::rows_of(std::size_t slot, Array<const T> x, Array<T> y) const {
  const Gate<T>& g = gate(slot);
  GateRows<T> rows{rows_, step_.units, x, g.p.data(), g.alpha, g.c, g.half_normal, nullptr, 0, y, {}, {}};
  rows.constant = g.at_evaluation;
  if (!g.p.empty() && step_.mode == Mode::training) {
    // Whole groups of the generator, which are drawn faster than parts of them.
    constexpr std::size_t group = 32;
    const std::size_t begin = first_ * step_.units, from = begin / group * group;
    const std::size_t count = (begin + rows_ * step_.units - from + group - 1) / group * group;
    fill_noise(g.kind, key(slot), from, count, scratch_.noise());
    rows.noise = scratch_.noise() + (begin - from);
  }
  return rows;
}

template <class T>
Call Piece<T>::call_of(std::size_t slot, Array<const T> x) const {
  const Gate<T>& g = gate(slot);
  Call call;
  call.function = g.function;
  call.type = sizeof(T) == 4 ? Type::float32 : Type::float64;
  call.rows = rows_;
  call.length = step_.units;
  call.input[0] = {x.data, x.stride, 1};
  for (std::size_t k = 0; k < g.values.size(); ++k) call.parameter[k] = {&g.values[k], false};
  for (std::size_t k = 0; k < g.places.size(); ++k) call.parameter[g.places[k]] = {g.learned[k].data(), true};
  call.channels = step_.units;
  call.mode = step_.mode;
  call.noise = key(slot);
  call.first = first_ * step_.units;
  return call;
}

template <class T>
void Piece<T>::forward(std::size_t slot, Array<const T> x, Array<T> y) const {
  const Way way = gate(slot).way;
  if (way != Way::any) return gate_kernels<T>().forward[static_cast<std::size_t>(way)](rows_of(slot, x, y));
  Call call = call_of(slot, x);
  call.y = {y.data, y.stride, 1};
  ogee::forward(call);
}

template <class T>
void Piece<T>::backward(std::size_t slot, Array<const T> x, Array<T> y, Array<T> slope, Array<T> by_p,
                        Array<T> unused) const {
  const Way way = gate(slot).way;
  if (way != Way::any) {
    GateRows<T> rows = rows_of(slot, x, y);
    rows.slope = slope;
    rows.by_p = by_p;
    return gate_kernels<T>().backward[static_cast<std::size_t>(way)](rows);
  }
  Call call = call_of(slot, x);
  call.y = {y.data, y.stride, 1};
  ogee::forward(call);
  std::fill_n(unused.data, rows_ * step_.units, T{1});
  call.dy = {unused.data, unused.stride, 1};
  call.dx[0] = {slope.data, slope.stride, 1};
  ogee::backward(call);
}

template <class T>
void Piece<T>::add_totals(std::size_t slot, Array<const T> x, Array<const T> by_value, Array<const T> by_p,
                          double* totals, Array<T> unused) const {
  const Gate<T>& g = gate(slot);
  if (g.way != Way::any) return join_kernels<T>().accumulate(rows_, step_.units, by_value, by_p, totals);
  std::vector<double> sums(g.places.size() * step_.units);
  Call call = call_of(slot, x);
  call.dy = {by_value.data, by_value.stride, 1};
  call.dx[0] = {unused.data, unused.stride, 1};
  for (std::size_t k = 0; k < g.places.size(); ++k) call.dp[g.places[k]] = sums.data() + k * step_.units;
  ogee::backward(call);
  for (std::size_t i = 0; i < sums.size(); ++i) totals[i] += sums[i];
}

template struct Gate<float>;
template struct Gate<double>;
template class Piece<float>;
template class Piece<double>;

}  // namespace ogee::kernels::recurrent
