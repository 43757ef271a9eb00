// Every function's first and second derivatives against differences, in double; and the ways a call may take through
// LibTorch.
#include "support.h"

#include <ATen/record_function.h>
#include <torch/csrc/jit/frontend/tracer.h>

#include <algorithm>

namespace ogee::testing {
namespace {

void check_all(std::int64_t channels) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    if (!spec.differentiable || (channels > 1 && !has_learned(spec))) continue;
    for (const bool training : modes(spec)) {
      SCOPED_TRACE(std::string(spec.name) + (training ? " in training" : ""));
      const Case c = make_case(*f, {4, 3, 2}, channels, training);
      EXPECT_TRUE(check_gradient(c.function(), c.leaves()));
      EXPECT_TRUE(check_second_gradient(c.function(), c.leaves()));
    }
  }
}

// A straight-through derivative is no limit of differences, so the check must see that.
TEST(Gradients, TheCheckFindsAWrongOne) {
  const Case c = make_case(*find_function("step"), {4, 3}, 1, false);
  EXPECT_FALSE(check_gradient(c.function(), c.leaves()));
  const Case twisted = make_case(*find_function("tanh"), {4, 3}, 1, false);
  const auto wrong = [&](const Tensors& leaves) {
    return Tensors{twisted.function()(leaves)[0] + 1e-3 * torch::sin(leaves[0].detach())};
  };
  EXPECT_FALSE(check_gradient(wrong, twisted.leaves()));
}

TEST(Gradients, OfEveryFunction) { check_all(1); }

TEST(Gradients, OfEveryLearnedParameterByChannel) { check_all(3); }

// Parameters that are fixed by role have gradients too, where a tensor is given for them.
TEST(Gradients, OfEveryFixedParameter) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    if (!spec.differentiable || spec.parameters.empty()) continue;
    for (const bool training : modes(spec)) {
      SCOPED_TRACE(std::string(spec.name) + (training ? " in training" : ""));
      Case c = make_case(*f, {4, 3, 2}, 3, training);
      for (std::size_t k = 0; k < c.parameters.size(); ++k) {
        const Parameter& p = spec.parameters[k];
        // Switches and borders are constants to a derivative, or kinks at their very value.
        if (p.role == Role::learned || p.name == "clip" || p.name == "eps" || p.name == "threshold") continue;
        const double inward = p.value <= p.low ? 0.01 : p.value >= p.high ? -0.01 : 0.0;
        c.parameters[k] = torch::full({3}, p.value + inward, at::kDouble) + 0.01 * torch::rand({3}, at::kDouble);
        c.parameters[k].requires_grad_();
      }
      EXPECT_TRUE(check_gradient(c.function(), c.leaves()));
      EXPECT_TRUE(check_second_gradient(c.function(), c.leaves(), 1e-4));
    }
  }
}

TEST(Gradients, OfPackedInputs) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    if (spec.inputs != 2) continue;
    for (const Layout layout : {Layout::gate_first, Layout::gate_last, Layout::interleaved}) {
      for (const std::int64_t gate_dim : {0, 1, 2}) {
        SCOPED_TRACE(std::string(spec.name) + ", layout " + std::to_string(static_cast<int>(layout)) + " along " +
                     std::to_string(gate_dim));
        Case c = make_case(*f, {2, 4, 2}, 2, false);
        c.inputs.resize(1);
        c.options.layout = layout;
        c.options.gate_dim = gate_dim;
        c.options.channel_dim = gate_dim == 2 ? 0 : 2;
        EXPECT_TRUE(check_gradient(c.function(), c.leaves()));
        if (gate_dim == 1) {
          EXPECT_TRUE(check_second_gradient(c.function(), c.leaves()));
        }
      }
    }
  }
}

