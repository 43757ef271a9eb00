// The sparse feed-forward block against the dense one: values, gradients, gradients of gradients, on either path.
#include <limits>
#include <sstream>

#include "ogee/torch_sparse.h"
#include <torch/serialize.h>

#include "support.h"

namespace ogee::testing {
namespace {

using nn::SparsePath;

const std::vector<std::string> units_tested = {"relu", "squared_relu", "reglu", "drelu_glu"};

torch::Tensor dense_block(const nn::SparseFeedForwardImpl& m, const torch::Tensor& x) {
  const auto linear = [&](const torch::Tensor& w, const torch::Tensor& b) {
    return at::linear(x, w, b.defined() ? c10::optional<torch::Tensor>(b) : c10::nullopt);
  };
  torch::Tensor h = torch::relu(linear(m.weight_in, m.bias_in));
  if (m.unit == sparse::Unit::squared_relu) h = h * h;
  if (m.unit == sparse::Unit::reglu) h = h * linear(m.weight_up, m.bias_up);
  if (m.unit == sparse::Unit::drelu_glu) h = h * torch::relu(linear(m.weight_up, m.bias_up));
  const torch::Tensor y = at::matmul(h, m.weight_out);
  return m.bias_out.defined() ? y + m.bias_out : y;
}

nn::SparseFeedForward made(const std::string& unit, std::int64_t dim, std::int64_t hidden, bool bias,
                           SparsePath path = SparsePath::sparse) {
  torch::manual_seed(3);
  return nn::SparseFeedForward(nn::SparseFeedForwardOptions(dim).hidden(hidden).unit(unit).bias(bias).path(path));
}

TEST(SparseFeedForward, ValuesAndGradientsAreTheDenseOnes) {
  for (const std::string& unit : units_tested) {
    for (const SparsePath path : {SparsePath::sparse, SparsePath::dense, SparsePath::automatic}) {
      for (const bool bias : {false, true}) {
        for (const std::int64_t tokens : {1, 3, 24}) {
          SCOPED_TRACE(::testing::Message()
                       << unit << " path " << static_cast<int>(path) << " bias " << bias << " of " << tokens);
          nn::SparseFeedForward m = made(unit, 11, 21, bias, path);
          m->to(at::kDouble);
          const torch::Tensor x = torch::randn({tokens, 11}, at::kDouble).requires_grad_();
          Tensors leaves = m->parameters();
          leaves.push_back(x);
          const torch::Tensor dy = torch::randn({tokens, 11}, at::kDouble);
          const torch::Tensor got = m->forward(x), want = dense_block(*m, x);
          EXPECT_TRUE(near(got, want, 1e-12, 1e-13));
          const Tensors got_first = torch::autograd::grad({got}, leaves, {dy});
          const Tensors want_first = torch::autograd::grad({want}, leaves, {dy});
          for (std::size_t i = 0; i < leaves.size(); ++i) {
            EXPECT_TRUE(near(got_first[i], want_first[i], 1e-11, 1e-13)) << "gradient " << i;
          }
        }
      }
    }
  }
}

TEST(SparseFeedForward, GradientsByDifferencesAndTheirGradients) {
  for (const std::string& unit : units_tested) {
    SCOPED_TRACE(unit);
    nn::SparseFeedForward m = made(unit, 4, 7, true);
    m->to(at::kDouble);
    const torch::Tensor x = torch::randn({2, 4}, at::kDouble).requires_grad_();
    const TensorFunction f = [&](const Tensors& in) { return Tensors{m->forward(in[0])}; };
    EXPECT_TRUE(check_gradient(f, {x}));
    EXPECT_TRUE(check_second_gradient(f, {x}));
  }
}

TEST(SparseFeedForward, SinglesAndBfloat16) {
  for (const std::string& unit : units_tested) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      for (const std::int64_t tokens : {1, 2, 8, 40}) {
        SCOPED_TRACE(::testing::Message() << unit << " " << type << " " << tokens);
        nn::SparseFeedForward m = made(unit, 64, 200, true);
        m->to(type);
        const torch::Tensor x = torch::randn({tokens, 64}).to(type).requires_grad_();
        const torch::Tensor y = m->forward(x);
        EXPECT_TRUE(m->was_sparse());
        EXPECT_EQ(y.scalar_type(), type);
        auto exact = std::dynamic_pointer_cast<nn::SparseFeedForwardImpl>(m->clone());
        exact->to(at::kDouble);
        const torch::Tensor wide = x.detach().to(at::kDouble).requires_grad_();
        const torch::Tensor want = dense_block(*exact, wide);
        // Sums of 64, 200 and some products; bfloat16 rounds only the result (and, in backward, the gradients).
        const double relative = type == at::kFloat ? 1e-5 : 1.0 / 128;
        EXPECT_TRUE(near(y, want, relative, relative));
        y.sum().backward();
        want.sum().backward();
        EXPECT_TRUE(near(x.grad(), wide.grad(), relative, 4 * relative));
        const auto got = m->named_parameters(), expected = exact->named_parameters();
        for (const auto& p : got) {
          const torch::Tensor g = expected[p.key()].grad();
          EXPECT_TRUE(near(p.value().grad(), g, relative, relative * (1 + g.abs().max().item<double>()))) << p.key();
        }
      }
    }
  }
}

