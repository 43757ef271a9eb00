// Recurrent cells against LibTorch's own, against the same composed of LibTorch's operators, and against differences.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "recurrent.h"

namespace ogee::testing {
namespace {

void expect_near(const Tensors& got, const Tensors& want, double relative, double absolute, const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(near(got[i], want[i], relative, absolute)) << what << ", tensor " << i;
  }
}

// Copies LibTorch's parameters by name.
template <class Ours, class Theirs>
void copy_parameters(Ours& ours, Theirs& theirs) {
  const torch::NoGradGuard no_grad;
  for (auto& entry : theirs->named_parameters()) ours->named_parameters()[entry.key()].copy_(entry.value());
}
template <class Ours, class Theirs>
void expect_same_gradients(Ours& ours, Theirs& theirs, double tolerance, const std::string& what) {
  ASSERT_EQ(ours->named_parameters().size(), theirs->named_parameters().size());
  for (auto& entry : theirs->named_parameters()) {
    EXPECT_TRUE(near(ours->named_parameters()[entry.key()].grad(), entry.value().grad(), tolerance, tolerance))
        << what << ": " << entry.key();
  }
}

struct Stack {
  std::int64_t layers;
  bool both_ways, batch_first, bias;
  at::ScalarType type;
  std::string text() const {
    return std::to_string(layers) + (both_ways ? " bidirectional" : "") + (batch_first ? " batch_first" : "") +
           (bias ? "" : " without bias") + (type == at::kFloat ? " float" : " double");
  }
};
std::vector<Stack> stacks() {
  return {{1, false, false, true, at::kDouble}, {2, false, true, true, at::kDouble},
          {2, true, false, true, at::kDouble},  {1, true, true, false, at::kDouble},
          {2, true, false, true, at::kFloat},   {1, false, false, false, at::kFloat}};
}

TEST(Recurrent, PlainLstmIsLibTorchs) {
  torch::manual_seed(1);
  for (const Stack& s : stacks()) {
    const double tolerance = s.type == at::kDouble ? 1e-11 : 3e-5;
    torch::nn::LSTM theirs(torch::nn::LSTMOptions(5, 19)
                               .num_layers(s.layers)
                               .bidirectional(s.both_ways)
                               .batch_first(s.batch_first)
                               .bias(s.bias));
    nn::LSTM ours(
        nn::LSTMOptions(5, 19).num_layers(s.layers).bidirectional(s.both_ways).batch_first(s.batch_first).bias(s.bias));
    theirs->to(s.type);
    ours->to(s.type);
    copy_parameters(ours, theirs);
    const std::int64_t states = s.layers * (s.both_ways ? 2 : 1);
    const torch::Tensor x = torch::randn({7, 4, 5}, s.type), x1 = x.clone().requires_grad_(),
                        x2 = x.clone().requires_grad_();
    const auto in = [&](const torch::Tensor& t) { return s.batch_first ? t.transpose(0, 1) : t; };
    for (const bool with_states : {true, false}) {
      const torch::Tensor h = torch::randn({states, 4, 19}, s.type), c = torch::randn({states, 4, 19}, s.type);
      torch::optional<nn::LSTMState> first;
      if (with_states) first = nn::LSTMState(h, c);
      const auto [y1, last1] = theirs->forward(in(x1), first);
      const auto [y2, last2] = ours->forward(in(x2), first);
      EXPECT_TRUE(near(y2, y1, tolerance, tolerance)) << s.text();
      EXPECT_TRUE(near(std::get<0>(last2), std::get<0>(last1), tolerance, tolerance)) << s.text();
      EXPECT_TRUE(near(std::get<1>(last2), std::get<1>(last1), tolerance, tolerance)) << s.text();
      for (const auto& [y, last] : {std::pair(y1, last1), std::pair(y2, last2)}) {
        (y.sin().sum() + std::get<0>(last).sin().sum() + std::get<1>(last).cos().sum()).backward();
      }
    }
    EXPECT_TRUE(near(x2.grad(), x1.grad(), tolerance, tolerance)) << s.text();
    expect_same_gradients(ours, theirs, s.type == at::kDouble ? 1e-10 : 2e-4, s.text());
  }
}

TEST(Recurrent, PlainGruIsLibTorchs) {
  torch::manual_seed(2);
  for (const Stack& s : stacks()) {
    const double tolerance = s.type == at::kDouble ? 1e-11 : 3e-5;
    torch::nn::GRU theirs(torch::nn::GRUOptions(5, 19)
                              .num_layers(s.layers)
                              .bidirectional(s.both_ways)
                              .batch_first(s.batch_first)
                              .bias(s.bias));
    nn::GRU ours(
        nn::GRUOptions(5, 19).num_layers(s.layers).bidirectional(s.both_ways).batch_first(s.batch_first).bias(s.bias));
    theirs->to(s.type);
    ours->to(s.type);
    copy_parameters(ours, theirs);
    const torch::Tensor x = torch::randn({7, 4, 5}, s.type), x1 = x.clone().requires_grad_(),
                        x2 = x.clone().requires_grad_();
    const torch::Tensor h = torch::randn({s.layers * (s.both_ways ? 2 : 1), 4, 19}, s.type);
    const auto in = [&](const torch::Tensor& t) { return s.batch_first ? t.transpose(0, 1) : t; };
    for (const torch::Tensor& first : {h, torch::Tensor()}) {
      const auto [y1, h1] = theirs->forward(in(x1), first);
      const auto [y2, h2] = ours->forward(in(x2), first);
      EXPECT_TRUE(near(y2, y1, tolerance, tolerance)) << s.text();
      EXPECT_TRUE(near(h2, h1, tolerance, tolerance)) << s.text();
      (y1.sin().sum() + h1.cos().sum()).backward();
      (y2.sin().sum() + h2.cos().sum()).backward();
    }
    EXPECT_TRUE(near(x2.grad(), x1.grad(), tolerance, tolerance)) << s.text();
    expect_same_gradients(ours, theirs, s.type == at::kDouble ? 1e-10 : 2e-4, s.text());
  }
}

// Pairs of functions for the gates and for the candidate and output.
const std::pair<const char*, const char*> pairs[] = {{"sigmoid", "tanh"},
                                                     {"nan_sigmoid", "nan_tanh"},
                                                     {"nah_sigmoid", "nah_tanh"},
                                                     {"nan_hard_sigmoid", "nan_hard_tanh"},
                                                     {"nah_hard_sigmoid(alpha=0.9)", "nah_hard_tanh(alpha=1)"},
                                                     {"nan_sigmoid(clip=1)", "nah_tanh(c=3)"},
                                                     {"sigmoid", "swish"},
                                                     {"nanil_sigmoid", "rrelu"},
                                                     {"hard_sigmoid", "prelu"}};

TEST(Recurrent, AgreesWithTheComposedForm) {
  for (const Cell cell : {Cell::lstm, Cell::gru, Cell::mgu}) {
    for (const auto& [sigmoid, tanh] : pairs) {
      for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
        for (const std::int64_t units : {1, 3, 16, 37}) {
          for (const bool training : {true, false}) {
            LayerShape shape;
            shape.units = units;
            shape.type = type;
            shape.training = training;
            shape.peephole = cell == Cell::lstm && units != 3;
            shape.reverse = units == 16;
            shape.bias = units != 37;
            shape.states = units != 1;
            const Layer l = make_layer(cell, same(cell, sigmoid, tanh), shape);
            const double tolerance = type == at::kDouble ? 1e-10 : 1e-3;
            expect_near(results_and_gradients(l, false), results_and_gradients(l, true), tolerance, tolerance,
                        std::string(sigmoid) + " " + tanh + " " + std::to_string(static_cast<int>(cell)) + " units " +
                            std::to_string(units) + (type == at::kFloat ? " float" : "") +
                            (training ? " training" : ""));
            if (HasFailure()) return;
          }
        }
      }
    }
  }
}