TEST(Gradients, OfSomeInputsOnly) {
  Case c = make_case(*find_function("xswiglu"), {3, 4}, 4, false);
  c.inputs[0].requires_grad_(false);
  EXPECT_TRUE(check_gradient(c.function(), c.leaves()));
  EXPECT_TRUE(check_second_gradient(c.function(), c.leaves()));
  c.parameters[0].requires_grad_(false);
  EXPECT_TRUE(check_gradient(c.function(), c.leaves()));
  EXPECT_TRUE(check_second_gradient(c.function(), c.leaves()));
}

// x goes straight to a parameter's gradient only.
TEST(Gradients, OfParametersOnly) {
  Case c = make_case(*find_function("acon_c"), {3, 4}, 4, false);
  c.inputs[0].requires_grad_(false);
  EXPECT_TRUE(check_gradient(c.function(), c.leaves()));
  EXPECT_TRUE(check_second_gradient(c.function(), c.leaves()));
}

// Each parameter alone, between others that want none: the first derivatives and those of the derivatives.
TEST(Gradients, OfOneParameterAtATime) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    if (!spec.differentiable || spec.noise != Noise::none || spec.parameters.size() < 2) continue;
    std::vector<torch::Tensor> parameters;
    Tensors inputs;
    for (std::size_t k = 0; k < spec.inputs; ++k) inputs.push_back(inputs_off_kinks({3, 4}).requires_grad_());
    for (const double value : Activation(*f).parameters()) parameters.push_back(torch::full({1}, value, at::kDouble));
    const auto gradients = [&](const Tensors& leaves, bool by_slope) {
      const torch::Tensor y = spec.inputs == 2 ? apply(Activation(*f), inputs[0], inputs[1], parameters)
                                               : apply(Activation(*f), inputs[0], parameters);
      const torch::Tensor of = by_slope ? torch::autograd::grad({y.sum()}, {inputs[0]}, {}, true, true)[0] : y;
      return torch::autograd::grad({of.sin().sum()}, leaves, {}, c10::nullopt, false, true);
    };
    for (const bool by_slope : {false, true}) {
      for (torch::Tensor& p : parameters) p.requires_grad_();
      const Tensors want = gradients(parameters, by_slope);
      for (torch::Tensor& p : parameters) p.requires_grad_(false);
      for (std::size_t k = 0; k < parameters.size(); ++k) {
        SCOPED_TRACE(std::string(spec.name) + ": " + std::string(spec.parameters[k].name));
        parameters[k].requires_grad_();
        const Tensors got = gradients({parameters[k]}, by_slope);
        parameters[k].requires_grad_(false);
        ASSERT_EQ(got[0].defined(), want[k].defined());
        if (want[k].defined()) {
          EXPECT_TRUE(near(got[0], want[k], 1e-12, 1e-12));
        }
      }
    }
  }
}

TEST(Gradients, ThirdDerivativesAreRefused) {
  const torch::Tensor x = torch::randn({5}, at::kDouble).requires_grad_();
  const torch::Tensor y = apply(Activation("gelu"), x);
  const torch::Tensor dx = torch::autograd::grad({y.sum()}, {x}, {}, true, true)[0];
  const torch::Tensor ddx = torch::autograd::grad({dx.sum()}, {x}, {}, true, true)[0];
  EXPECT_TRUE(ddx.requires_grad());
  const std::string message = message_of([&] { torch::autograd::grad({ddx.sum()}, {x}); });
  EXPECT_NE(message.find("ogee::gelu: third derivatives are not available"), std::string::npos) << message;
}

TEST(Gradients, ASecondBackwardNeedsTheGraphKept) {
  const torch::Tensor x = torch::randn({5}).requires_grad_();
  const torch::Tensor y = apply(Activation("mish"), x).sum();
  y.backward();
  EXPECT_NE(message_of([&] { y.backward(); }).find("second time"), std::string::npos);
}

TEST(Gradients, ChangesInPlaceAreNoticed) {
  const torch::Tensor leaf = torch::randn({5}).requires_grad_();
  torch::Tensor x = leaf * 1;
  const torch::Tensor y = apply(Activation("mish"), x).sum();
  x.add_(1);
  EXPECT_NE(message_of([&] { y.backward(); }).find("modified by an inplace operation"), std::string::npos);
}