TEST(SparseFeedForward, AllOffAllOnAndNoTokens) {
  for (const std::string& unit : units_tested) {
    nn::SparseFeedForward m = made(unit, 6, 9, true);
    const torch::Tensor x = torch::randn({2, 3, 6}).requires_grad_();
    {
      const torch::NoGradGuard no_grad;
      m->bias_in.fill_(-100);
    }
    EXPECT_TRUE(torch::equal(m->forward(x), m->bias_out.expand({2, 3, 6}))) << unit;
    EXPECT_EQ(m->sparsity(), 1);
    m->forward(x).sum().backward();
    EXPECT_EQ(m->weight_in.grad().abs().sum().item<float>(), 0);
    {
      const torch::NoGradGuard no_grad;
      m->bias_in.fill_(100);
    }
    EXPECT_TRUE(near(m->forward(x), dense_block(*m, x), 1e-4, 1e-2)) << unit;
    EXPECT_EQ(m->sparsity(), 0);
    EXPECT_EQ(m->forward(torch::randn({0, 6})).sizes(), at::IntArrayRef({0, 6}));
    m->forward(torch::randn({0, 6})).sum().backward();
    // Not contiguous.
    const torch::Tensor turned = torch::randn({6, 5}).t();
    EXPECT_TRUE(near(m->forward(turned), m->forward(turned.contiguous()), 0, 0));
  }
}

// An inactive unit's weights are not read, whatever they are.
TEST(SparseFeedForward, SkipsInfinityAndNaN) {
  nn::SparseFeedForward m = made("relu", 5, 8, true);
  const torch::NoGradGuard no_grad;
  m->bias_in.fill_(10);
  m->bias_in[2] = -100;
  m->bias_in[4] = -100;
  m->weight_out[2].fill_(std::numeric_limits<float>::infinity());
  m->weight_out[4].fill_(std::numeric_limits<float>::quiet_NaN());
  for (const std::int64_t tokens : {1, 4, 30}) {
    const torch::Tensor x = 0.1 * torch::randn({tokens, 5});
    EXPECT_TRUE(torch::isfinite(m->forward(x)).all().item<bool>());
  }
  m->bias_in[2] = 10;
  EXPECT_FALSE(torch::isfinite(m->forward(torch::zeros({1, 5}))).any().item<bool>());
}

