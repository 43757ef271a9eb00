// The noise of recurrent cells: its distribution, its independence, when it is drawn and what it depends on.
#include <gtest/gtest.h>

#include <cmath>

#include <ATen/CPUGeneratorImpl.h>

#include "recurrent.h"

namespace ogee::testing {
namespace {

constexpr double mean_of_half_normal = 0.79788456080286535588;

// An LSTM layer whose output is slot `slot`'s noise alone: the weights are 0, so that every pre-activation is its bias;
// the slot has a noisy unit at x = 6, where sigma is sizeable; the other gates are constants made of identities, 1, or
// 0 for the forget gate, and the candidate's and output's identity.
class NoiseOf {
 public:
  NoiseOf(std::size_t slot, const std::string& kind, std::int64_t units) : slot_(slot) {
    const bool is_tanh = slot == 2 || slot == 4;
    const std::string text = kind + (is_tanh ? "hard_tanh" : "hard_sigmoid");
    for (std::size_t k = 0; k < 5; ++k) layer_.activations.emplace_back(k == slot ? text : "identity");
    layer_.weight_ih = torch::zeros({4 * units, 1}, at::kDouble);
    layer_.weight_hh = torch::zeros({4 * units, units}, at::kDouble);
    // i, f, g, o; the forget gate's noise shows if the cell starts at 1 and the other term is 0.
    const std::vector<double> biases = slot == 1 ? std::vector<double>{0, 6, 0, 1} : std::vector<double>{1, 0, 1, 1};
    layer_.bias_ih = torch::empty({4, units}, at::kDouble);
    for (std::int64_t k = 0; k < 4; ++k) layer_.bias_ih[k].fill_(biases[static_cast<std::size_t>(k)]);
    if (slot != 1 && slot != 4) layer_.bias_ih[slot == 0 ? 0 : slot == 2 ? 2 : 3].fill_(6);
    if (slot == 4) layer_.bias_ih[2].fill_(6);  // c = 6
    layer_.bias_ih = layer_.bias_ih.view({-1});
    layer_.training = true;
    const double x = 6, h = 1, u = is_tanh ? x : 0.25 * x + 0.5, v = h - u, p = 1;
    const double alpha = layer_.activations[slot].parameter("alpha"), c = layer_.activations[slot].parameter("c");
    const double s = 1 / (1 + std::exp(-p * v)) - 0.5;
    mean_ = alpha * h + (1 - alpha) * u;
    sigma_ = c * s * s;
  }
  // [time, batch, units].
  torch::Tensor draw(std::int64_t steps, std::int64_t batch) const {
    const torch::Tensor x = torch::zeros({steps, batch, 1}, at::kDouble);
    if (slot_ != 1) return (mean_ - recurrent(layer_, x).y) / sigma_;
    // The forget gate's values multiply up from a cell of 1.
    const torch::Tensor one = torch::ones({batch, layer_.weight_hh.size(1)}, at::kDouble);
    const torch::Tensor y = recurrent(layer_, x, {}, one).y;
    const torch::Tensor before = at::cat({one.unsqueeze(0), y.narrow(0, 0, steps - 1)});
    return (mean_ - y / before) / sigma_;
  }

 private:
  std::size_t slot_;
  RecurrentLayer layer_;
  double mean_, sigma_;
};

double correlation(const torch::Tensor& a, const torch::Tensor& b) {
  const torch::Tensor x = a.reshape({-1}) - a.mean(), y = b.reshape({-1}) - b.mean();
  return (x * y).mean().item<double>() / (x.std() * y.std()).item<double>();
}

// Every bound is six standard deviations of what is estimated.
TEST(RecurrentNoise, HasItsDistributionAndIsIndependent) {
  for (const std::string kind : {"nan_", "nah_"}) {
    for (std::size_t slot = 0; slot < 5; ++slot) {
      SCOPED_TRACE(kind + std::to_string(slot));
      torch::manual_seed(11);
      const bool half = kind == "nah_";
      const NoiseOf noise(slot, kind, 64);
      const torch::Tensor e = noise.draw(40, 50);
      const double n = static_cast<double>(e.numel());
      // alpha > 1: half-normal noise is -|xi|.
      const double mean = half ? -mean_of_half_normal : 0, variance = half ? 1 - 2 / M_PI : 1;
      EXPECT_NEAR(e.mean().item<double>(), mean, 6 * std::sqrt(variance / n));
      EXPECT_NEAR(e.square().mean().item<double>(), 1, 6 * std::sqrt(2 / n));
      EXPECT_NEAR(e.pow(4).mean().item<double>(), 3, 6 * std::sqrt(96 / n));
      if (half) {
        EXPECT_LE(e.max().item<double>(), 1e-9);
      }
      const double few = 6 / std::sqrt(n) * 1.1;
      for (const std::int64_t dim : {0, 1, 2}) {
        for (const std::int64_t apart : {1, 16, 31}) {
          const std::int64_t left = e.size(dim) - apart;
          EXPECT_LT(std::fabs(correlation(e.narrow(dim, 0, left), e.narrow(dim, apart, left))), 2 * few)
              << "dimension " << dim << ", " << apart << " apart";
        }
      }
      EXPECT_LT(std::fabs(correlation(e, noise.draw(40, 50))), few) << "between calls";
    }
  }
}

TEST(RecurrentNoise, IsIndependentBetweenGates) {
  std::vector<torch::Tensor> all;
  for (std::size_t slot = 0; slot < 5; ++slot) {
    torch::manual_seed(12);  // the same stream for all
    all.push_back(NoiseOf(slot, "nan_", 64).draw(40, 50));
  }
  for (std::size_t a = 0; a < all.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      EXPECT_LT(std::fabs(correlation(all[a], all[b])), 6 / std::sqrt(static_cast<double>(all[a].numel())));
    }
  }
}

nn::LSTM noisy_lstm(std::int64_t layers = 2) {
  torch::manual_seed(5);
  return nn::LSTM(nn::LSTMOptions(24, 70)
                      .num_layers(layers)
                      .bidirectional(true)
                      .peephole(true)
                      .dropout(0.3)
                      .sigmoid("nah_sigmoid")
                      .tanh("nan_tanh"));
}

// Results and gradients by parameters.
Tensors trained(const nn::LSTM& lstm, const torch::Tensor& x, std::uint64_t seed) {
  torch::manual_seed(seed);
  for (torch::Tensor& p : lstm->parameters()) p.mutable_grad().reset();
  const torch::Tensor y = std::get<0>(nn::LSTM(lstm)->forward(x));
  y.square().sum().backward();
  Tensors all{y.detach()};
  for (const torch::Tensor& p : lstm->parameters()) all.push_back(p.grad().clone());
  return all;
}

TEST(RecurrentNoise, DependsOnTheSeedAlone) {
  const nn::LSTM lstm = noisy_lstm();
  const torch::Tensor x = torch::randn({9, 83, 24});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Tensors one = trained(lstm, x, 4), again = trained(lstm, x, 4), other = trained(lstm, x, 6);
  at::set_num_threads(2);
  const Tensors two = trained(lstm, x, 4);
  at::set_num_threads(threads);
  EXPECT_FALSE(torch::equal(one[0], other[0]));
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_TRUE(torch::equal(one[i], again[i])) << i;
    EXPECT_TRUE(torch::equal(one[i], two[i])) << i << ": two threads";
  }
}

