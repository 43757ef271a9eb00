// What a LibTorch user without the function writes: its formula out of LibTorch's operators. Forward, backward through
// autograd's record, and both.
#include "bench/speed/tensors.h"
//
#include <torch/version.h>

#include <array>
#include <cmath>
#include <map>
#include <numbers>
#include <string_view>

#include "bench/peers/composed.h"
#include "bench/speed/arrays.h"
#include "bench/speed/peers.h"

namespace ogee::bench {
namespace {

using at::Tensor;

// The arguments of a formula.
struct Arguments {
  const Activation& f;
  const std::vector<Tensor>& inputs;
  const std::vector<Tensor>& learned;  // by parameter; undefined where it is not learned
  Tensor noise;

  const Tensor& x() const { return inputs[0]; }
  const Tensor& a() const { return inputs[0]; }
  const Tensor& b() const { return inputs[1]; }
  const Tensor& e() const { return noise; }
  // A fixed parameter, and a learned one.
  double value(std::string_view name) const { return f.parameter(name); }
  const Tensor& tensor(std::string_view name) const {
    const auto& parameters = f.spec().parameters;
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      if (parameters[k].name == name) return learned[k];
    }
    TORCH_CHECK(false, "no learned parameter ", std::string(name));
  }
};
using Formula = std::function<Tensor(const Arguments&)>;
using In = const Arguments&;
using T = const Tensor&;

constexpr double pi = std::numbers::pi;

Tensor normal_cdf(T x) { return 0.5 * (1 + at::erf(x * std::numbers::sqrt2 / 2)); }
Tensor arctan_gate(T x) { return 0.5 + at::atan(x) / pi; }
Tensor expanded(T gate, T alpha) { return gate * (1 + 2 * alpha) - alpha; }
Tensor log_odds(T u) { return at::log(u) - at::log1p(-u); }

// ---- The noisy activations of Gulcehre et al.: a base h, its linearisation u and its name
// ----------------------------

struct Base {
  const char* name;
  Tensor (*h)(T);
  Tensor (*u)(T);
  double low;
};
constexpr auto straight = [](T x) { return x; };
constexpr auto quarter = [](T x) { return 0.25 * x + 0.5; };
constexpr Base bases[] = {
    {"hard_tanh", [](T x) { return at::clamp(x, -1, 1); }, straight, -1},
    {"hard_sigmoid", [](T x) { return at::clamp(0.25 * x + 0.5, 0, 1); }, quarter, 0},
    {"tanh", [](T x) { return at::tanh(x); }, straight, -1},
    {"sigmoid", [](T x) { return at::sigmoid(x); }, quarter, 0},
};

Tensor clipped(In in, const Base& base, Tensor phi) { return in.value("clip") > 0 ? at::clamp(phi, base.low, 1) : phi; }

std::map<std::string, Formula> noisy_over(const Base& base) {
  const std::string of = std::string("_") + base.name;
  std::map<std::string, Formula> all;
  all["nan" + of] = [base](In in) {
    const Tensor h = base.h(in.x()), u = base.u(in.x());
    const Tensor sigma = in.value("c") * at::square(at::sigmoid(in.tensor("p") * (h - u)) - 0.5);
    const double alpha = in.value("alpha");
    return clipped(in, base, alpha * h + (1 - alpha) * u - at::sign(in.x()) * sigma * in.e());
  };
  all["nah" + of] = [base](In in) {
    const Tensor h = base.h(in.x()), u = base.u(in.x());
    const Tensor sigma = in.value("c") * at::square(at::sigmoid(in.tensor("p") * (h - u)) - 0.5);
    const double alpha = in.value("alpha"), k = alpha > 1 ? -1 : 1;
    return clipped(in, base, alpha * h + (1 - alpha) * u - at::sign(in.x()) * (k * sigma) * at::abs(in.e()));
  };
  all["nan_fixed" + of] = [base](In in) {
    const Tensor h = base.h(in.x()), u = base.u(in.x());
    const Tensor sigma = in.value("c") * at::square(at::sigmoid(at::square(h - u)) - 0.5);
    const double alpha = in.value("alpha");
    return clipped(in, base, alpha * h + (1 - alpha) * u - at::sign(in.x()) * sigma * in.e());
  };
  all["nani" + of] = [base](In in) { return base.h(in.x() + in.value("c") * in.e()); };
  all["nanis" + of] = [base](In in) {
    const Tensor far = (at::abs(in.x()) > in.value("threshold")).to(in.x().scalar_type());
    return base.h(in.x() + in.value("c") * far * in.e());
  };
  all["nanil" + of] = [base](In in) {
    const Tensor pull = in.tensor("p") * at::abs(base.h(in.x()) - base.u(in.x()));
    return base.h(in.x() + in.value("c") * at::softplus(pull / (at::abs(in.e()) + 1e-10)) * in.e());
  };
  return all;
}

// ---- All formulas
// ----------------------------------------------------------------------------------------------------

std::map<std::string, Formula> make_formulas() {
  std::map<std::string, Formula> all = {
      {"squared_relu", [](In in) { return at::square(at::relu(in.x())); }},
      {"hard_mish", [](In in) { return 0.5 * in.x() * at::clamp(in.x() + 2, 0, 2); }},
      {"smelu",
       [](In in) {
         const double beta = in.value("beta");
         const Tensor& x = in.x();
         return at::where(x >= beta, x, at::square(at::relu(x + beta)) / (4 * beta));
       }},
      {"squareplus", [](In in) { return 0.5 * (in.x() + at::sqrt(at::square(in.x()) + in.value("b"))); }},
      {"softsign", [](In in) { return in.x() / (1 + at::abs(in.x())); }},
      {"isru", [](In in) { return in.x() * at::rsqrt(1 + in.value("alpha") * at::square(in.x())); }},
      {"isrlu",
       [](In in) {
         const Tensor& x = in.x();
         return at::where(x >= 0, x, x * at::rsqrt(1 + in.value("alpha") * at::square(x)));
       }},
      {"elish",
       [](In in) {
         const Tensor& x = in.x();
         return at::where(x >= 0, x, at::expm1(at::clamp_max(x, 0))) * at::sigmoid(x);
       }},
      {"hard_elish",
       [](In in) {
         const Tensor& x = in.x();
         return at::where(x >= 0, x, at::expm1(at::clamp_max(x, 0))) * at::clamp(0.5 * (x + 1), 0, 1);
       }},
      {"tanhshrink", [](In in) { return in.x() - at::tanh(in.x()); }},
      {"gaussian", [](In in) { return at::exp(-at::square(in.x())); }},
      {"sqnl",
       [](In in) {
         const Tensor x = at::clamp(in.x(), -2, 2);
         return x - 0.25 * x * at::abs(x);
       }},
      {"bipolar_sigmoid", [](In in) { return at::tanh(0.5 * in.x()); }},
      {"swish", [](In in) { return in.x() * at::sigmoid(in.value("beta") * in.x()); }},
      {"e_swish", [](In in) { return in.value("beta") * in.x() * at::sigmoid(in.x()); }},
      {"gelu_quick", [](In in) { return in.x() * at::sigmoid(1.702 * in.x()); }},
      {"phish", [](In in) { return in.x() * at::tanh(at::gelu(in.x())); }},
      {"serf", [](In in) { return in.x() * at::erf(at::softplus(in.x())); }},
      {"tanh_exp", [](In in) { return in.x() * at::tanh(at::exp(in.x())); }},
      {"lisht", [](In in) { return in.x() * at::tanh(in.x()); }},
      {"gcu", [](In in) { return in.x() * at::cos(in.x()); }},
      {"atlu", [](In in) { return in.x() * arctan_gate(in.x()); }},
      {"logish", [](In in) { return in.x() * at::log1p(at::sigmoid(in.x())); }},
      {"snake",
       [](In in) {
         const double alpha = in.value("alpha");
         return in.x() + at::square(at::sin(alpha * in.x())) / alpha;
       }},
      {"sine", [](In in) { return at::sin(in.value("omega") * in.x()); }},
      // learned
      {"swish_beta", [](In in) { return in.x() * at::sigmoid(in.tensor("beta") * in.x()); }},
      {"xatlu", [](In in) { return in.x() * expanded(arctan_gate(in.x()), in.tensor("alpha")); }},
      {"xgelu", [](In in) { return in.x() * expanded(normal_cdf(in.x()), in.tensor("alpha")); }},
      {"xsilu", [](In in) { return in.x() * expanded(at::sigmoid(in.x()), in.tensor("alpha")); }},
      {"xielu",
       [](In in) {
         const double beta = in.value("beta"), eps = in.value("eps");
         const Tensor& x = in.x();
         const Tensor ap = at::softplus(in.tensor("p")), an = beta + at::softplus(in.tensor("n"));
         return at::where(x > 0, ap * at::square(x) + beta * x, an * (at::expm1(at::clamp_max(x, eps)) - x) + beta * x);
       }},
      {"acon_c",
       [](In in) {
         const Tensor z = (in.tensor("p1") - in.tensor("p2")) * in.x();
         return z * at::sigmoid(in.tensor("beta") * z) + in.tensor("p2") * in.x();
       }},
      {"star_relu", [](In in) { return in.tensor("scale") * at::square(at::relu(in.x())) + in.tensor("bias"); }},
      {"dynamic_tanh",
       [](In in) { return in.tensor("gain") * at::tanh(in.tensor("alpha") * in.x()) + in.tensor("bias"); }},
      {"learned_snake",
       [](In in) {
         const Tensor& alpha = in.tensor("alpha");
         return in.x() + at::square(at::sin(alpha * in.x())) / alpha;
       }},
      {"aplu",
       [](In in) {
         Tensor y = at::relu(in.x());
         for (const char* s : {"1", "2", "3"}) {
           y = y + in.tensor(std::string("a") + s) * at::relu(in.tensor(std::string("b") + s) - in.x());
         }
         return y;
       }},
      {"rational",
       [](In in) {
         const Tensor& x = in.x();
         Tensor p = in.tensor("a5");
         for (const char* k : {"a4", "a3", "a2", "a1", "a0"}) p = p * x + in.tensor(k);
         Tensor q = in.tensor("b4");
         for (const char* k : {"b3", "b2", "b1"}) q = q * x + in.tensor(k);
         return p / (1 + at::abs(q * x));
       }},
      // gated
      {"glu", [](In in) { return at::sigmoid(in.a()) * in.b(); }},
      {"gtu", [](In in) { return at::sigmoid(in.a()) * at::tanh(in.b()); }},
      {"bilinear", [](In in) { return in.a() * in.b(); }},
      {"reglu", [](In in) { return at::relu(in.a()) * in.b(); }},
      {"geglu", [](In in) { return at::gelu(in.a()) * in.b(); }},
      {"geglu_tanh", [](In in) { return at::gelu(in.a(), "tanh") * in.b(); }},
      {"geglu_quick", [](In in) { return in.a() * at::sigmoid(1.702 * in.a()) * in.b(); }},
      {"swiglu", [](In in) { return at::silu(in.a()) * in.b(); }},
      {"scaled_swiglu", [](In in) { return at::silu(in.value("scale") * in.a()) * in.b(); }},
      {"swiglu_oai",
       [](In in) {
         const double limit = in.value("limit");
         const Tensor g = at::clamp_max(in.a(), limit);
         return g * at::sigmoid(in.value("alpha") * g) * (at::clamp(in.b(), -limit, limit) + 1);
       }},
      {"drelu_glu", [](In in) { return at::relu(in.a()) * at::relu(in.b()); }},
      {"xatglu", [](In in) { return expanded(arctan_gate(in.a()), in.tensor("alpha")) * in.b(); }},
      {"xgeglu", [](In in) { return expanded(normal_cdf(in.a()), in.tensor("alpha")) * in.b(); }},
      {"xswiglu", [](In in) { return expanded(at::sigmoid(in.a()), in.tensor("alpha")) * in.b(); }},
      {"xatglu_second", [](In in) { return in.a() * expanded(arctan_gate(in.a()), in.tensor("alpha")) * in.b(); }},
      {"xgeglu_second", [](In in) { return in.a() * expanded(normal_cdf(in.a()), in.tensor("alpha")) * in.b(); }},
      {"xswiglu_second", [](In in) { return in.a() * expanded(at::sigmoid(in.a()), in.tensor("alpha")) * in.b(); }},
      // the ends of channels
      {"channel_limit_sigmoid",
       [](In in) {
         const Tensor s = at::sigmoid(in.a());
         return s + in.b() * s * (1 - s);
       }},
      {"channel_limit_tanh",
       [](In in) {
         const Tensor t = at::tanh(in.a());
         return t + in.b() * (1 - at::square(t));
       }},
      {"channel_limit_softplus", [](In in) { return at::softplus(in.a()) + in.b() * at::sigmoid(in.a()); }},
      {"channel_limit_erf",
       [](In in) { return at::erf(in.a()) + in.b() * (2 / std::sqrt(pi)) * at::exp(-at::square(in.a())); }},
      {"channel_limit_gaussian",
       [](In in) {
         const Tensor g = at::exp(-at::square(in.a()));
         return g - 2 * in.b() * in.a() * g;
       }},
      {"channel_limit_arctan", [](In in) { return at::atan(in.a()) + in.b() / (1 + at::square(in.a())); }},
      {"channel_limit_squared_relu",
       [](In in) {
         const Tensor r = at::relu(in.a());
         return at::square(r) + 2 * in.b() * r;
       }},
      {"channel_limit_silu",
       [](In in) {
         const Tensor s = at::sigmoid(in.a());
         return in.a() * s + in.b() * (s * (1 + in.a() * (1 - s)));
       }},
      // noisy
      {"rrelu_inverse",
       [](In in) {
         const double lower = in.value("lower"), upper = in.value("upper");
         return at::where(in.x() >= 0, in.x(), in.x() / (lower + (upper - lower) * in.e()));
       }},
      {"rrelu_unit", [](In in) { return at::where(in.x() >= 0, in.x(), in.x() * in.e()); }},
      {"noisy_relu", [](In in) { return at::relu(in.x() + at::sqrt(at::sigmoid(in.x())) * in.e()); }},
      {"noisy_rectifier", [](In in) { return at::relu(in.x() + in.value("sigma") * in.e()); }},
      {"probact", [](In in) { return at::relu(in.x()) + in.tensor("sigma") * in.e(); }},
      {"probact_bounded",
       [](In in) {
         return at::relu(in.x()) + in.value("alpha") * at::sigmoid(in.value("beta") * in.tensor("k")) * in.e();
       }},
      {"gaussian_dropout",
       [](In in) {
         const double rate = in.value("rate");
         return in.x() * (1 + std::sqrt(rate / (1 - rate)) * in.e());
       }},
      {"stochastic_binary",
       [](In in) {
         const Tensor mean = at::sigmoid(in.value("slope") * in.x());
         const Tensor toss = (in.e() < mean).to(mean.scalar_type());
         return mean + (toss - mean).detach();
       }},
      {"binary_concrete", [](In in) { return at::sigmoid((in.x() + log_odds(in.e())) / in.value("temperature")); }},
      {"hard_concrete",
       [](In in) {
         const double low = in.value("low"), high = in.value("high");
         const Tensor s = at::sigmoid((in.x() + log_odds(in.e())) / in.value("temperature"));
         return at::clamp(s * (high - low) + low, 0, 1);
       }},
  };
  for (const Base& base : bases) all.merge(noisy_over(base));
  return all;
}

const std::map<std::string, Formula>& formulas() {
  static const auto all = make_formulas();
  return all;
}

// As composed_formula() has it; what it draws is left in `noise`.
ComposedFormula formula_of(const Activation& f, std::shared_ptr<Tensor> noise) {
  const auto found = formulas().find(std::string(f.spec().name));
  if (found == formulas().end()) return {};
  return [&formula = found->second, f, noise = std::move(noise)](const std::vector<Tensor>& inputs,
                                                                 const std::vector<Tensor>& learned) {
    *noise = at::Tensor();
    if (f.spec().noise == Noise::normal) *noise = at::randn_like(inputs[0], at::TensorOptions());
    if (f.spec().noise == Noise::uniform) *noise = at::rand_like(inputs[0], at::TensorOptions());
    return formula({f, inputs, learned, *noise});
  };
}

class Composed final : public Peer {
 public:
  std::string name() const override { return "composed"; }
  std::string version() const override { return "expressions of LibTorch " + std::string(TORCH_VERSION); }
  bool composed() const override { return true; }

