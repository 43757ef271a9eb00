// The modules: parameters, checkpoints, copies, modes; the gated feed-forward block against its composed form.
#include <torch/torch.h>

#include <sstream>

#include "../../bench/kept.h"
#include "support.h"

namespace ogee::testing {
namespace {

TEST(ActivationModule, HoldsLearnedParametersByName) {
  nn::Activation prelu(nn::ActivationOptions("prelu(slope=0.1)").channels(3));
  ASSERT_EQ(prelu->parameters().size(), 1u);
  EXPECT_TRUE(torch::equal(prelu->named_parameters()["slope"], torch::full({3}, 0.1f)));
  nn::Activation acon("acon_c");
  EXPECT_EQ(acon->named_parameters().keys(), (std::vector<std::string>{"p1", "p2", "beta"}));
  EXPECT_TRUE(nn::Activation("leaky_relu(slope=0.3)")->parameters().empty());
  EXPECT_DOUBLE_EQ(nn::Activation("leaky_relu(slope=0.3)")->activation().parameter("slope"), 0.3);
}

TEST(ActivationModule, EveryFunctionIsAModule) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    SCOPED_TRACE(std::string(spec.name));
    nn::Activation module(nn::ActivationOptions(std::string(spec.name)).channels(has_learned(spec) ? 3 : 1));
    const torch::Tensor x = torch::randn({4, 6});
    const torch::Tensor y = spec.inputs == 2 ? module->forward(x) : module->forward(x.narrow(1, 0, 3));
    EXPECT_EQ(y.sizes(), at::IntArrayRef({4, 3}));
    if (spec.inputs == 2) {
      EXPECT_TRUE(torch::equal(y, module->forward(x.narrow(1, 0, 3), x.narrow(1, 3, 3))));
    }
  }
}

TEST(ActivationModule, TrainsItsParameters) {
  nn::Activation module(nn::ActivationOptions("dynamic_tanh").channels(4));
  module->forward(torch::randn({5, 4})).sum().backward();
  for (const auto& p : module->named_parameters()) {
    EXPECT_TRUE(p.value().grad().defined()) << p.key();
  }
  nn::Activation fixed(nn::ActivationOptions("dynamic_tanh").channels(4).learn(false));
  EXPECT_TRUE(fixed->parameters().empty());
  EXPECT_EQ(fixed->buffers().size(), 3u);
  EXPECT_FALSE(fixed->forward(torch::randn({5, 4})).requires_grad());
}

TEST(ActivationModule, SpreadIsUniformAndReproducible) {
  torch::manual_seed(4);
  nn::Activation first(nn::ActivationOptions("nan_tanh").channels(2000));
  torch::manual_seed(4);
  nn::Activation second(nn::ActivationOptions("nan_tanh").channels(2000));
  const torch::Tensor p = first->named_parameters()["p"].detach();
  EXPECT_TRUE(torch::equal(p, second->named_parameters()["p"]));
  EXPECT_NEAR(p.mean().item<double>(), 0, 0.06);  // U(-1, 1)
  EXPECT_NEAR(p.std().item<double>(), 0.577, 0.04);
  EXPECT_GE(p.min().item<double>(), -1);
  EXPECT_LE(p.max().item<double>(), 1);
  const nn::Activation given(nn::ActivationOptions("nan_tanh(p=3)").channels(2000));  // 3 +- 1
  EXPECT_NEAR(given->named_parameters()["p"].mean().item<double>(), 3, 0.06);
  at::Generator own = at::detail::createCPUGenerator(8);
  torch::Tensor under_guard;
  {
    const GeneratorGuard guard(own);
    under_guard = nn::Activation(nn::ActivationOptions("nan_tanh").channels(2000))->named_parameters()["p"].detach();
  }
  EXPECT_FALSE(torch::equal(under_guard, p));
}

TEST(ActivationModule, ResetPutsInitialValuesBack) {
  nn::Activation module(nn::ActivationOptions("prelu").channels(2));
  const torch::Tensor slope = module->named_parameters()["slope"];
  {
    const torch::NoGradGuard no_grad;
    slope.fill_(3);
  }
  module->reset();
  EXPECT_TRUE(torch::equal(slope, torch::full({2}, 0.25f)));
  EXPECT_EQ(module->parameters().size(), 1u);
}

