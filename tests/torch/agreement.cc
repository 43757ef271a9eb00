// The kernels against the composed definitions and the exact reference; the four types; threads; noise.
#include <ATen/Parallel.h>

#include "support.h"

namespace ogee::testing {
namespace {

// Value, gradients and second gradients of f at the leaves, in one list.
Tensors everything(const TensorFunction& f, const Tensors& leaves) {
  torch::manual_seed(3);
  const torch::Tensor y = f(leaves)[0];
  const torch::Tensor dy = torch::randn_like(y.detach()).requires_grad_();
  Tensors all{y.detach()};
  const Tensors first = torch::autograd::grad({y}, leaves, {dy}, true, /*create_graph=*/true);
  torch::Tensor sum = torch::zeros({}, y.options());
  for (const torch::Tensor& g : first) {
    all.push_back(g.detach());
    sum = sum + (g * torch::randn_like(g)).sum();
  }
  Tensors asked(leaves.begin(), leaves.end());
  asked.push_back(dy);
  for (const torch::Tensor& g : torch::autograd::grad({sum}, asked)) all.push_back(g);
  return all;
}

void compare_with_composed(at::ScalarType type, double relative, double absolute) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    for (const bool training : modes(spec)) {
      for (const std::int64_t channels : {1, 5}) {
        if (channels > 1 && !has_learned(spec)) continue;
        SCOPED_TRACE(std::string(spec.name) + (training ? " in training" : ""));
        const Case c = make_case(*f, {6, 5, 7}, channels, training, type);
        const Tensors kernels = everything(c.function(false), c.leaves());
        const Tensors composed = everything(c.function(true), c.leaves());
        ASSERT_EQ(kernels.size(), composed.size());
        for (std::size_t i = 0; i < kernels.size(); ++i) {
          // Sums lose what their terms do.
          const double scale = 1 + composed[i].abs().max().item<double>();
          EXPECT_TRUE(near(kernels[i], composed[i], relative, absolute * scale)) << "result " << i;
        }
      }
    }
  }
}

TEST(Agreement, WithComposedInDouble) { compare_with_composed(at::kDouble, 1e-9, 1e-11); }
TEST(Agreement, WithComposedInFloat) { compare_with_composed(at::kFloat, 1e-4, 2e-5); }

// Zero, large, infinite and NaN inputs: values and slopes, at evaluation. Where a branch not taken overflows, nothing
// of it may show.
TEST(Agreement, WithComposedAtTheEdges) {
  const torch::Tensor edges = torch::tensor(
      {0.0, 1e-8, -1e-8, 30.0, -30.0, 700.0, -700.0, 1e6, -1e6, 1e200, -1e200, infinity, -infinity, std::nan("")},
      at::kDouble);
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    SCOPED_TRACE(std::string(spec.name));
    // Sines of huge arguments are nobody's promise.
    if (spec.name == "sine" || spec.name.find("snake") != std::string_view::npos || spec.name == "gcu" ||
        spec.name == "channel_limit_sine") {
      continue;
    }
    Tensors inputs{edges.clone().requires_grad_()};
    if (spec.inputs == 2) inputs.push_back(torch::full_like(edges, 0.75).requires_grad_());
    const Activation activation(*f);
    const torch::Tensor y = inputs.size() == 2 ? apply(activation, inputs[0], inputs[1]) : apply(activation, inputs[0]);
    const torch::Tensor z = compose(activation, inputs);
    EXPECT_TRUE(near(y, z, 1e-9, 1e-300)) << "value";
    const Tensors dy = torch::autograd::grad({y.sum()}, inputs), dz = torch::autograd::grad({z.sum()}, inputs);
    for (std::size_t k = 0; k < dy.size(); ++k) EXPECT_TRUE(near(dy[k], dz[k], 1e-9, 1e-300)) << "slope " << k;
  }
}

TEST(Agreement, WithTheReference) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    SCOPED_TRACE(std::string(spec.name));
    const Case c = make_case(*f, {40}, 1, false);
    const torch::Tensor y =
        c.inputs.size() == 2 ? apply(c.activation, c.inputs[0], c.inputs[1]) : apply(c.activation, c.inputs[0]);
    const Tensors d = torch::autograd::grad({y.sum()}, c.inputs);
    for (std::int64_t i = 0; i < 40; ++i) {
      std::vector<double> x;
      for (const torch::Tensor& t : c.inputs) x.push_back(t[i].item<double>());
      const Exact want = exact(c.activation, x, 0, Mode::evaluation);
      EXPECT_NEAR(y[i].item<double>(), want.value, 1e-12 * (1 + std::abs(want.value)));
      for (std::size_t k = 0; k < x.size(); ++k) {
        EXPECT_NEAR(d[k][i].item<double>(), want.derivatives[k], 1e-11 * (1 + std::abs(want.derivatives[k])));
      }
    }
  }
}

