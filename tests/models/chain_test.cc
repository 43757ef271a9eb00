// A chain that is run by hand against autograd, on every function: outputs, gradients, noise and hooks.
#include "models/chain.h"

#include <ATen/record_function.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <string>
#include <vector>

#include "models/network.h"
#include "ogee/ogee.h"
#include "tasks/task.h"

namespace ogee::models::chain_test {
namespace {

constexpr std::int64_t examples = 11;

data::Dataset columns() {
  data::Dataset set;
  set.name = "columns";
  set.shape = {7};
  set.classes = {"a", "b", "c", "d"};
  return set;
}

std::shared_ptr<Network> mlp(const std::string& activation, bool per_channel = false) {
  Settings settings;
  settings.activation = activation;
  settings.depth =
      activation.find("sine") == std::string::npos ? 5 : 1;  // sin(30 x) of sin(30 x) magnifies any rounding
  settings.width = 19;
  settings.per_channel = per_channel;
  auto network = build(settings, columns(), 1);
  for (const at::Tensor& parameter : network->parameters()) {
    at::Tensor(parameter).mutable_grad() = torch::full_like(parameter, 7);
    if (parameter.dim() == 1) at::Tensor(parameter).data().add_(0.05 * torch::rand_like(parameter));  // biases, too
  }
  return network;
}

// Of sums that are added in another order.
void expect_close(const at::Tensor& got, const at::Tensor& want, const std::string& what) {
  const double scale = want.abs().max().item<double>() + 0.01;
  EXPECT_LE((got - want).abs().max().item<double>(), 2e-5 * scale) << what;
}

TEST(Chain, IsAutogradOnEveryFunction) {
  for (const Function* function : functions()) {
    const std::string name(spec_of(*function).name);
    for (const bool per_channel : {false, true}) {
      SCOPED_TRACE(name + (per_channel ? " by unit" : ""));
      torch::manual_seed(5);
      const auto network = mlp(name, per_channel);
      ASSERT_NE(network->chain(), nullptr);
      const auto task = tasks::make_task(columns());
      const at::Tensor x = torch::randn({examples, 7}), y = torch::randint(4, {examples}, torch::kLong);

      torch::manual_seed(6);
      ASSERT_TRUE(network->chain()->trains(x));
      const at::Tensor output = network->chain()->forward(x, true);
      const auto found = task->differentiated(output, y);
      network->chain()->backward(found.gradient);
      std::vector<at::Tensor> gradients;
      for (const at::Tensor& parameter : network->parameters()) {
        gradients.push_back(parameter.grad().clone());
        parameter.grad().zero_();
      }

      torch::manual_seed(6);
      const at::Tensor expected = network->forward(x);
      const at::Tensor loss = task->loss(expected, y);
      loss.backward();
      expect_close(output, expected.detach(), "outputs");
      EXPECT_NEAR(found.loss, loss.item<double>(), 1e-5 * (1 + std::abs(found.loss)));
      for (std::size_t i = 0; const auto& parameter : network->named_parameters())
        expect_close(gradients[i++], parameter->grad(), parameter.key());

      network->eval();
      const at::Tensor recorded = network->forward(x).detach();
      const torch::NoGradGuard no_gradients;
      expect_close(network->forward(x), recorded, "outputs at evaluation");
    }
  }
}

TEST(Chain, CallsHooksOnGradients) {
  const auto network = mlp("prelu");
  int calls = 0;
  for (const at::Tensor& parameter : network->parameters())
    parameter.register_hook([&calls, parameter](const at::Tensor& gradient) {
      calls += gradient.data_ptr() == parameter.grad().data_ptr() ? 1 : 0;
    });
  const at::Tensor output = network->chain()->forward(torch::randn({examples, 7}), true);
  network->chain()->backward(torch::ones_like(output));
  EXPECT_EQ(calls, static_cast<int>(network->parameters().size()));
  EXPECT_THROW(network->chain()->backward(torch::ones_like(output)), c10::Error) << "a second time";
}

int linears = 0, activations = 0, hooks = 0;
struct Seen : at::ObserverContext {};

TEST(Chain, AnnouncesItsLayersAsOperators) {
  for (const char* activation : {"tanh", "prelu", "swiglu", "nah(base=tanh)"}) {
    SCOPED_TRACE(activation);
    linears = activations = hooks = 0;
    const auto network = mlp(activation);
    const at::Tensor x = torch::randn({examples, 7});
    const auto handle = at::addThreadLocalCallback(
        at::RecordFunctionCallback(
            [](const at::RecordFunction&) -> std::unique_ptr<at::ObserverContext> { return std::make_unique<Seen>(); },
            [](const at::RecordFunction& call, at::ObserverContext*) {
              const std::string name = call.name();
              if (name == "aten::linear") ++linears;
              if (name != "ogee::_forward") return;
              ++activations;
              const at::Tensor result = call.outputs().at(0).toTensor();
              ASSERT_EQ(call.inputs().size(), 13u);
              ASSERT_TRUE(result.requires_grad() && !result.is_leaf());
              result.register_hook([shape = result.sizes().vec()](const at::Tensor& gradient) {
                EXPECT_EQ(gradient.sizes(), at::IntArrayRef(shape));
                ++hooks;
              });
            })
            .needsInputs(true)
            .needsOutputs(true));
    torch::manual_seed(4);
    const at::Tensor output = network->chain()->forward(x, true);
    network->chain()->backward(torch::ones_like(output));
    at::removeCallback(handle);
    const auto layers = static_cast<int>(network->layers.size());
    EXPECT_EQ(activations, layers);
    EXPECT_EQ(hooks, layers);
    EXPECT_EQ(linears, 6);
    torch::manual_seed(4);
    EXPECT_TRUE(torch::equal(network->chain()->forward(x, true), output)) << "nobody looks";
  }
}

TEST(Chain, LeavesWhatItCannotDoToAutograd) {
  const auto network = mlp("gelu");
  const at::Tensor x = torch::randn({examples, 7});
  EXPECT_TRUE(network->chain()->trains(x));
  EXPECT_FALSE(network->chain()->trains(torch::randn({examples, 6})));
  EXPECT_FALSE(network->chain()->trains(x.to(torch::kDouble)));
  EXPECT_FALSE(network->chain()->trains(torch::randn({7, examples}).t()));
  EXPECT_FALSE(network->chain()->trains(x.clone().requires_grad_()));
  at::Tensor(network->parameters()[0]).mutable_grad() = at::Tensor();
  EXPECT_TRUE(network->chain()->runs(x));
  EXPECT_FALSE(network->chain()->trains(x)) << "a parameter has no gradient to write to";
}

}  // namespace
}  // namespace ogee::models::chain_test
