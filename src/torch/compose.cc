// The definitions over tensors: one more number type, so that every function and its first and second derivatives
// exist on any device LibTorch runs on. Nothing here is recorded by autograd; the dual numbers are the derivative, so
// that a branch not taken never leaks a NaN.
#include "torch/call.h"
//
#include <ATen/Parallel.h>

#include <string_view>
#include <unordered_map>
#include <utility>

#include "functions/support.h"
#include "kernels/noise.h"
#include "lanes/reference.h"

#undef OGEE_WORLD
#define OGEE_WORLD over_tensors

namespace ogee::over_tensors {

// A tensor, or a constant (t undefined). Constants are folded, and so the zeros of sparse duals cost nothing.
struct Number {
  at::Tensor t;
  double c = 0;
  static Number constant(double value) { return {{}, value}; }
  static Number constant(Number n) { return n; }
  bool is_constant() const { return !t.defined(); }
  bool is(double value) const { return is_constant() && c == value; }
};

struct Truth {
  at::Tensor t;
  bool c = false;
  at::ScalarType type = at::kFloat;  // of what was compared
};

Number operator-(const Number& a) { return a.is_constant() ? Number{{}, -a.c} : Number{a.t.neg()}; }
Number operator+(const Number& a, const Number& b) {
  if (a.is_constant() && b.is_constant()) return {{}, a.c + b.c};
  if (a.is_constant()) return a.c == 0 ? b : Number{b.t.add(a.c)};
  if (b.is_constant()) return b.c == 0 ? a : Number{a.t.add(b.c)};
  return {a.t.add(b.t)};
}
Number operator-(const Number& a, const Number& b) {
  if (a.is_constant() && b.is_constant()) return {{}, a.c - b.c};
  if (a.is_constant()) return a.c == 0 ? -b : Number{at::rsub(b.t, a.c)};
  if (b.is_constant()) return b.c == 0 ? a : Number{a.t.sub(b.c)};
  return {a.t.sub(b.t)};
}
Number operator*(const Number& a, const Number& b) {
  if (a.is_constant() && b.is_constant()) return {{}, a.c * b.c};
  if (b.is_constant()) return b * a;
  if (!a.is_constant()) return {a.t.mul(b.t)};
  if (a.c == 0) return Number::constant(0.0);
  if (a.c == 1) return b;
  return a.c == -1 ? -b : Number{b.t.mul(a.c)};
}
Number operator/(const Number& a, const Number& b) {
  if (a.is_constant() && b.is_constant()) return {{}, a.c / b.c};
  if (b.is_constant()) return b.c == 1 ? a : Number{a.t.div(b.c)};
  if (!a.is_constant()) return {a.t.div(b.t)};
  if (a.c == 0) return Number::constant(0.0);
  return a.c == 1 ? Number{b.t.reciprocal()} : Number{at::scalar_tensor(a.c, b.t.options()).div(b.t)};
}
#define OGEE_ARITHMETIC(op)                                                          \
  Number operator op(const Number& a, double b) { return a op Number::constant(b); } \
  Number operator op(double a, const Number& b) { return Number::constant(a) op b; }
OGEE_ARITHMETIC(+)
OGEE_ARITHMETIC(-)
OGEE_ARITHMETIC(*)
OGEE_ARITHMETIC(/)
#undef OGEE_ARITHMETIC

#define OGEE_COMPARE(op, function, mirrored)                                                    \
  Truth operator op(const Number& a, const Number& b) {                                         \
    if (a.is_constant() && b.is_constant()) return {{}, a.c op b.c};                            \
    if (a.is_constant()) return {b.t.mirrored(a.c), false, b.t.scalar_type()};                  \
    return {b.is_constant() ? a.t.function(b.c) : a.t.function(b.t), false, a.t.scalar_type()}; \
  }                                                                                             \
  Truth operator op(const Number& a, double b) { return a op Number::constant(b); }             \
  Truth operator op(double a, const Number& b) { return Number::constant(a) op b; }
OGEE_COMPARE(<, lt, gt)
OGEE_COMPARE(<=, le, ge)
OGEE_COMPARE(>, gt, lt)
OGEE_COMPARE(>=, ge, le)
#undef OGEE_COMPARE

Number select(const Truth& mask, const Number& a, const Number& b) {
  if (!mask.t.defined()) return mask.c ? a : b;
  if (a.is_constant() && b.is_constant() && a.c == b.c) return a;
  const auto full = [&](const Number& n) {
    return n.is_constant() ? at::scalar_tensor(n.c, mask.t.options().dtype(mask.type)) : n.t;
  };
  return {at::where(mask.t, full(a), full(b))};
}
Number select(const Truth& mask, const Number& a, double b) { return select(mask, a, Number::constant(b)); }
Number select(const Truth& mask, double a, const Number& b) { return select(mask, Number::constant(a), b); }

Number detach(const Number& a) { return a; }
Number straight_through(const Number& value, const Number&) { return value; }
Number damp(const Number& x, const Number& g) {
  if (g.is_constant()) return x * g;
  if (x.is(0)) return x;
  return select(Truth{g.t.eq(0), false, g.t.scalar_type()}, Number::constant(0.0), x * g);
}
Number damp(const Number& x, double g) { return x * Number::constant(g); }
Number damp(double x, const Number& g) { return damp(Number::constant(x), g); }

Number fused(const Number& a, const Number& b, double c) { return a * b + c; }

// A primitive: constants by the reference, tensors by an expression of x.
#define OGEE_PRIMITIVE(name, expression)                           \
  Number name(const Number& a) {                                   \
    if (a.is_constant()) return {{}, name(reference::F64{a.c}).v}; \
    const at::Tensor& x = a.t;                                     \
    return {expression};                                           \
  }
OGEE_PRIMITIVE(abs, x.abs())
OGEE_PRIMITIVE(sign, at::where(x.isnan(), x, x.sign()))
OGEE_PRIMITIVE(sqrt, x.sqrt())
OGEE_PRIMITIVE(exp, x.exp())
OGEE_PRIMITIVE(expm1, x.expm1())
OGEE_PRIMITIVE(log1p, x.log1p())
OGEE_PRIMITIVE(log, x.log())
OGEE_PRIMITIVE(tanh, x.tanh())
OGEE_PRIMITIVE(sin, x.sin())
OGEE_PRIMITIVE(cos, x.cos())
OGEE_PRIMITIVE(atan, x.atan())
OGEE_PRIMITIVE(erf, x.erf())
OGEE_PRIMITIVE(sigmoid, x.sigmoid())
OGEE_PRIMITIVE(softplus, x.clamp_min(0) + x.abs().neg().exp().log1p())
OGEE_PRIMITIVE(bell, (x * x).neg().exp())
OGEE_PRIMITIVE(normal_pdf, (x * x).mul(-0.5).exp().mul(0.39894228040143267793994605993438))
OGEE_PRIMITIVE(cauchy, (x * x + 1).reciprocal())
OGEE_PRIMITIVE(normal_cdf, x.mul(-0.70710678118654752440).erfc().mul(0.5))
OGEE_PRIMITIVE(logit, x.log() - x.neg().log1p())
#undef OGEE_PRIMITIVE

constexpr bool primitives_by_table = false;

// sqrt(x^2 + b), b >= 0.
Number hypotenuse(const Number& a, const Number& b) {
  if (a.is_constant() && b.is_constant()) return {{}, hypotenuse(reference::F64{a.c}, reference::F64{b.c}).v};
  const Number root = sqrt(b);
  const at::Tensor& known = a.is_constant() ? root.t : a.t;
  const auto full = [&](const Number& n) { return n.is_constant() ? at::scalar_tensor(n.c, known.options()) : n.t; };
  return {at::hypot(full(a), full(root))};
}

// e/(1 + e)^2, e = exp(-|x|): symmetric, so the right tail is as exact as the left.
Number sigmoid_slope(const Number& a) {
  if (a.is_constant()) return {{}, sigmoid_slope(reference::F64{a.c}).v};
  const at::Tensor e = a.t.abs().neg().exp();
  return {e / (e + 1).square()};
}
Number sech2(const Number& a) { return 4.0 * sigmoid_slope(2.0 * a); }

// As the reference: the series where the terms would cancel.
Number tanh_shrink(const Number& a) {
  if (a.is_constant()) return {{}, tanh_shrink(reference::F64{a.c}).v};
  const at::Tensor& x = a.t;
  const at::Tensor z = x.square().clamp_max(0.5);
  double factorial = 1;
  double coefficients[12];
  for (int k = 1; k < 12; ++k) {
    factorial *= (2.0 * k) * (2.0 * k + 1.0);
    coefficients[k] = 2.0 * k / factorial;
  }
  at::Tensor sum = z.mul(coefficients[11]);
  for (int k = 10; k > 0; --k) sum = sum.add(coefficients[k]).mul(z);
  return {at::where(x.abs() < 0.7, sum * x / z.sqrt().cosh(), x - x.tanh())};
}

constexpr double inverse_pi = reference::inverse_pi;
Number arctan_gate(const Number& a) {
  if (a.is_constant()) return {{}, arctan_gate(reference::F64{a.c}).v};
  const at::Tensor& x = a.t;
  return {at::where(x < -1, x.clamp_max(-1).reciprocal().neg().atan() * inverse_pi, x.atan() * inverse_pi + 0.5)};
}
Number arctan_linear(const Number& a) {
  if (a.is_constant()) return {{}, arctan_linear(reference::F64{a.c}).v};
  const at::Tensor& x = a.t;
  const at::Tensor left = at::scalar_tensor(-inverse_pi, x.options());
  return {at::where(x == -infinity, left, x * arctan_gate(a).t)};
}
// Far out on the left the two terms cancel; a series in w = 1/|x| takes their place, as in the reference.
Number arctan_linear_slope(const Number& a) {
  if (a.is_constant()) return {{}, arctan_linear_slope(reference::F64{a.c}).v};
  const at::Tensor& x = a.t;
  const at::Tensor w = x.abs().clamp_min(1).reciprocal();
  const at::Tensor square = w * w;
  at::Tensor series = at::zeros_like(w);
  for (int k = 9; k > 0; --k) series = (series + (k % 2 == 1 ? 1.0 : -1.0) * 2.0 * k / (2.0 * k + 1.0)) * square;
  const at::Tensor tail = at::where(w < 0.1, series * w, w.atan() - w / (square + 1)) * inverse_pi;
  const at::Tensor outside = at::where(x < 0, tail, 1 - tail);
  const at::Tensor inside = x.atan() * inverse_pi + 0.5 + x * inverse_pi / (x * x + 1);
  return {at::where(x.abs() > 1, outside, inside)};
}

}  // namespace ogee::over_tensors