TEST(RecurrentNoise, ComesFromTheGuardsGenerator) {
  nn::LSTM lstm = noisy_lstm();
  const torch::Tensor x = torch::randn({3, 4, 24});
  const auto guarded = [&] {
    const GeneratorGuard guard(at::make_generator<at::CPUGeneratorImpl>(77));
    return std::get<0>(lstm->forward(x));
  };
  const torch::Tensor first = guarded();
  torch::manual_seed(1);
  const torch::Tensor drawn = torch::rand({1});
  torch::manual_seed(1);
  EXPECT_TRUE(torch::equal(guarded(), first));
  EXPECT_TRUE(torch::equal(torch::rand({1}), drawn)) << "the default generator was used";
}

// Where evaluation draws noise, the second one differs.
TEST(RecurrentNoise, IsOffAtEvaluation) {
  for (const Cell cell : {Cell::lstm, Cell::gru, Cell::mgu}) {
    for (const std::string kind :
         {"nan(base=%)", "nah(base=%)", "nani(base=%)", "nanis(base=%)", "nanil(base=%)", "nan_fixed(base=%)"}) {
      std::string sigmoid = kind, tanh = kind;
      sigmoid.replace(kind.find('%'), 1, "sigmoid");
      tanh.replace(kind.find('%'), 1, "tanh");
      for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
        LayerShape shape;
        shape.type = type;
        Layer l = make_layer(cell, same(cell, sigmoid, tanh), shape);
        l.x = l.x.detach().mul(4);  // well into saturation, where nanis draws noise
        const auto run = [&](bool training, bool is_composed) {
          l.layer.training = training;
          return is_composed ? compose_recurrent(l.layer, l.x, l.h, l.c).y : recurrent(l.layer, l.x, l.h, l.c).y;
        };
        for (const bool is_composed : {false, true}) {
          EXPECT_TRUE(torch::equal(run(false, is_composed), run(false, is_composed))) << sigmoid;
          EXPECT_FALSE(torch::equal(run(true, is_composed), run(true, is_composed))) << sigmoid;
        }
      }
    }
  }
  nn::LSTM lstm = noisy_lstm();
  const torch::Tensor x = torch::randn({3, 4, 24});
  EXPECT_FALSE(torch::equal(std::get<0>(lstm->forward(x)), std::get<0>(lstm->forward(x))));
  lstm->eval();
  EXPECT_TRUE(torch::equal(std::get<0>(lstm->forward(x)), std::get<0>(lstm->forward(x))));
}

// At evaluation a half-normal deviate is its mean: what a training pass gives on average, where nothing is curved.
TEST(RecurrentNoise, HalfNormalMeanIsTheEvaluation) {
  const NoiseOf noise(2, "nah_", 8);
  torch::manual_seed(2);
  EXPECT_NEAR(noise.draw(50, 50).mean().item<double>(), -mean_of_half_normal, 0.03);
  LayerShape shape;
  shape.training = false;
  shape.units = 3;
  const Layer l = make_layer(Cell::gru, {"identity", "identity", "nah_hard_tanh"}, shape);
  const torch::Tensor& x = l.x;
  const torch::Tensor a = at::linear(x, l.layer.weight_ih, l.layer.bias_ih).select(0, 0),
                      b = at::linear(l.h, l.layer.weight_hh, l.layer.bias_hh);
  const torch::Tensor sum = a.narrow(1, 6, 3) + (a + b).narrow(1, 0, 3) * b.narrow(1, 6, 3);
  const torch::Tensor h = sum.clamp(-1, 1), v = h - sum;
  const torch::Tensor sigma = 0.5 * (torch::sigmoid(l.layer.learned[0] * v) - 0.5).square();
  const torch::Tensor n = 1.15 * h - 0.15 * sum + torch::sign(sum) * sigma * mean_of_half_normal;
  const torch::Tensor z = (a + b).narrow(1, 3, 3);
  EXPECT_TRUE(near(recurrent(l.layer, l.x, l.h).y[0], n + z * (l.h - n), 1e-12, 1e-12));
}

}  // namespace
}  // namespace ogee::testing
