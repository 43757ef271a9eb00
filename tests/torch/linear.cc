// apply_linear against a linear layer and the activation apart: the same bits, for every function.
#include <ATen/record_function.h>

#include "support.h"

namespace ogee::testing::linear {
namespace {

struct Case {
  Activation activation;
  Tensors leaves;  // x, weight, bias, then the parameters that are learned
  std::vector<torch::Tensor> parameters;
  ApplyOptions how;

  Case(const Function& f, at::IntArrayRef sizes, bool biased) : activation(std::string(spec_of(f).name)) {
    const Spec& spec = spec_of(f);
    const std::int64_t units = 3, gates = spec.inputs == 2 ? 2 : 1, features = sizes.back();
    const auto leaf = [](const torch::Tensor& t) { return t.clone().requires_grad_(); };
    leaves = {leaf(torch::randn(sizes)), leaf(torch::randn({gates * units, features}))};
    leaves.push_back(biased ? leaf(torch::randn({gates * units})) : torch::Tensor());
    parameters.resize(spec.parameters.size());
    for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
      if (spec.parameters[k].role != Role::learned) continue;
      parameters[k] = leaf(torch::full({units}, activation.parameters()[k]));
      leaves.push_back(parameters[k]);
    }
    if (spec.inputs == 2) how.layout = Layout::gate_first;
    how.channel_dim = -1;
  }
  torch::Tensor apart() const {
    const auto bias = leaves[2].defined() ? c10::optional<at::Tensor>(leaves[2]) : c10::nullopt;
    return apply(activation, at::linear(leaves[0], leaves[1], bias), parameters, how);
  }
  torch::Tensor together() const { return apply_linear(activation, leaves[0], leaves[1], leaves[2], parameters, how); }
  Tensors asked() const {
    Tensors all;
    for (const torch::Tensor& t : leaves)
      if (t.defined()) all.push_back(t);
    return all;
  }
};

TEST(ApplyLinear, IsTheTwoApartBitForBit) {
  for (const Function* f : functions()) {
    for (const bool training : {false, true}) {
      if (training && spec_of(*f).noise == Noise::none) continue;
      for (const auto& sizes : std::vector<std::vector<std::int64_t>>{{5, 4}, {2, 3, 4}, {0, 4}}) {
        SCOPED_TRACE(std::string(spec_of(*f).name) + (training ? " in training" : ""));
        Case c(*f, sizes, sizes.size() == 2);
        c.how.training = training;
        torch::manual_seed(7);
        const torch::Tensor want = c.apart();
        torch::manual_seed(7);
        const torch::Tensor got = c.together();
        ASSERT_EQ(got.grad_fn()->name(), "OgeeLinearBackward");
        ASSERT_TRUE(torch::equal(torch::nan_to_num(got), torch::nan_to_num(want)));
        const torch::Tensor dy = torch::randn_like(want);
        const Tensors wanted = torch::autograd::grad({want}, c.asked(), {dy});
        const Tensors found = torch::autograd::grad({got}, c.asked(), {dy});
        for (std::size_t i = 0; i < found.size(); ++i)
          EXPECT_TRUE(torch::equal(torch::nan_to_num(found[i]), torch::nan_to_num(wanted[i]))) << "gradient " << i;
      }
    }
  }
}

TEST(ApplyLinear, IsDifferentiatedTwice) {
  for (const char* name : {"gelu", "prelu", "swiglu", "tanh"}) {
    SCOPED_TRACE(name);
    const Case c(*find_function(name), {5, 4}, true);
    const auto second = [&](const torch::Tensor& y) {
      const Tensors first = torch::autograd::grad({y.square().sum()}, c.asked(), {}, true, true);
      torch::Tensor sum = torch::zeros({});
      for (const torch::Tensor& t : first) sum = sum + t.square().sum();
      return torch::autograd::grad({sum}, c.asked());
    };
    const Tensors wanted = second(c.apart()), found = second(c.together());
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_TRUE(near(found[i], wanted[i], 1e-4, 1e-5)) << i;
  }
}

TEST(ApplyLinear, RunsApartWhereSomebodyLooks) {
  const Case c(*find_function("tanh"), {5, 4}, true);
  std::vector<std::string> seen;
  static std::vector<std::string>* target;
  target = &seen;
  const auto handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback([](const at::RecordFunction& fn) -> std::unique_ptr<at::ObserverContext> {
        target->emplace_back(fn.name());
        return nullptr;
      }));
  const torch::Tensor watched = c.together();
  at::disableCallback(handle);
  const std::size_t count = seen.size();
  const torch::Tensor alone = c.together();
  at::removeCallback(handle);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), "aten::linear"), 1);
  EXPECT_GE(std::count(seen.begin(), seen.end(), "ogee::_forward"), 1);
  EXPECT_EQ(seen.size(), count);
  EXPECT_EQ(alone.grad_fn()->name(), "OgeeLinearBackward");
  EXPECT_TRUE(torch::equal(watched, alone));
  const torch::NoGradGuard none;
  EXPECT_TRUE(torch::equal(c.together(), alone));
}

TEST(ApplyLinear, WithoutAGraphOrOfMixedTypesIsApart) {
  Case c(*find_function("gelu"), {5, 4}, true);
  EXPECT_FALSE(
      apply_linear(c.activation, c.leaves[0].detach(), c.leaves[1].detach(), c.leaves[2].detach()).requires_grad());
  EXPECT_THROW(apply_linear(c.activation, c.leaves[0].to(torch::kDouble), c.leaves[1], c.leaves[2]), c10::Error);
  EXPECT_THROW(apply_linear(c.activation, torch::Tensor(), c.leaves[1], c.leaves[2]), c10::Error);
  EXPECT_THROW(apply_linear(c.activation, torch::ones({5, 3}), c.leaves[1], c.leaves[2]), c10::Error);
}

}  // namespace
}  // namespace ogee::testing::linear