#include "lanes/dual-inl.h"

namespace ogee::over_tensors {
#include "functions/catalogue.inc"

template <class F, class N, std::size_t... I, std::size_t... J>
N call(const N* x, const N* p, const Number& e, Mode mode, std::index_sequence<I...>, std::index_sequence<J...>) {
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
N call(const N* a, const Number& e, Mode mode) {
  return call<F, N>(a, a + F::spec.inputs, e, mode, std::make_index_sequence<F::spec.inputs>(),
                    std::make_index_sequence<F::spec.parameters.size()>());
}

template <class F>
inline constexpr std::size_t arguments = F::spec.inputs + F::spec.parameters.size();

// a: inputs, then parameters.
template <class F>
Number value(const Number* a, const Number& e, Mode mode) {
  return call<F, Number>(a, e, mode);
}

// The partial derivatives by those arguments that are wanted.
template <class F>
void derivative(const Number* a, const Number& e, Mode mode, const bool* wanted, Number* out) {
  using N = Dual<Number, arguments<F>>;
  N seeded[arguments<F>];
  for (std::size_t k = 0; k < arguments<F>; ++k) {
    seeded[k] = lift<N>(a[k]);
    if (wanted[k]) seeded[k].d[k] = Number::constant(1.0);
  }
  const N y = call<F, N>(seeded, e, mode);
  for (std::size_t k = 0; k < arguments<F>; ++k) out[k] = y.d[k];
}

// The derivative along a direction, and its partial derivatives.
template <class F>
Number second(const Number* a, const Number* direction, const Number& e, Mode mode, const bool* wanted, Number* out) {
  using Along = Dual<Number, 1>;
  using N = Dual<Along, arguments<F>>;
  N seeded[arguments<F>];
  for (std::size_t k = 0; k < arguments<F>; ++k) {
    seeded[k] = lift<N>(Along{a[k], {direction[k]}});
    if (wanted[k]) seeded[k].d[k].v = Number::constant(1.0);
  }
  const N y = call<F, N>(seeded, e, mode);
  for (std::size_t k = 0; k < arguments<F>; ++k) out[k] = y.d[k].d[0];
  return y.v.d[0];
}

}  // namespace ogee::over_tensors

namespace ogee::torch_call {

using over_tensors::Number;

struct Composed {
  Number (*value)(const Number* a, const Number& e, Mode mode);
  void (*derivative)(const Number* a, const Number& e, Mode mode, const bool* wanted, Number* out);
  Number (*second)(const Number* a, const Number* direction, const Number& e, Mode mode, const bool* wanted,
                   Number* out);
};

namespace {

using Table = std::unordered_map<std::string_view, Composed>;

template <class... F>
void append(Family<F...>, Table& table) {
  (table.emplace(F::spec.name, Composed{over_tensors::value<F>, over_tensors::derivative<F>, over_tensors::second<F>}),
   ...);
}

// Arguments as numbers in the arithmetic's type: float32 stands for the two 16-bit types.
struct Arguments {
  Arguments(const Request& r, const Plan& p) : request(r), plan(p) {
    type = r.a.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    inputs = r.spec().inputs;
    const auto tensors = plan.inputs(r, r.a, r.b);
    for (std::size_t k = 0; k < inputs; ++k) numbers[k] = {tensors[k].to(type)};
    for (std::size_t k = 0; k < r.values.size(); ++k) numbers[inputs + k] = Number::constant(r.values[k]);
    for (std::size_t i = 0; i < r.parameters.size(); ++i) {
      numbers[inputs + r.slots[i]] = {along_channels(r.parameters[i].to(type), plan.per_channel[i])};
    }
    mode = r.training ? Mode::training : Mode::evaluation;
    noise = Number::constant(r.spec().noise_at_evaluation);
    if (r.draws_noise()) noise = {draw()};
    total = inputs + r.values.size();
  }