TEST(SparseFeedForward, FromLinearLayers) {
  torch::nn::Linear gate(10, 30), up(10, 30), down(30, 10);
  nn::SparseFeedForward m = nn::sparse_feed_forward("reglu", gate, up, down);
  const torch::Tensor x = torch::randn({4, 10});
  EXPECT_TRUE(near(m->forward(x), down(torch::relu(gate(x)) * up(x)), 1e-5, 1e-6));
  EXPECT_TRUE(m->weight_in.is_same(gate->weight));
  EXPECT_EQ(m->parameters().size(), 6u);
  EXPECT_TRUE(torch::equal(m->weight_out, down->weight.t()));
  EXPECT_NE(message_of([&] { nn::sparse_feed_forward("relu", gate, up, down); }).find("two layers were given"),
            std::string::npos);
  EXPECT_NE(message_of([&] { nn::sparse_feed_forward("gelu", gate, nullptr, down); }).find("no sparse block"),
            std::string::npos);
  torch::nn::Linear narrow(29, 10);
  EXPECT_NE(message_of([&] { nn::sparse_feed_forward("relu", gate, nullptr, narrow); }).find("must map 30 to 10"),
            std::string::npos);
}

TEST(SparseFeedForward, SavedLoadedClonedFrozen) {
  nn::SparseFeedForward m = made("drelu_glu", 8, 16, true), loaded = made("drelu_glu", 8, 16, true);
  {
    const torch::NoGradGuard no_grad;
    for (torch::Tensor& p : loaded->parameters()) p.zero_();
  }
  const torch::Tensor x = torch::randn({3, 8}).requires_grad_();
  std::stringstream file;
  torch::save(m, file);
  torch::load(loaded, file);
  EXPECT_TRUE(torch::equal(m->forward(x), loaded->forward(x)));
  m->weight_in.requires_grad_(false);
  m->forward(x).sum().backward();
  EXPECT_FALSE(m->weight_in.grad().defined());
  EXPECT_TRUE(m->weight_up.grad().defined());
  EXPECT_TRUE(x.grad().defined());
  const torch::Tensor y = m->forward(x);
  y.sum().backward();
  EXPECT_NE(message_of([&] { y.sum().backward(); }), "nothing was thrown");
  EXPECT_NE(message_of([&] {
              m->forward(torch::randn({2, 7}));
            }).find("the last dimension of x must be 8"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              m->forward(torch::randn({2, 8}, at::kDouble));
            }).find("the weights are"),
            std::string::npos);
}

// bfloat16's dense path follows the weights when they change.
TEST(SparseFeedForward, TheDenseCopyIsNeverStale) {
  nn::SparseFeedForward m = made("relu", 16, 32, true, SparsePath::dense);
  m->to(at::kBFloat16);
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = torch::randn({5, 16}).to(at::kBFloat16);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(near(m->forward(x), dense_block(*m, x), 0.02, 0.02)) << i;
    m->weight_out.mul_(-2);
  }
  auto copy = std::dynamic_pointer_cast<nn::SparseFeedForwardImpl>(m->clone());
  copy->weight_out.zero_();
  EXPECT_TRUE(near(copy->forward(x), copy->bias_out.expand({5, 16}), 0, 0));
  EXPECT_TRUE(near(m->forward(x), dense_block(*m, x), 0.02, 0.02));
}

// The choice follows the estimates: a token with few active units goes sparsely, many tokens with half of them do not.
TEST(SparseFeedForward, ChoosesTheCheaperWay) {
  nn::SparseFeedForward m = made("relu", 256, 1024, true, SparsePath::automatic);
  const torch::NoGradGuard no_grad;
  m->bias_in.fill_(-1.0);
  m->forward(torch::randn({1, 256}));
  EXPECT_TRUE(m->was_sparse());
  EXPECT_GT(m->sparsity(), 0.9);
  m->bias_in.fill_(0);
  m->forward(torch::randn({512, 256}));
  EXPECT_FALSE(m->was_sparse());
  EXPECT_NEAR(m->sparsity(), 0.5, 0.05);
}

}  // namespace
}  // namespace ogee::testing