// The narrower types against double at the same (rounded) inputs and parameters, with the same noise.
TEST(Agreement, OfAllTypes) {
  const struct {
    at::ScalarType type;
    double tolerance;
  } types[] = {{at::kFloat, 1e-5}, {at::kBFloat16, 2e-2}, {at::kHalf, 3e-3}};
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    for (const bool training : modes(spec)) {
      for (const auto& [type, tolerance] : types) {
        SCOPED_TRACE(std::string(spec.name) + (training ? " in training, " : ", ") + at::toString(type));
        const Case narrow = make_case(*f, {6, 5, 7}, has_learned(spec) ? 5 : 1, training, type);
        Case wide = narrow;
        for (torch::Tensor& t : wide.inputs) t = t.detach().to(at::kDouble).requires_grad_();
        for (torch::Tensor& p : wide.parameters) {
          if (p.defined()) p = p.detach().to(at::kDouble).requires_grad_();
        }
        const auto first = [](const Case& c) {
          const Tensors y = c.function()(c.leaves());
          Tensors all = torch::autograd::grad({y[0]}, c.leaves(), {torch::ones_like(y[0])});
          all.insert(all.begin(), y[0].detach());
          return all;
        };
        const Tensors got = first(narrow), want = first(wide);
        for (std::size_t i = 0; i < got.size(); ++i) {
          EXPECT_EQ(got[i].scalar_type(), type);
          const double scale = 1 + want[i].abs().max().item<double>();
          EXPECT_TRUE(near(got[i], want[i], tolerance, tolerance * scale)) << "result " << i;
        }
      }
    }
  }
}

// A parameter keeps its own type, and its gradient has it.
TEST(Agreement, ParametersOfAnotherType) {
  const torch::Tensor x = torch::randn({4, 3}).to(at::kBFloat16).requires_grad_();
  const torch::Tensor slope = torch::tensor({0.1, 0.2, 0.3}, at::kDouble).requires_grad_();
  const torch::Tensor y = apply(Activation("prelu"), x, {slope});
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  y.sum().backward();
  EXPECT_EQ(slope.grad().scalar_type(), at::kDouble);
  EXPECT_EQ(x.grad().scalar_type(), at::kBFloat16);
}

class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_;
};

TEST(Threading, OneAndTwoThreadsAgreeBitForBit) {
  for (const char* name : {"gelu", "prelu", "dynamic_tanh", "nan_tanh", "rrelu", "swiglu", "xswiglu", "probact"}) {
    const Function* f = find_function(name);
    for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
      SCOPED_TRACE(std::string(name) + " in " + at::toString(type));
      const Case c = make_case(*f, {64, 32, 40}, has_learned(spec_of(*f)) ? 32 : 1, true, type);
      Tensors one, two;
      {
        const Threads threads(1);
        one = everything(c.function(), c.leaves());
      }
      {
        const Threads threads(2);
        two = everything(c.function(), c.leaves());
      }
      for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(torch::equal(one[i], two[i])) << "result " << i;
    }
  }
}

TEST(Noise, FollowsTheDefaultGenerator) {
  ApplyOptions training;
  training.training = true;
  const Activation nan("nan_tanh");
  const torch::Tensor x = torch::randn({1000});
  torch::manual_seed(1);
  const torch::Tensor first = apply(nan, x, {}, training), second = apply(nan, x, {}, training);
  torch::manual_seed(1);
  EXPECT_TRUE(torch::equal(apply(nan, x, {}, training), first));
  EXPECT_TRUE(torch::equal(apply(nan, x, {}, training), second));
  EXPECT_FALSE(torch::equal(first, second));
}

TEST(Noise, EvaluationDrawsNothing) {
  torch::manual_seed(1);
  const torch::Tensor want = torch::rand({3});
  torch::manual_seed(1);
  apply(Activation("nan_tanh"), torch::randn({0}));
  const torch::Tensor x = torch::ones({10});
  EXPECT_TRUE(torch::equal(apply(Activation("rrelu"), x), x));
  EXPECT_TRUE(torch::equal(torch::rand({3}), want));
}

TEST(Noise, GuardsNestAndSeparateStreams) {
  ApplyOptions training;
  training.training = true;
  const Activation unit("probact");
  const torch::Tensor x = torch::zeros({500});
  const auto seeded = [](std::uint64_t seed) {
    at::Generator g = at::detail::createCPUGenerator(seed);
    return g;
  };
  torch::Tensor alone, outer_after;
  {
    const GeneratorGuard guard(seeded(5));
    alone = apply(unit, x, {}, training);
    outer_after = apply(unit, x, {}, training);
  }
  torch::manual_seed(9);
  const torch::Tensor plain = apply(unit, x, {}, training);
  torch::manual_seed(9);
  {
    const GeneratorGuard guard(seeded(5));
    EXPECT_TRUE(torch::equal(apply(unit, x, {}, training), alone));
    {
      const GeneratorGuard inner(seeded(5));
      EXPECT_TRUE(torch::equal(apply(unit, x, {}, training), alone));
    }
    EXPECT_TRUE(torch::equal(apply(unit, x, {}, training), outer_after));
  }
  EXPECT_TRUE(torch::equal(apply(unit, x, {}, training), plain));  // the default one was not touched meanwhile
}

// Noise belongs to places in memory that forward chose; another layout in backward must find the same.
TEST(Noise, IsTheSameInBackwardWhateverTheStrides) {
  ApplyOptions training;
  training.training = true;
  const Activation unit("rrelu");
  for (const bool last : {false, true}) {
    torch::Tensor x = -torch::rand({3, 4, 5, 6}, at::kDouble) - 0.5;
    if (last) x = x.contiguous(at::MemoryFormat::ChannelsLast);
    x.requires_grad_();
    const torch::Tensor y = apply(unit, x, {}, training);
    for (const bool dy_last : {false, true}) {
      torch::Tensor dy = torch::rand({3, 4, 5, 6}, at::kDouble);
      if (dy_last) dy = dy.contiguous(at::MemoryFormat::ChannelsLast);
      const torch::Tensor dx = torch::autograd::grad({y}, {x}, {dy}, true)[0];
      EXPECT_TRUE(near(dx, dy * y / x, 1e-12, 1e-14));  // y = slope*x below zero
    }
  }
}

}  // namespace
}  // namespace ogee::testing