TEST(ActivationModule, NoiseFollowsTheMode) {
  nn::Activation module("rrelu");
  const torch::Tensor x = -torch::ones({200});
  module->eval();
  EXPECT_TRUE(torch::equal(module->forward(x), module->forward(x)));
  EXPECT_LT(module->forward(x).std().item<double>(), 1e-6);
  module->train();
  EXPECT_GT(module->forward(x).std().item<double>(), 0.01);
  EXPECT_FALSE(torch::equal(module->forward(x), module->forward(x)));
}

TEST(ActivationModule, SavedAndLoaded) {
  nn::Activation saved(nn::ActivationOptions("acon_c").channels(3));
  {
    const torch::NoGradGuard no_grad;
    for (torch::Tensor& p : saved->parameters()) p.uniform_();
  }
  std::stringstream file;
  torch::save(saved, file);
  nn::Activation loaded(nn::ActivationOptions("acon_c").channels(3));
  torch::load(loaded, file);
  const torch::Tensor x = torch::randn({5, 3});
  EXPECT_TRUE(torch::equal(saved->forward(x), loaded->forward(x)));
}

TEST(ActivationModule, ClonesAreIndependent) {
  torch::nn::Sequential net(torch::nn::Linear(3, 4), nn::Activation(nn::ActivationOptions("prelu").channels(4)));
  auto copy = std::dynamic_pointer_cast<torch::nn::SequentialImpl>(net->clone());
  const torch::Tensor x = torch::randn({5, 3});
  EXPECT_TRUE(torch::equal(net->forward(x), copy->forward(x)));
  {
    const torch::NoGradGuard no_grad;
    for (torch::Tensor& p : net->parameters()) p.add_(0.5);
  }
  EXPECT_FALSE(torch::equal(net->forward(x), copy->forward(x)));
  EXPECT_TRUE(torch::equal(copy->named_parameters()["1.slope"], torch::full({4}, 0.25f)));
}

TEST(ActivationModule, ConvertedToAnotherType) {
  nn::Activation module(nn::ActivationOptions("prelu").channels(3));
  module->to(at::kDouble);
  const torch::Tensor y = module->forward(torch::randn({2, 3}, at::kDouble));
  EXPECT_EQ(y.scalar_type(), at::kDouble);
  y.sum().backward();
  EXPECT_EQ(module->parameters()[0].grad().scalar_type(), at::kDouble);
}

TEST(ActivationModule, PrintsItself) {
  std::ostringstream text;
  text << nn::Activation(nn::ActivationOptions("prelu(slope=0.1)").channels(3));
  EXPECT_EQ(text.str(), "ogee::nn::Activation(prelu(slope=0.1), channels=3)");
}

TEST(ActivationModule, Slope) {
  nn::Activation module(nn::ActivationOptions("prelu").channels(2));
  const torch::Tensor x = torch::tensor({{-1.f, 2.f}, {3.f, -4.f}});
  EXPECT_TRUE(torch::equal(module->slope(x), torch::tensor({{0.25f, 1.f}, {1.f, 0.25f}})));
}

// ---- The gated feed-forward block ----------------------------------------------------------------------------------

// The same from LibTorch's own operators.
torch::Tensor composed_block(const nn::GatedFeedForwardImpl& m, const torch::Tensor& x) {
  const auto bias = [](const torch::Tensor& t) { return t.defined() ? c10::optional<torch::Tensor>(t) : c10::nullopt; };
  const auto halves = at::linear(x, m.weight_in, bias(m.bias_in)).chunk(2, -1);
  return at::linear(compose(m.unit->activation(), {halves[0], halves[1]}, m.unit->parameter_tensors()), m.weight_out,
                    bias(m.bias_out));
}

