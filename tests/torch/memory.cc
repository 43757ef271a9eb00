// What is kept for backward: docs/memory.md's figures; masks of one bit; work in place.
#include <fstream>
#include <map>
#include <regex>

#include "../../bench/memory_peers.h"
#include "support.h"

namespace ogee::testing {
namespace {

using bench::BytesGuard;
using bench::Kept;
using bench::kept_by;

const std::vector<std::string> two_slopes = {"relu",      "leaky_relu", "relu6",        "hardtanh",
                                             "threshold", "prelu",      "hard_sigmoid", "clipped_relu"};

// A row of docs/memory.md: kept, extra.
std::map<std::string, std::pair<double, double>> documented() {
  std::map<std::string, std::pair<double, double>> rows;
  std::ifstream file("docs/memory.md");
  const std::regex row(R"(\| `([a-z0-9_]+)` \| ([0-9.e+-]+) \| ([0-9.e+-]+) \|.*)");
  std::string line;
  std::smatch match;
  while (std::getline(file, line)) {
    if (std::regex_match(line, match, row)) rows[match[1]] = {std::stod(match[2]), std::stod(match[3])};
  }
  return rows;
}

TEST(Memory, TheDocumentsFiguresHold) {
  const auto rows = documented();
  constexpr std::int64_t n = 65536;
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    ASSERT_TRUE(rows.count(std::string(spec.name)) == 1)
        << spec.name << " is not in docs/memory.md; write it anew: bench_memory --markdown";
    Tensors leaves;
    for (std::size_t k = 0; k < spec.inputs; ++k) leaves.push_back(torch::randn({n}).requires_grad_());
    ApplyOptions how;
    how.training = spec.noise != Noise::none;
    const Activation activation(*f);
    const Kept kept = kept_by(
        [&](const Tensors& x) {
          return x.size() == 2 ? apply(activation, x[0], x[1], {}, how) : apply(activation, x[0], {}, how);
        },
        leaves);
    const auto [graph, extra] = rows.at(std::string(spec.name));
    EXPECT_NEAR(static_cast<double>(kept.graph) / n, graph, 0.001 * graph) << spec.name;
    EXPECT_NEAR(static_cast<double>(kept.extra) / n, extra, 0.001) << spec.name;
  }
}

TEST(Masks, KeepOneBitAnElement) {
  constexpr std::int64_t n = 80000;
  ApplyOptions masked;
  masked.save = Save::mask;
  const Tensors leaf = {torch::randn({n}).mul(2).requires_grad_()};
  for (const std::string& name : two_slopes) {
    const Kept kept = kept_by([&](const Tensors& x) { return apply(Activation(name), x[0], {}, masked); }, leaf);
    EXPECT_EQ(kept.graph, n / 8) << name;
  }
  // Others keep the input.
  for (const char* name : {"gelu", "hard_swish", "softshrink"}) {
    const Kept kept = kept_by([&](const Tensors& x) { return apply(Activation(name), x[0], {}, masked); }, leaf);
    EXPECT_GE(kept.graph, n / 8) << name;
    EXPECT_LE(kept.extra, std::string(name) == "softshrink" ? n / 8 : 0) << name;
  }
}

// Nobody else needs the first layer's result, and the second one keeps the activation's anyway.
TEST(Masks, HoldAnEighthOfAByteBetweenLinearLayers) {
  constexpr std::int64_t tokens = 64, dim = 16, hidden = 128;
  const torch::Tensor first = torch::randn({hidden, dim}).requires_grad_(),
                      second = torch::randn({dim, hidden}).requires_grad_();
  const Tensors leaf = {torch::randn({tokens, dim}).requires_grad_()};
  for (const char* name : {"relu", "tanh"}) {
    for (const Save save : {Save::input, Save::mask}) {
      ApplyOptions how;
      how.save = save;
      const Kept kept = kept_by(
          [&](const Tensors& x) {
            return at::linear(apply(Activation(name), at::linear(x[0], first), {}, how), second);
          },
          leaf);
      // tanh's slopes are more than two: its input stays.
      const bool masked = save == Save::mask && std::string(name) == "relu";
      EXPECT_EQ(kept.extra, tokens * hidden * 4 + tokens * hidden * 4 / (masked ? 32 : 1)) << name;
    }
  }
}

TEST(Masks, GiveTheSameGradients) {
  ApplyOptions masked;
  masked.save = Save::mask;
  for (const std::string& name : two_slopes) {
    for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf}) {
      for (const std::int64_t n : {0, 1, 7, 8, 1003, 40000}) {
        SCOPED_TRACE(::testing::Message() << name << " " << type << " " << n);
        torch::Tensor start = torch::randn({n}).mul(3).to(type);
        if (n > 20000) start.narrow(0, 0, 20000).fill_(0.5);  // the second slope turns up late
        if (n == 7) start.copy_(torch::tensor({0.0, -0.0, 1.0, -1.0, 6.0, -3.0, 3.0}));  // kinks
        const torch::Tensor dy = torch::randn({n}).to(type);
        const torch::Tensor a = start.clone().requires_grad_(), b = start.clone().requires_grad_();
        const torch::Tensor ya = apply(Activation(name), a, {}, masked), yb = apply(Activation(name), b);
        EXPECT_TRUE(torch::equal(ya, yb));
        EXPECT_TRUE(torch::equal(torch::autograd::grad({ya}, {a}, {dy})[0], torch::autograd::grad({yb}, {b}, {dy})[0]));
      }
    }
  }
}

