// Every definition, compiled for the reference number: the list of functions and their exact values.
#include "registry/catalogue.h"

#include <array>
#include <cmath>
#include <utility>

#include "functions/support.h"
#include "lanes/reference.h"

namespace ogee {
namespace reference {

#include "functions/catalogue.inc"

template <class F, class N, std::size_t... I, std::size_t... J>
N call(const N* x, const N* p, F64 e, Mode mode, std::index_sequence<I...>, std::index_sequence<J...>) {
  if constexpr (F::spec.noise == Noise::none) {
    (void)e;
    (void)mode;
    return F::value(x[I]..., p[J]...);
  } else {
    if constexpr (requires { F::has_evaluation; }) {
      if (mode == Mode::evaluation) return F::evaluation(x[I]..., p[J]..., e);
    }
    return F::value(x[I]..., p[J]..., e);
  }
}

template <class F, class N>
N call(const N* x, const N* p, double e, Mode mode) {
  if (mode == Mode::evaluation) e = F::spec.noise_at_evaluation;
  return call<F, N>(x, p, F64{e}, mode, std::make_index_sequence<F::spec.inputs>(),
                    std::make_index_sequence<F::spec.parameters.size()>());
}

// Where an input is NaN, so are the derivatives: as in the kernels.
template <class F>
double with_nan_of(double derivative, const double* x) {
  for (std::size_t k = 0; k < F::spec.inputs; ++k) {
    if (x[k] != x[k]) return x[k];
  }
  return derivative;
}

// Many functions have no parameters.
template <class F, class N>
using Inputs = std::array<N, F::spec.inputs>;
template <class F, class N>
using Parameters = std::array<N, F::spec.parameters.size()>;

template <class F>
double value(const double* x, const double* p, double e, Mode mode) {
  Inputs<F, F64> inputs;
  Parameters<F, F64> parameters;
  for (std::size_t k = 0; k < F::spec.inputs; ++k) inputs[k] = {x[k]};
  for (std::size_t k = 0; k < F::spec.parameters.size(); ++k) parameters[k] = {p[k]};
  return call<F, F64>(inputs.data(), parameters.data(), e, mode).v;
}

template <class F>
double derivative(const double* x, const double* p, double e, Mode mode, const double* direction) {
  using N = Dual<F64, 1>;
  Inputs<F, N> inputs;
  Parameters<F, N> parameters;
  for (std::size_t k = 0; k < F::spec.inputs; ++k) inputs[k] = N{{x[k]}, {{direction[k]}}};
  for (std::size_t k = 0; k < F::spec.parameters.size(); ++k) {
    parameters[k] = N{{p[k]}, {{direction[F::spec.inputs + k]}}};
  }
  return with_nan_of<F>(call<F, N>(inputs.data(), parameters.data(), e, mode).d[0].v, x);
}

template <class F>
double second(const double* x, const double* p, double e, Mode mode, const double* direction, const double* other) {
  using N = Dual<Dual<F64, 1>, 1>;
  const auto seeded = [&](double v, std::size_t k) {
    N n;
    n.v = Dual<F64, 1>{{v}, {{direction[k]}}};
    n.d[0] = Dual<F64, 1>{{other[k]}, {{0.0}}};
    return n;
  };
  Inputs<F, N> inputs;
  Parameters<F, N> parameters;
  for (std::size_t k = 0; k < F::spec.inputs; ++k) inputs[k] = seeded(x[k], k);
  for (std::size_t k = 0; k < F::spec.parameters.size(); ++k) parameters[k] = seeded(p[k], F::spec.inputs + k);
  return with_nan_of<F>(call<F, N>(inputs.data(), parameters.data(), e, mode).d[0].d[0].v, x);
}

// The largest of the terms that a function adds up, or of their derivatives along a direction.
template <class F, class N, std::size_t... I, std::size_t... J>
void terms_of(const N* x, const N* p, double e, N* t, std::index_sequence<I...>, std::index_sequence<J...>) {
  F::terms(x[I]..., p[J]..., F64{e}, t);
}
template <class F>
double largest_term(const double* x, const double* p, double e, const double* direction) {
  if constexpr (requires { F::term_count; }) {
    using N = Dual<F64, 1>;
    const auto seeded = [direction](double v, std::size_t k) {
      return N{{v}, {{direction != nullptr ? direction[k] : 0.0}}};
    };
    Inputs<F, N> inputs;
    Parameters<F, N> parameters;
    N t[F::term_count];
    for (std::size_t k = 0; k < F::spec.inputs; ++k) inputs[k] = seeded(x[k], k);
    for (std::size_t k = 0; k < F::spec.parameters.size(); ++k) parameters[k] = seeded(p[k], F::spec.inputs + k);
    terms_of<F, N>(inputs.data(), parameters.data(), e, t, std::make_index_sequence<F::spec.inputs>(),
                   std::make_index_sequence<F::spec.parameters.size()>());
    double most = 0;
    for (const N& term : t) {
      const double size = std::fabs(direction != nullptr ? term.d[0].v : term.v.v);
      if (size > most) most = size;
    }
    return most;
  } else {
    (void)x, (void)p, (void)e, (void)direction;
    return 0;
  }
}

template <class... F>
void append(Family<F...>, std::string_view name, std::size_t family, std::vector<Function>& list) {
  std::size_t index = 0;
  (list.push_back(Function{&F::spec, name, {family, index++}, {value<F>, derivative<F>, second<F>, largest_term<F>}}),
   ...);
}

std::vector<Function> all() {
  std::vector<Function> list;
  append(rectified_family(), "rectified", 0, list);
  append(exponential_family(), "exponential", 1, list);
  append(smooth_family(), "smooth", 2, list);
  append(learned_family(), "learned", 3, list);
  append(gated_family(), "gated", 4, list);
  append(channel_family(), "channel", 5, list);
  append(noisy_family(), "noisy", 6, list);
  return list;
}

}  // namespace reference

std::span<const Function> catalogue() {
  static const std::vector<Function> list = reference::all();
  return list;
}

std::span<const Function* const> functions() {
  static const std::vector<const Function*> list = [] {
    std::vector<const Function*> pointers;
    for (const Function& f : catalogue()) pointers.push_back(&f);
    return pointers;
  }();
  return list;
}

const Spec& spec_of(const Function& function) { return *function.spec; }
std::string_view family_of(const Function& function) { return function.family; }

namespace {

void check_arity(const Activation& activation, std::span<const double> inputs) {
  if (inputs.size() != activation.spec().inputs) {
    throw Error(std::string(activation.spec().name) + " takes " + std::to_string(activation.spec().inputs) +
                " input(s), not " + std::to_string(inputs.size()));
  }
}

}  // namespace

Exact exact(const Activation& activation, std::span<const double> inputs, double noise, Mode mode) {
  check_arity(activation, inputs);
  const ReferenceFunctions& f = activation.function().reference;
  const double* p = activation.parameters().data();
  const std::size_t total = inputs.size() + activation.parameters().size();
  Exact result{f.value(inputs.data(), p, noise, mode), std::vector<double>(total)};
  std::vector<double> direction(total, 0.0);
  for (std::size_t k = 0; k < total; ++k) {
    direction[k] = 1;
    result.derivatives[k] = f.derivative(inputs.data(), p, noise, mode, direction.data());
    direction[k] = 0;
  }
  return result;
}

std::vector<double> exact_second(const Activation& activation, std::span<const double> inputs, double noise,
                                 Mode mode) {
  check_arity(activation, inputs);
  const ReferenceFunctions& f = activation.function().reference;
  const double* p = activation.parameters().data();
  const std::size_t total = inputs.size() + activation.parameters().size();
  std::vector<double> result(total * total), one(total, 0.0), other(total, 0.0);
  for (std::size_t i = 0; i < total; ++i) {
    one[i] = 1;
    for (std::size_t j = 0; j < total; ++j) {
      other[j] = 1;
      result[i * total + j] = f.second(inputs.data(), p, noise, mode, one.data(), other.data());
      other[j] = 0;
    }
    one[i] = 0;
  }
  return result;
}

}  // namespace ogee