  std::optional<Work> prepare(const Case& c) const override {
    at::set_num_threads(c.threads);
    const Activation f = *c.activation;
    auto last = std::make_shared<Tensor>();  // the noise of the last run
    const RecordedForward forward = formula_of(f, last);
    if (!forward) return std::nullopt;
    Work work;
    if (c.direction == Direction::training) {
      work = training_work(c, forward);
    } else if (c.direction == Direction::backward) {
      work = recorded_backward_work(c, forward);
    } else {
      auto leaves = std::make_shared<Leaves>(leaves_of(c));
      auto result = std::make_shared<Tensor>();
      work.run = [=] {
        const at::NoGradGuard no_grad;
        *result = at::Tensor();
        *result = forward(leaves->inputs, leaves->parameters);
      };
      work.deliver = [=] { copy_to(c, *result, c.y); };
    }
    if (f.spec().noise != Noise::none) {
      work.noise = [=](std::size_t i) { return Arrays::at(c.type, last->data_ptr(), i); };
    }
    return work;
  }
};

}  // namespace

ComposedFormula composed_formula(const Activation& activation) {
  if (!formula_of(activation, nullptr)) return {};
  // Noise is let go after the call, unless the graph has saved it.
  return [activation](const std::vector<Tensor>& inputs, const std::vector<Tensor>& learned) {
    return formula_of(activation, std::make_shared<Tensor>())(inputs, learned);
  };
}

void add_composed(Peers& peers) { peers.push_back(std::make_unique<Composed>()); }

}  // namespace ogee::bench