// Straight-through functions: the derivative is the surrogate's.
TEST(Gradients, StraightThrough) {
  torch::Tensor x = torch::randn({6}, at::kDouble).requires_grad_();
  apply(Activation("step"), x).sum().backward();
  EXPECT_TRUE(torch::equal(x.grad(), torch::ones_like(x)));
  x.mutable_grad().reset();
  ApplyOptions training;
  training.training = true;
  apply(Activation("stochastic_binary"), x, {}, training).sum().backward();
  const torch::Tensor s = torch::sigmoid(x.detach());
  EXPECT_TRUE(near(x.grad(), s * (1 - s), 1e-12, 1e-14));
}

// The short way to the kernels is taken only where nobody stands on the long one.

TEST(Dispatch, ObserversHearOfEveryCall) {
  static std::vector<std::string> heard;
  heard.clear();
  const torch::Tensor x = torch::randn({5}).requires_grad_();
  {
    const at::CallbackHandle handle = at::addThreadLocalCallback(
        at::RecordFunctionCallback([](const at::RecordFunction& f) -> std::unique_ptr<at::ObserverContext> {
          heard.emplace_back(f.name());
          return nullptr;
        }).scopes({at::RecordScope::FUNCTION}));
    apply(Activation("mish"), x).sum().backward();
    at::removeCallback(handle);
  }
  for (const char* name : {"ogee::_forward", "ogee::_backward"}) {
    EXPECT_NE(std::find(heard.begin(), heard.end(), name), heard.end()) << name;
  }
  heard.clear();
  apply(Activation("mish"), x).sum().backward();
  EXPECT_TRUE(heard.empty());
}

TEST(Dispatch, TracersSeeTheOperator) {
  const auto traced = torch::jit::tracer::trace(
      {torch::randn({5})},
      [](torch::jit::Stack inputs) -> torch::jit::Stack { return {apply(Activation("mish"), inputs[0].toTensor())}; },
      [](const at::Tensor&) { return std::string(); });
  EXPECT_NE(traced.first->graph->toString().find("ogee::_forward"), std::string::npos);
}

TEST(Dispatch, InferenceTensorsStaySuch) {
  const torch::Tensor x = torch::randn({5});
  const c10::InferenceMode inference;
  const torch::Tensor y = apply(Activation("mish"), x);
  EXPECT_TRUE(y.is_inference());
  EXPECT_TRUE(torch::equal(y, apply(Activation("mish"), x.clone())));
}

// Contiguous tensors take a way of their own; the same elements in another order must give the same bits.
TEST(Dispatch, TheShortWayComputesTheSame) {
  for (const Function* f : functions()) {
    const Spec& spec = spec_of(*f);
    for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
      SCOPED_TRACE(std::string(spec.name) + " " + toString(type));
      const torch::Tensor a = torch::randn({7, 6}).to(type), b = torch::randn({7, 6}).to(type);
      const torch::Tensor dy = torch::randn({7, 6}).to(type);
      const auto both = [&](const std::function<torch::Tensor(const torch::Tensor&)>& as) {
        Tensors leaves{as(a).detach().requires_grad_()};
        if (spec.inputs == 2) leaves.push_back(as(b).detach().requires_grad_());
        const torch::Tensor y =
            spec.inputs == 2 ? apply(Activation(*f), leaves[0], leaves[1]) : apply(Activation(*f), leaves[0]);
        Tensors results = torch::autograd::grad({y}, leaves, {as(dy)});
        results.push_back(y);
        return results;
      };
      const Tensors got = both([](const torch::Tensor& t) { return t; });
      const Tensors want = both([](const torch::Tensor& t) { return t.t().contiguous().t(); });
      for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(torch::equal(got[i], want[i])) << i;
    }
  }
}

}  // namespace
}  // namespace ogee::testing
