// The one-pass Adam, and RMSProp with its clipping, against the same in double, written out.
#include "ogee/libtorch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "lab/adam_pass.h"
#include "lab/optimiser.h"
#include "ogee/torch.h"
#include "ogee/torch_recurrent.h"

namespace ogee::lab {
namespace {

TEST(AdamPass, IsAdamAtEveryLength) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (const std::size_t size : {0u, 1u, 7u, 16u, 33u, 100u}) {
    std::vector<float> m(size), v(size), w(size);
    std::vector<double> m64(size), v64(size), w64(size);
    for (std::size_t i = 0; i < size; ++i) w64[i] = w[i] = normal(random);
    for (int step = 1; step <= 20; ++step) {
      std::vector<float> g(size);
      for (float& value : g) value = normal(random);
      const double first = 1 - std::pow(0.9, step), second = std::sqrt(1 - std::pow(0.999, step)), rate = 0.01;
      const AdamPass pass{
          static_cast<float>(1 - rate * 0.1), 0.9F, 0.1F, 0.999F, 0.001F, static_cast<float>(rate * second / first),
          static_cast<float>(1e-8 * second)};
      adam_pass(pass, size, g.data(), m.data(), v.data(), w.data());
      for (std::size_t i = 0; i < size; ++i) {
        m64[i] = 0.9 * m64[i] + 0.1 * g[i];
        v64[i] = 0.999 * v64[i] + 0.001 * g[i] * g[i];
        w64[i] = (1 - rate * 0.1) * w64[i] - rate * (m64[i] / first) / (std::sqrt(v64[i]) / second + 1e-8);
      }
    }
    for (std::size_t i = 0; i < size; ++i) {
      EXPECT_NEAR(w[i], w64[i], 2e-5) << "element " << i << " of " << size;
      EXPECT_NEAR(v[i], v64[i], 1e-5 * v64[i]);
    }
  }
}

// Graves 2013, equations 38 to 41, the gradient's elements cut first.
TEST(Rmsprop, IsGravesWithItsElementsCut) {
  struct One : torch::nn::Module {
    One() : w(register_parameter("w", torch::tensor({1.0F, -2.0F, 0.5F}))) {}
    at::Tensor w;
  } network;
  OptimiserSettings settings{"rmsprop"};
  settings.momentum = 0.9;
  settings.weight_decay = 0.01;
  settings.clip_value = 2;
  const auto optimiser = make_optimiser(settings, network);
  double w[] = {1, -2, 0.5}, n[3] = {}, g[3] = {}, delta[3] = {};
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 2);
  for (int step = 0; step < 30; ++step) {
    for (int i = 0; i < 3; ++i) {
      const float drawn = normal(random);
      network.w.mutable_grad()[i] = drawn;
      const double e = std::min(2.0, std::max(-2.0, static_cast<double>(drawn))) + 0.01 * w[i];
      n[i] = 0.95 * n[i] + 0.05 * e * e;
      g[i] = 0.95 * g[i] + 0.05 * e;
      delta[i] = 0.9 * delta[i] - 0.01 * e / std::sqrt(n[i] - g[i] * g[i] + 1e-4);
      w[i] += delta[i];
    }
    optimiser->step(0.01);
    for (int i = 0; i < 3; ++i) EXPECT_NEAR(network.w[i].item<double>(), w[i], 1e-5 * (1 + step)) << step;
  }
}

// Without gradients, all that decays shrinks; a noisy unit's p, of a layer or of a gate, stays.
TEST(WeightDecay, LeavesNoiseAlone) {
  struct Both : torch::nn::Module {
    Both() {
      register_module("unit", nn::Activation(nn::ActivationOptions("nan_tanh").channels(5)));
      register_module("slopes", nn::Activation(nn::ActivationOptions("prelu").channels(5)));
      register_module("cell", nn::LSTM(nn::LSTMOptions(3, 4).sigmoid("nan_sigmoid").tanh("nah_tanh")));
      register_module("map", torch::nn::Linear(3, 2));
    }
  };
  for (const char* name : {"adam", "sgd", "rmsprop"}) {
    Both network;
    std::map<std::string, at::Tensor> before;
    for (const auto& p : network.named_parameters()) before[p.key()] = p.value().detach().clone();
    OptimiserSettings settings{name};
    settings.weight_decay = 0.1;
    const auto optimiser = make_optimiser(settings, network);
    for (int i = 0; i < 10; ++i) optimiser->step(0.01);
    int kept = 0;
    for (const auto& p : network.named_parameters()) {
      const bool of_noise = p.key() == "unit.p" || p.key().find("_p_l0") != std::string::npos;
      EXPECT_EQ(torch::equal(p.value(), before[p.key()]), of_noise) << name << ": " << p.key();
      EXPECT_LE(p.value().detach().norm().item<double>(), before[p.key()].norm().item<double>()) << p.key();
      kept += of_noise;
    }
    EXPECT_EQ(kept, 6) << name;  // the unit's, and five gates'
  }
}

}  // namespace
}  // namespace ogee::lab