TEST(GatedFeedForward, EqualsTheComposedBlock) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    if (spec.inputs != 2) continue;
    for (const bool bias : {false, true}) {
      SCOPED_TRACE(std::string(spec.name) + (bias ? " with bias" : ""));
      torch::manual_seed(2);
      nn::GatedFeedForward m(nn::GatedFeedForwardOptions(6).hidden(5).unit(std::string(spec.name)).bias(bias));
      m->to(at::kDouble);
      const torch::Tensor x = torch::randn({2, 3, 6}, at::kDouble).requires_grad_();
      Tensors leaves = m->parameters();
      leaves.push_back(x);
      const auto all = [&](const torch::Tensor& y) {
        const torch::Tensor dy = torch::linspace(-1, 1, y.numel(), at::kDouble).view(y.sizes()).requires_grad_();
        Tensors list{y};
        const Tensors first = torch::autograd::grad({y}, leaves, {dy}, true, true);
        torch::Tensor sum = torch::zeros({}, at::kDouble);
        for (const torch::Tensor& g : first) {
          list.push_back(g);
          sum = sum + (g * torch::linspace(0.5, 1.5, g.numel(), at::kDouble).view(g.sizes())).sum();
        }
        Tensors asked = leaves;
        asked.push_back(dy);
        for (const torch::Tensor& g : torch::autograd::grad({sum}, asked, {}, true, false, true)) {
          list.push_back(g.defined() ? g : torch::zeros({1}, at::kDouble));
        }
        return list;
      };
      const Tensors got = all(m->forward(x)), want = all(composed_block(*m, x));
      for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(near(got[i], want[i], 1e-9, 1e-11)) << "result " << i;
      // A plain backward takes another way to the same gradients.
      const Tensors plain = torch::autograd::grad({m->forward(x).sum()}, leaves);
      const Tensors plain_want = torch::autograd::grad({composed_block(*m, x).sum()}, leaves);
      for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_TRUE(near(plain[i], plain_want[i], 1e-9, 1e-11));
    }
  }
}

TEST(GatedFeedForward, WidthByTheTwoThirdsRule) {
  EXPECT_EQ(nn::GatedFeedForward(nn::GatedFeedForwardOptions(512))->hidden, 1368);  // 2/3 of 2048 up to a multiple of 8
  EXPECT_EQ(nn::GatedFeedForward(nn::GatedFeedForwardOptions(96).width(300).multiple(1))->hidden, 200);
  EXPECT_EQ(nn::GatedFeedForward(nn::GatedFeedForwardOptions(96).hidden(77))->hidden, 77);
}

TEST(GatedFeedForward, RefusesUngatedUnitsAndWrongShapes) {
  EXPECT_NE(message_of([] {
              nn::GatedFeedForward m(nn::GatedFeedForwardOptions(8).unit("gelu"));
            }).find("gelu takes one input; expected a gated function"),
            std::string::npos);
  nn::GatedFeedForward m(nn::GatedFeedForwardOptions(8));
  EXPECT_NE(message_of([&] {
              m->forward(torch::randn({2, 7}));
            }).find("the last dimension of x must be 8"),
            std::string::npos);
}

TEST(GatedFeedForward, FrozenWeightsGetNoGradient) {
  nn::GatedFeedForward m(nn::GatedFeedForwardOptions(4).hidden(3).bias(true).unit("xswiglu"));
  m->weight_in.requires_grad_(false);
  m->weight_out.requires_grad_(false);
  const torch::Tensor x = torch::randn({5, 4}).requires_grad_();
  m->forward(x).sum().backward();
  EXPECT_TRUE(x.grad().defined());
  EXPECT_FALSE(m->weight_in.grad().defined());
  EXPECT_FALSE(m->weight_out.grad().defined());
  EXPECT_TRUE(m->bias_in.grad().defined());
  EXPECT_TRUE(m->unit->parameters()[0].grad().defined());
  const torch::NoGradGuard no_grad;
  EXPECT_FALSE(m->forward(x).requires_grad());
}

TEST(GatedFeedForward, SavedLoadedAndCloned) {
  nn::GatedFeedForward m(nn::GatedFeedForwardOptions(8).bias(true).unit("xswiglu"));
  const torch::Tensor x = torch::randn({3, 8});
  std::stringstream file;
  torch::save(m, file);
  nn::GatedFeedForward loaded(nn::GatedFeedForwardOptions(8).bias(true).unit("xswiglu"));
  EXPECT_FALSE(torch::equal(m->forward(x), loaded->forward(x)));
  torch::load(loaded, file);
  EXPECT_TRUE(torch::equal(m->forward(x), loaded->forward(x)));
  auto copy = std::dynamic_pointer_cast<nn::GatedFeedForwardImpl>(m->clone());
  EXPECT_TRUE(torch::equal(m->forward(x), copy->forward(x)));
  copy->weight_in.detach().add_(1);
  EXPECT_FALSE(torch::equal(m->forward(x), copy->forward(x)));
}