TEST(Recurrent, EveryGateHasItsOwnFunction) {
  LayerShape shape;
  shape.peephole = true;
  shape.batch = 9;
  const Layer l = make_layer(Cell::lstm, {"nan_sigmoid", "sigmoid", "nah_hard_tanh", "prelu", "swish_beta"}, shape);
  expect_near(results_and_gradients(l, false), results_and_gradients(l, true), 1e-10, 1e-10, "mixed");
}

TEST(Recurrent, GradientsAreDifferenceQuotients) {
  LayerShape shape;
  shape.batch = 2;
  shape.units = 3;
  for (const Cell cell : {Cell::lstm, Cell::gru, Cell::mgu}) {
    shape.peephole = cell == Cell::lstm;
    for (const auto& [sigmoid, tanh] : {pairs[0], pairs[1], pairs[2]}) {
      const Layer l = make_layer(cell, same(cell, sigmoid, tanh), shape);
      EXPECT_TRUE(check_gradient(function_of(l), Layer(l).leaves())) << sigmoid << " " << tanh;
    }
  }
}

TEST(Recurrent, SecondGradientsAreDifferenceQuotients) {
  LayerShape shape;
  shape.batch = 2;
  shape.units = 2;
  shape.inputs = 2;
  shape.steps = 3;
  for (const Cell cell : {Cell::lstm, Cell::gru, Cell::mgu}) {
    shape.peephole = cell == Cell::lstm;
    const Layer l = make_layer(cell, same(cell, "nah_sigmoid", "nan_tanh"), shape);
    EXPECT_TRUE(check_second_gradient(function_of(l), Layer(l).leaves())) << static_cast<int>(cell);
  }
}

}  // namespace
}  // namespace ogee::testing
