// The modules of recurrent networks: names, files, shapes, errors, and what autograd and other types make of them.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <sstream>

#include "recurrent.h"

namespace ogee::testing {
namespace {

nn::LSTMOptions noisy_options() {
  return nn::LSTMOptions(5, 7).num_layers(2).bidirectional(true).peephole(true).sigmoid("nah_sigmoid").tanh("nan_tanh");
}
torch::Tensor output(nn::LSTM lstm, const torch::Tensor& x) { return std::get<0>(lstm->forward(x)); }

TEST(RecurrentModules, ParametersHaveLibTorchsNames) {
  const nn::LSTM plain(nn::LSTMOptions(5, 7).num_layers(2).bidirectional(true));
  const torch::nn::LSTM theirs(torch::nn::LSTMOptions(5, 7).num_layers(2).bidirectional(true));
  EXPECT_EQ(plain->named_parameters().keys(), theirs->named_parameters().keys());
  const nn::LSTM noisy(noisy_options());
  const auto names = noisy->named_parameters();
  EXPECT_EQ(names.size(), 4U * (4 + 1 + 5));
  for (const char* gate : {"input_gate", "forget_gate", "candidate", "output_gate", "cell_output"}) {
    const torch::Tensor* p = names.find(std::string(gate) + "_p_l1_reverse");
    ASSERT_NE(p, nullptr) << gate;
    EXPECT_EQ(p->sizes(), at::IntArrayRef({7}));
  }
  ASSERT_TRUE(names.contains("weight_peephole_l0"));
}

TEST(RecurrentModules, ParametersStartWhereTheyShould) {
  torch::manual_seed(1);
  const nn::GRU gru(nn::GRUOptions(3, 400).sigmoid("nan_sigmoid").tanh("prelu"));
  for (const auto& entry : gru->named_parameters()) {
    const double low = entry.value().min().item<double>(), high = entry.value().max().item<double>();
    if (entry.key().find("_p_") != std::string::npos) {
      EXPECT_LT(low, -0.95) << entry.key();
      EXPECT_GT(low, -1) << entry.key();
      EXPECT_GT(high, 0.95) << entry.key();
      EXPECT_LT(high, 1) << entry.key();
    } else if (entry.key().rfind("candidate_", 0) == 0) {
      EXPECT_EQ(low, 0.25) << entry.key();
      EXPECT_EQ(high, 0.25) << entry.key();
    } else {
      EXPECT_GT(low, -0.05) << entry.key();
      EXPECT_LT(high, 0.05) << entry.key();
      EXPECT_GT(high, 0.049) << entry.key();
    }
  }
}

TEST(RecurrentModules, FilesRoundTrip) {
  const torch::Tensor x = torch::randn({4, 3, 5});
  nn::LSTM first(noisy_options()), second(noisy_options());
  first->eval();
  second->eval();
  ASSERT_FALSE(torch::equal(output(first, x), output(second, x)));
  std::stringstream file;
  torch::save(first, file);
  nn::LSTM loaded = second;
  torch::load(loaded, file);
  EXPECT_TRUE(torch::equal(output(first, x), output(loaded, x)));

  torch::nn::LSTM theirs(torch::nn::LSTMOptions(5, 7).num_layers(2));
  nn::LSTM ours(nn::LSTMOptions(5, 7).num_layers(2));
  std::stringstream other;
  torch::save(theirs, other);
  torch::load(ours, other);
  EXPECT_TRUE(near(output(ours, x), std::get<0>(theirs->forward(x)), 1e-5, 1e-6));
}

TEST(RecurrentModules, ClonesAreTheirOwn) {
  const torch::Tensor x = torch::randn({4, 3, 5});
  nn::LSTM lstm(noisy_options());
  lstm->eval();
  const auto copy = std::dynamic_pointer_cast<nn::LSTMImpl>(lstm->clone());
  EXPECT_TRUE(torch::equal(output(lstm, x), std::get<0>(copy->forward(x))));
  const torch::NoGradGuard no_grad;
  copy->named_parameters()["weight_hh_l0"].add_(1);
  EXPECT_FALSE(torch::equal(output(lstm, x), std::get<0>(copy->forward(x))));
}

TEST(RecurrentModules, TakesEveryShape) {
  const nn::LSTM lstm(nn::LSTMOptions(5, 7).num_layers(2).bidirectional(true).batch_first(true));
  nn::LSTM l = lstm;
  const auto [y, state] = l->forward(torch::randn({3, 6, 5}));
  EXPECT_EQ(y.sizes(), at::IntArrayRef({3, 6, 14}));
  EXPECT_EQ(std::get<0>(state).sizes(), at::IntArrayRef({4, 3, 7}));
  EXPECT_EQ(std::get<1>(state).sizes(), at::IntArrayRef({4, 3, 7}));
  // Without a batch; one step; an empty batch.
  const torch::Tensor alone = torch::randn({6, 5});
  const auto [y2, state2] = l->forward(alone);
  EXPECT_EQ(y2.sizes(), at::IntArrayRef({6, 14}));
  EXPECT_EQ(std::get<0>(state2).sizes(), at::IntArrayRef({4, 7}));
  EXPECT_TRUE(torch::equal(y2, output(l, alone.unsqueeze(0)).squeeze(0)));
  EXPECT_TRUE(
      near(std::get<0>(l->forward(alone, nn::LSTMState(torch::zeros({4, 7}), torch::zeros({4, 7})))), y2, 1e-6, 1e-7));
  EXPECT_EQ(output(l, torch::randn({3, 1, 5})).sizes(), at::IntArrayRef({3, 1, 14}));
  const torch::Tensor none = output(l, torch::randn({0, 6, 5}));
  EXPECT_EQ(none.sizes(), at::IntArrayRef({0, 6, 14}));
  none.sum().backward();
  EXPECT_TRUE(torch::equal(l->named_parameters()["weight_hh_l0"].grad(), torch::zeros({28, 7})));
  for (const Cell cell : {Cell::lstm, Cell::gru, Cell::mgu}) {
    LayerShape shape;
    shape.batch = 0;
    const Tensors all = results_and_gradients(make_layer(cell, same(cell, "nan_sigmoid", "rrelu"), shape), false);
    EXPECT_EQ(all[0].sizes(), at::IntArrayRef({5, 0, 6}));
  }
}

TEST(RecurrentModules, SaysWhatIsWrong) {
  const auto said = [](const std::function<void()>& call) { return message_of(call); };
  const auto expect = [&](const std::string& part, const std::function<void()>& call) {
    EXPECT_NE(said(call).find(part), std::string::npos) << said(call).substr(0, 300);
  };
  expect("hidden_size", [] { nn::LSTM(nn::LSTMOptions(3, 0)); });
  expect("dropout must be in [0, 1]", [] { nn::LSTM(nn::LSTMOptions(3, 3).dropout(2)); });
  expect("only an LSTM has peepholes", [] { nn::GRU(nn::GRUOptions(3, 3).peephole(true)); });
  expect("has no reset_gate", [] { nn::LSTM(nn::LSTMOptions(3, 3).reset_gate("tanh")); });
  expect("takes two inputs", [] { nn::LSTM(nn::LSTMOptions(3, 3).tanh("swiglu")); });
  expect("tanhh", [] { nn::LSTM(nn::LSTMOptions(3, 3).tanh("tanhh")); });
  nn::LSTM lstm(nn::LSTMOptions(3, 4).tanh("nan_tanh"));
  expect("last dimension of x must be 3", [&] { lstm->forward(torch::zeros({2, 2, 4})); });
  expect("2 or 3 dimensions, not 1", [&] { lstm->forward(torch::zeros({3})); });
  expect("no time steps", [&] { lstm->forward(torch::zeros({0, 2, 3})); });
  expect("h has shape [1, 2, 5]; expected [1, 2, 4]", [&] {
    lstm->forward(torch::zeros({2, 2, 3}), nn::LSTMState(torch::zeros({1, 2, 5}), torch::zeros({1, 2, 4})));
  });
  expect("but x is Double", [&] { lstm->forward(torch::zeros({2, 2, 3}, at::kDouble)); });
  expect("p is learned", [&] { lstm->set("p", 1); });
  expect("no activation has a parameter named beta", [&] { lstm->set("beta", 1); });
  expect("c", [&] { lstm->set("c", -1); });
  Layer l = make_layer(Cell::lstm, same(Cell::lstm, "nan_sigmoid", "tanh"), {});
  l.layer.learned.pop_back();
  expect("3 learned parameters, but 2 tensors", [&] { recurrent(l.layer, l.x); });
  l.layer.learned.push_back(torch::ones({5}, at::kDouble));
  expect("output_gate's p has shape [5]; expected one element or 6", [&] { recurrent(l.layer, l.x); });
  l = make_layer(Cell::gru, same(Cell::gru, "sigmoid", "tanh"), {});
  expect("only an lstm has a cell state", [&] { recurrent(l.layer, l.x, l.h, l.h); });
  l.layer.activations.pop_back();
  expect("has 3 activations, but 2", [&] { recurrent(l.layer, l.x); });
}

TEST(RecurrentModules, AnnealsTheNoise) {
  torch::manual_seed(1);
  nn::LSTM lstm(nn::LSTMOptions(5, 7).sigmoid("nan_sigmoid").tanh("nan_tanh"));
  const torch::Tensor x = 3 * torch::randn({4, 3, 5});
  lstm->set("c", 0);
  EXPECT_TRUE(torch::equal(output(lstm, x), output(lstm, x)));
  lstm->set("c", 30);
  EXPECT_FALSE(torch::equal(output(lstm, x), output(lstm, x)));
}

TEST(RecurrentModules, DropsOutputsBetweenLayers) {
  torch::manual_seed(1);
  nn::LSTM lstm(nn::LSTMOptions(5, 7).num_layers(2).dropout(1));
  const torch::Tensor a = output(lstm, torch::randn({4, 3, 5})), b = output(lstm, torch::randn({4, 3, 5}));
  EXPECT_TRUE(torch::equal(a, b));  // nothing of x comes through
  lstm->eval();
  EXPECT_FALSE(torch::equal(output(lstm, torch::randn({4, 3, 5})), output(lstm, torch::randn({4, 3, 5}))));
}

TEST(RecurrentAutograd, KeepsAndFreesTheGraph) {
  for (const Cell cell : {Cell::lstm, Cell::gru}) {
    const Layer l = make_layer(cell, same(cell, "nan_sigmoid", "prelu"), {});
    torch::manual_seed(1);
    const torch::Tensor y = recurrent(l.layer, l.x, l.h, l.c).y;
    const auto gradient = [&](bool keep) {
      return torch::autograd::grad({y.square().sum()}, {l.x, l.layer.weight_hh, l.layer.learned[0]}, {}, keep);
    };
    const Tensors first = gradient(true), second = gradient(true), last = gradient(false);
    for (std::size_t i = 0; i < first.size(); ++i) {
      EXPECT_TRUE(torch::equal(first[i], second[i]));
      EXPECT_TRUE(torch::equal(first[i], last[i]));
    }
    EXPECT_THROW(gradient(false), std::exception);
  }
}

TEST(RecurrentAutograd, NoticesThatTheResultWasChanged) {
  const Layer l = make_layer(Cell::lstm, same(Cell::lstm, "sigmoid", "tanh"), {});
  torch::Tensor y = recurrent(l.layer, l.x).y;
  y.add_(1);
  EXPECT_THROW(y.sum().backward(), std::exception);
}

TEST(RecurrentAutograd, GivesOnlyTheGradientsThatAreWanted) {
  for (const Cell cell : {Cell::lstm, Cell::gru, Cell::mgu}) {
    const Layer full = make_layer(cell, same(cell, "nah_sigmoid", "nan_tanh"), {});
    const Tensors all = results_and_gradients(full, false);
    const std::size_t results = cell == Cell::lstm ? 3 : 2, count = Layer(full).leaves().size();
    for (std::size_t only = 0; only < count; ++only) {
      Layer l = full;
      std::size_t place = 0;
      for (torch::Tensor* t : l.places()) {
        if (t->defined()) *t = t->detach().requires_grad_(place++ == only);
      }
      const Tensors out = function_of(l)(l.leaves());
      Tensors upstream;
      for (const torch::Tensor& t : out) {
        upstream.push_back(torch::cos(torch::arange(t.numel(), t.options().requires_grad(false))).view(t.sizes()));
      }
      const torch::Tensor g = torch::autograd::grad(out, {l.leaves()[only]}, upstream)[0];
      EXPECT_TRUE(torch::equal(g, all[results + only])) << only;
    }
  }
}

TEST(RecurrentAutograd, ResultsAreTheSameWithoutIt) {
  for (const Cell cell : {Cell::lstm, Cell::gru}) {
    const Layer l = make_layer(cell, same(cell, "nah_sigmoid", "nan_tanh"), {});
    torch::manual_seed(1);
    const torch::Tensor y = recurrent(l.layer, l.x, l.h, l.c).y;
    const torch::NoGradGuard no_grad;
    torch::manual_seed(1);
    EXPECT_TRUE(torch::equal(recurrent(l.layer, l.x, l.h, l.c).y, y));
  }
}

TEST(RecurrentAutograd, TakesInputsWithGaps) {
  Layer l = make_layer(Cell::lstm, same(Cell::lstm, "sigmoid", "tanh"), {});
  const torch::Tensor want = recurrent(l.layer, l.x, l.h, l.c).y;
  const auto apart = [](const torch::Tensor& t) { return torch::stack({t, t}, -1).select(-1, 0); };
  for (torch::Tensor* t : l.places()) {
    if (t->defined()) *t = apart(*t);
  }
  const torch::Tensor y = recurrent(l.layer, l.x, l.h, l.c).y;
  EXPECT_TRUE(near(y, want, 1e-12, 1e-12));
  y.sum().backward();  // an upstream gradient without memory of its own
}

TEST(RecurrentAutograd, OtherTypesAndAutocastRunComposed) {
  nn::LSTM lstm(nn::LSTMOptions(5, 16).sigmoid("nah_sigmoid").tanh("nan_tanh"));
  const torch::Tensor x = torch::randn({4, 3, 5});
  lstm->eval();
  const torch::Tensor want = output(lstm, x);
  {
    const AutocastOnCpu on;
    const torch::Tensor y = output(lstm, x);
    EXPECT_TRUE(near(y, want, 0.1, 0.05));
    y.sum().backward();
  }
  lstm->to(at::kBFloat16);
  EXPECT_TRUE(near(output(lstm, x.to(at::kBFloat16)), want, 0.1, 0.05));
}

}  // namespace
}  // namespace ogee::testing
