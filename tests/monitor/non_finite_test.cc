// Ten ways to make a NaN, and each time the operator at fault, the step and the place.
#include <ATen/core/ivalue.h>
#include <torch/torch.h>
//
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "ogee/libtorch.h"
#include "ogee/monitor.h"

namespace ogee::test {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
constexpr int planted_step = 5;

struct Case {
  const char* name;
  const char* op;  // at fault
  bool backward;
  // Makes a loss of the network's outputs and inputs; `bad` in the planted step.
  std::function<at::Tensor(at::Tensor y, at::Tensor x, bool bad)> loss;
  std::function<void(at::Tensor& x)> spoil_input;
};

const Case cases[] = {
    {"LogOfZero", "aten::log", false,
     [](at::Tensor y, at::Tensor, bool bad) { return (bad ? y.sigmoid() * 0 : y.sigmoid()).log().mean(); }, nullptr},
    {"OverflowInExp", "aten::exp", false,
     [](at::Tensor y, at::Tensor, bool bad) { return (bad ? y.abs() + 100 : y).exp().mean(); }, nullptr},
    {"DivisionByZero", "aten::div", false,
     [](at::Tensor y, at::Tensor, bool bad) { return (y / (bad ? y - y : y.abs() + 1)).mean(); }, nullptr},
    {"RootOfNegative", "aten::sqrt", false,
     [](at::Tensor y, at::Tensor, bool bad) { return (bad ? -y.abs() - 1 : y.abs() + 1).sqrt().mean(); }, nullptr},
    {"RootOfZeroBackward", "aten::div", true,
     [](at::Tensor y, at::Tensor, bool bad) { return (bad ? y * 0 : y.abs() + 1).sqrt().mean(); }, nullptr},
    {"PowerOverflow", "aten::pow", false,
     [](at::Tensor y, at::Tensor, bool bad) { return (bad ? y + 1e20 : y).pow(4).mean(); }, nullptr},
    {"MaskedSoftmaxOfNothing", "aten::_softmax", false,
     [](at::Tensor y, at::Tensor, bool bad) {
       at::Tensor mask = torch::zeros_like(y, torch::kBool);
       mask.select(1, 0).fill_(true);
       if (bad) mask.fill_(true);
       return y.masked_fill(mask, -inf).softmax(-1).square().mean();
     },
     nullptr},
    {"InfinityMinusInfinity", "aten::mul", false,
     [](at::Tensor y, at::Tensor, bool bad) {
       const at::Tensor big = y.sigmoid() * (bad ? 1e30 : 1.0);
       const at::Tensor squared = big * big;
       return (squared - squared * 0.5 - squared * 0.5).mean() + y.mean();
     },
     nullptr},
    {"BadInputRow", "input", false, [](at::Tensor y, at::Tensor, bool) { return y.mean(); },
     [](at::Tensor& x) { x.data_ptr<float>()[7 * 10 + 3] = static_cast<float>(nan); }},
    {"ArcCosineOutside", "aten::acos", false,
     [](at::Tensor y, at::Tensor, bool bad) { return (bad ? y.tanh() + 2 : y.tanh() * 0.5).acos().mean(); }, nullptr},
    {"LogarithmOfNegativeTarget", "aten::log1p", false,
     [](at::Tensor y, at::Tensor x, bool bad) {
       return ((bad ? -2.0 - x.abs() : x.abs()).log1p().sum(1) * y.sum(1)).mean();
     },
     nullptr},
};

class Origin : public testing::TestWithParam<Case> {};

TEST_P(Origin, IsFound) {
  const Case& c = GetParam();
  torch::manual_seed(2);
  torch::nn::Sequential model(torch::nn::Linear(10, 12), torch::nn::ReLU(), torch::nn::Linear(12, 6));
  Monitor monitor(*model, MonitorOptions().trace_non_finite(true).print(false));
  torch::optim::SGD optimizer(model->parameters(), 0.01);
  for (int step = 1; step <= 8; ++step) {
    std::vector<float> numbers(16 * 10);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::sin(static_cast<float>(i * i) + 0.1F * step);
    at::Tensor x = torch::from_blob(numbers.data(), {16, 10});
    if (step == planted_step && c.spoil_input) c.spoil_input(x);
    optimizer.zero_grad();
    c.loss(model->forward(x), x, step == planted_step).backward();
    optimizer.step();
  }
  const monitor::Record record = monitor.record();
  ASSERT_FALSE(record.non_finite.empty());
  const monitor::NonFinite& first = record.non_finite.front();
  EXPECT_EQ(first.op, c.op) << first.how;
  EXPECT_EQ(first.step, planted_step) << first.how;
  EXPECT_EQ(first.backward, c.backward) << first.how;
  EXPECT_FALSE(first.how.empty());
  if (c.spoil_input) {
    EXPECT_EQ(first.row, 7);
  }
}
INSTANTIATE_TEST_SUITE_P(Planted, Origin, testing::ValuesIn(cases), [](const auto& info) { return info.param.name; });

TEST(NonFinite, MasksOfMinusInfinityAreNoFault) {
  torch::manual_seed(2);
  torch::nn::Linear project(8, 8);
  Monitor monitor(MonitorOptions().trace_non_finite(true).print(false));
  for (int i = 0; i < 6; ++i) {
    const at::Tensor y = project(torch::randn({5, 8}));
    const at::Tensor mask = torch::full({5, 5}, -inf).triu(1);
    (((y.mm(y.t()) + mask).softmax(-1)).mm(y)).sum().backward();
  }
  EXPECT_TRUE(monitor.record().non_finite.empty());
}

TEST(NonFinite, WithoutTracingTheStepIsKnown) {
  torch::manual_seed(2);
  torch::nn::Linear project(8, 8);
  Monitor monitor(MonitorOptions().print(false));
  for (int i = 1; i <= 40; ++i) {
    const at::Tensor y = project(torch::randn({5, 8}));
    (i == 29 ? y * static_cast<float>(nan) : y).sum().backward();
  }
  const monitor::Record record = monitor.record();
  ASSERT_FALSE(record.non_finite.empty());
  EXPECT_EQ(record.non_finite.front().step, 29);
}

}  // namespace
}  // namespace ogee::test