using bench::BytesGuard;

TEST(SavedMemory, TheProductIsNotKept) {
  constexpr std::int64_t rows = 256, dim = 32, hidden = 96;
  nn::GatedFeedForward m(nn::GatedFeedForwardOptions(dim).hidden(hidden));
  const torch::Tensor x = torch::randn({rows, dim}).requires_grad_();
  std::int64_t ours = 0, theirs = 0;
  {
    const BytesGuard bytes;
    const torch::Tensor y = m->forward(x);
    ours = bytes.held();
  }
  {
    const BytesGuard bytes;
    const torch::Tensor y = composed_block(*m, x);
    theirs = bytes.held();
  }
  EXPECT_EQ(ours, rows * (2 * hidden + dim) * 4);  // the pre-activation and the result
  EXPECT_GE(theirs, ours + rows * hidden * 4);     // and the product, at least
}

TEST(SavedMemory, AnActivationKeepsNothingOfItsOwn) {
  const torch::Tensor x = torch::randn({1000}).requires_grad_();
  for (const char* name : {"mish", "nan_tanh", "gelu"}) {
    const Activation activation(name);
    ApplyOptions training;
    training.training = true;
    const BytesGuard bytes;
    const torch::Tensor y = apply(activation, x, {}, training);
    EXPECT_LE(bytes.held(), 4000 + 64) << name;  // the result, and the key of the noise
  }
}

// Under autocast the block runs in the lower type as a whole, and the gradients come back in the weights' own.
TEST(GatedFeedForward, UnderAutocast) {
  nn::GatedFeedForward m(nn::GatedFeedForwardOptions(16).bias(true).unit("xswiglu"));
  const torch::Tensor x = torch::randn({4, 16}).requires_grad_();
  const torch::Tensor plain = m->forward(x);
  torch::Tensor y;
  {
    const AutocastOnCpu autocast;
    y = m->forward(x);
  }
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(near(y, plain, 0.05, 0.05));
  y.sum().backward();
  for (const torch::Tensor& p : m->parameters()) EXPECT_EQ(p.grad().scalar_type(), at::kFloat);
}

// ---- The two small ones --------------------------------------------------------------------------------------------

TEST(ConcatenatedRelu, TwiceTheChannels) {
  nn::ConcatenatedRelu m;
  const torch::Tensor x = torch::randn({2, 3, 4});
  const torch::Tensor y = m->forward(x);
  EXPECT_EQ(y.sizes(), at::IntArrayRef({2, 6, 4}));
  EXPECT_TRUE(torch::equal(y.narrow(1, 0, 3) - y.narrow(1, 3, 3), x));
  EXPECT_EQ(nn::ConcatenatedRelu(-1)->forward(x).sizes(), at::IntArrayRef({2, 3, 8}));
}

TEST(Maxout, TakesTheLargestPiece) {
  nn::Maxout m(5, 4, 3);
  const torch::Tensor x = torch::randn({2, 7, 5});
  const torch::Tensor y = m->forward(x);
  EXPECT_EQ(y.sizes(), at::IntArrayRef({2, 7, 4}));
  const torch::Tensor pieces = m->linear->forward(x).view({2, 7, 4, 3});
  EXPECT_TRUE(torch::equal(y, pieces.amax(-1)));
  EXPECT_EQ(m->parameters().size(), 2u);
  auto copy = std::dynamic_pointer_cast<nn::MaxoutImpl>(m->clone());
  EXPECT_TRUE(torch::equal(copy->forward(x), y));
  EXPECT_NE(message_of([&] { m->forward(torch::randn({2, 6})); }).find("must be 5"), std::string::npos);
}

}  // namespace
}  // namespace ogee::testing