  // Channel-wise parameters as tensors that broadcast over the result.
  at::Tensor along_channels(const at::Tensor& p, bool per_channel) const {
    if (!per_channel) return p.reshape({});
    std::vector<std::int64_t> shape(plan.sizes.size(), 1);
    shape[static_cast<std::size_t>(channel_dim())] = plan.channels;
    return p.reshape(shape);
  }
  std::int64_t channel_dim() const {
    return request.channel_dim < 0 ? request.channel_dim + static_cast<std::int64_t>(plan.sizes.size())
                                   : request.channel_dim;
  }

  // The noise that the kernels draw, element for element.
  at::Tensor draw() const {
    at::DimVector walked, inverse(plan.order.size());
    for (std::size_t i = 0; i < plan.order.size(); ++i) {
      walked.push_back(plan.sizes[plan.order[i]]);
      inverse[plan.order[i]] = static_cast<std::int64_t>(i);
    }
    const at::Tensor drawn = at::empty(walked, at::kFloat);
    auto* out = drawn.data_ptr<float>();
    const NoiseKey key = read_key(request);
    at::parallel_for(0, plan.numel, 32768, [&](std::int64_t begin, std::int64_t end) {
      kernels::fill_noise(request.spec().noise, key, static_cast<std::uint64_t>(begin),
                          static_cast<std::size_t>(end - begin), out + begin);
    });
    return drawn.permute(inverse).to(request.a.device(), type);
  }