TEST(Masks, OtherLayoutsDerivativesAndNaN) {
  ApplyOptions masked;
  masked.save = Save::mask;
  const Activation leaky("leaky_relu(slope=0.3)");
  const torch::Tensor x = inputs_off_kinks({4, 6}).t().requires_grad_();
  EXPECT_TRUE(check_gradient([&](const Tensors& in) { return Tensors{apply(leaky, in[0], {}, masked)}; }, {x}));
  EXPECT_TRUE(check_second_gradient([&](const Tensors& in) { return Tensors{apply(leaky, in[0], {}, masked)}; }, {x}));
  // Rows of a larger tensor, a NaN, a slope that is learned: the input is kept, and the gradients are what they are.
  const torch::Tensor gaps = torch::randn({6, 8}).narrow(1, 1, 5).requires_grad_();
  EXPECT_TRUE(torch::equal(torch::autograd::grad({apply(leaky, gaps, {}, masked).sum()}, {gaps})[0],
                           torch::autograd::grad({apply(leaky, gaps).sum()}, {gaps})[0]));
  const torch::Tensor nan = torch::tensor({1.f, std::nanf(""), -1.f}).requires_grad_();
  EXPECT_TRUE(near(torch::autograd::grad({apply(leaky, nan, {}, masked).sum()}, {nan})[0],
                   torch::autograd::grad({apply(leaky, nan).sum()}, {nan})[0], 0, 0));
  const torch::Tensor slope = torch::tensor({0.25}).requires_grad_();
  const torch::Tensor y = torch::randn({9}).requires_grad_();
  apply(Activation("prelu"), y, {slope}, masked).sum().backward();
  EXPECT_TRUE(slope.grad().defined());
}

TEST(InPlace, WritesOverTheInputAndKeepsAMask) {
  constexpr std::int64_t n = 4096;
  for (const std::string& name : two_slopes) {
    const torch::Tensor leaf = torch::randn({n}).mul(3).requires_grad_(),
                        other = leaf.detach().clone().requires_grad_();
    std::int64_t held = 0;
    torch::Tensor x;
    {
      const BytesGuard bytes;
      x = leaf.mul(1);
      apply_(Activation(name), x);
      held = bytes.held();
    }
    EXPECT_EQ(held, n * 4 + n / 8) << name;  // x itself
    const torch::Tensor y = apply(Activation(name), other.mul(1));
    EXPECT_TRUE(torch::equal(x, y)) << name;
    x.square().sum().backward();
    y.square().sum().backward();
    EXPECT_TRUE(torch::equal(leaf.grad(), other.grad())) << name;
  }
}

TEST(InPlace, RefusesWhatItCannotDifferentiate) {
  const torch::Tensor leaf = torch::randn({64}).requires_grad_();
  torch::Tensor x = leaf.mul(1);
  const torch::Tensor before = x.detach().clone();
  EXPECT_NE(message_of([&] { apply_(Activation("gelu"), x); }).find("in place, backward has one bit an element"),
            std::string::npos);
  EXPECT_TRUE(torch::equal(x, before));
  torch::Tensor self = leaf;
  EXPECT_NE(message_of([&] { apply_(Activation("relu"), self); }).find("leaf"), std::string::npos);
  EXPECT_NE(message_of([&] { apply_(Activation("swiglu"), x); }).find("must have one input"), std::string::npos);
  // Somebody else needs the value: autograd notices that it was overwritten.
  torch::Tensor z = leaf.mul(1);
  const torch::Tensor square = z.square();
  apply_(Activation("relu"), z);
  EXPECT_NE(message_of([&] { square.sum().backward(); }).find("modified by an inplace operation"), std::string::npos);
  // Without a gradient everything goes.
  const torch::NoGradGuard no_grad;
  torch::Tensor plain = before.clone();
  EXPECT_TRUE(torch::equal(apply_(Activation("gelu"), plain), apply(Activation("gelu"), before)));
}

// The block's peak, at an eighth of the size that docs/memory.md tells of.
TEST(Memory, TheGatedBlockPeaksAtLeast30PerCentLower) {
  nn::GatedFeedForward m(nn::GatedFeedForwardOptions(128).hidden(342));
  const torch::Tensor x = torch::randn({512, 128}).requires_grad_(), dy = torch::randn({512, 128});
  Tensors leaves = m->parameters();
  leaves.push_back(x);
  const auto composed = [&] {
    const auto halves = at::linear(x, m->weight_in).chunk(2, -1);
    return at::linear(at::silu(halves[0]) * halves[1], m->weight_out);
  };
  const auto peak = [&](const std::function<torch::Tensor()>& f) {
    const BytesGuard bytes;
    torch::autograd::grad({f()}, leaves, {dy});
    return bytes.peak();
  };
  const auto ours = peak([&] { return m->forward(x); }), theirs = peak(composed);
  EXPECT_LT(static_cast<double>(ours), 0.7 * static_cast<double>(theirs));
  // With the graph kept, backward twice gives the same.
  const torch::Tensor y = m->forward(x);
  const Tensors first = torch::autograd::grad({y}, leaves, {dy}, true);
  const Tensors second = torch::autograd::grad({y}, leaves, {dy});
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(torch::equal(first[i], second[i]));
}

}  // namespace
}  // namespace ogee::testing