  at::Tensor full(const Number& n) const {
    const auto options = request.a.options().dtype(type);
    return n.is_constant() ? at::full(plan.sizes, n.c, options) : n.t.expand(plan.sizes);
  }
  // In the type and, where it can be had, the layout of memory of the kernels' results.
  at::Tensor finished(const Number& n) const {
    at::Tensor result = plan.empty_result(request);
    result.copy_(full(n));
    return result;
  }

  // A NaN among the inputs makes every derivative NaN, whatever a definition's branches say.
  Number with_nan(const Number& derivative) {
    if (!nan.defined()) {
      nan = numbers[0].t.isnan();
      if (inputs == 2) nan = nan.logical_or(numbers[1].t.isnan());
    }
    return select(over_tensors::Truth{nan, false, type}, Number::constant(std::nan("")), derivative);
  }

  // Gradients of the inputs, packed as they came.
  void append_inputs(const Number* flow, std::vector<at::Tensor>& results) const {
    if (!request.packed()) {
      for (std::size_t k = 0; k < inputs; ++k) {
        results.push_back(plan.empty_input(request));
        results.back().copy_(full(flow[k]));
      }
      return;
    }
    results.push_back(plan.empty_input(request));
    const auto halves = plan.inputs(request, results.back(), c10::nullopt);
    for (std::size_t k = 0; k < 2; ++k) halves[k].copy_(full(flow[k]));
  }

  void append_parameters(const Number* flow, Wanted wanted, std::vector<at::Tensor>& results) const {
    for (std::size_t i = 0; i < request.parameters.size(); ++i) {
      if (!wants(wanted, i)) continue;
      const at::Tensor& p = request.parameters[i];
      const at::Tensor all = full(flow[inputs + request.slots[i]]);
      at::DimVector over;
      for (std::int64_t d = 0; d < all.dim(); ++d) {
        if (!plan.per_channel[i] || d != channel_dim()) over.push_back(d);
      }
      const at::Tensor sum = over.empty() ? all : all.sum(over);
      results.push_back(sum.reshape(p.sizes()).to(p.scalar_type()));
    }
  }

  const Request& request;
  const Plan& plan;
  at::ScalarType type;
  Mode mode;
  std::size_t inputs, total;
  Number numbers[max_inputs + max_parameters];
  Number noise;
  at::Tensor nan;
};

}  // namespace

const Composed* composed_named(std::string_view name) {
  static const Table table = [] {
    using namespace over_tensors;
    Table all;
    append(rectified_family(), all);
    append(exponential_family(), all);
    append(smooth_family(), all);
    append(learned_family(), all);
    append(gated_family(), all);
    append(channel_family(), all);
    append(noisy_family(), all);
    return all;
  }();
  return &table.at(name);
}

at::Tensor composed_forward(const Request& request) {
  const Plan plan(request);
  const Arguments a(request, plan);
  return a.finished(request.entry.composed->value(a.numbers, a.noise, a.mode));
}

std::vector<at::Tensor> composed_backward(const at::Tensor& dy, const Request& request, Wanted wanted) {
  const Plan plan(request);
  Arguments a(request, plan);
  bool by[max_inputs + max_parameters] = {true, a.inputs == 2};
  for (std::size_t i = 0; i < request.slots.size(); ++i) by[a.inputs + request.slots[i]] = wants(wanted, i);
  Number flow[max_inputs + max_parameters];
  request.entry.composed->derivative(a.numbers, a.noise, a.mode, by, flow);
  const Number gradient{dy.to(a.type)};
  for (std::size_t k = 0; k < a.total; ++k) {
    if (by[k]) flow[k] = gradient * a.with_nan(flow[k]);
  }
  std::vector<at::Tensor> results;
  a.append_inputs(flow, results);
  a.append_parameters(flow, wanted, results);
  return results;
}

std::vector<at::Tensor> composed_second(const Second& directions, const Request& request) {
  const Plan plan(request);
  Arguments a(request, plan);
  bool wanted[max_inputs + max_parameters] = {true, a.inputs == 2};
  for (const std::int64_t slot : request.slots) wanted[a.inputs + slot] = true;
  Number along[max_inputs + max_parameters];
  if (request.packed()) {
    if (directions.dda.has_value() && directions.dda->defined()) {
      const auto halves = plan.inputs(request, *directions.dda, c10::nullopt);
      for (std::size_t k = 0; k < 2; ++k) along[k] = {halves[k].to(a.type)};
    }
  } else {
    if (directions.dda.has_value() && directions.dda->defined()) along[0] = {directions.dda->to(a.type)};
    if (directions.ddb.has_value() && directions.ddb->defined()) along[1] = {directions.ddb->to(a.type)};
  }
  for (std::size_t i = 0; i < directions.ddp.size(); ++i) {
    const at::Tensor& d = directions.ddp[i];
    along[a.inputs + directions.ddp_slots[i]] = {a.along_channels(d.to(a.type), d.numel() != 1)};
  }
  Number flow[max_inputs + max_parameters];
  const Number t = request.entry.composed->second(a.numbers, along, a.noise, a.mode, wanted, flow);
  const Number gradient{directions.dy.to(a.type)};
  for (std::size_t k = 0; k < a.total; ++k) {
    if (wanted[k]) flow[k] = gradient * a.with_nan(flow[k]);
  }
  std::vector<at::Tensor> results{a.finished(a.with_nan(t))};
  a.append_inputs(flow, results);
  a.append_parameters(flow, all_wanted, results);
  return results;
}

}  // namespace ogee::torch_call
