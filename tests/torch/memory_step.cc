// A neural Turing machine's memory against formulas written out in loops, its gradients against differences, what must
// not matter, and the module around it.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <sstream>
#include <vector>

#include "ogee/torch_memory.h"
#include "support.h"

namespace ogee::testing::memory_step_test {
namespace {

MemoryState state_of(const MemoryShape& s, std::int64_t batch, at::ScalarType type = at::kDouble) {
  MemoryState state;
  state.memory = torch::randn({batch, s.width, s.locations}, type);
  state.weights = torch::softmax(2 * torch::randn({batch, s.heads(), s.locations}, type), 2);
  return state;
}
torch::Tensor interface_of(const MemoryShape& s, std::int64_t batch, at::ScalarType type = at::kDouble) {
  return 1.5 * torch::randn({batch, s.interface_size()}, type);
}
Tensors all_of(const MemoryState& state) { return {state.memory, state.weights, state.reads}; }

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return std::log1p(std::exp(x)); }

// One example, by the paper's equations 2 to 9, over plain vectors.
struct WrittenOut {
  std::vector<std::vector<double>> memory, weights, reads;  // memory by location
};
WrittenOut written_out(const MemoryShape& s, const torch::Tensor& interface, const torch::Tensor& memory,
                       const torch::Tensor& weights) {
  const std::size_t n = static_cast<std::size_t>(s.locations), m = static_cast<std::size_t>(s.width);
  WrittenOut now;
  std::vector<std::vector<double>> before(n, std::vector<double>(m));
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < m; ++j)
      before[i][j] = memory[static_cast<std::int64_t>(j)][static_cast<std::int64_t>(i)].item<double>();
  std::vector<std::vector<double>> erased, added;
  std::int64_t at = 0;
  const auto take = [&] { return interface[at++].item<double>(); };
  for (std::int64_t h = 0; h < s.heads(); ++h) {
    std::vector<double> key;
    for (std::size_t j = 0; j < m; ++j) key.push_back(std::tanh(take()));
    const double strength = softplus(take()), gate = sigmoid(take());
    double shift[3], shift_sum = 0;
    for (double& share : shift) shift_sum += share = std::exp(take());
    for (double& share : shift) share /= shift_sum;
    const double sharpness = 1 + softplus(take());
    std::vector<double> content(n), mixed(n), moved(n, 0.0);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      double product = 0, key_square = 0, square = 0;
      for (std::size_t j = 0; j < m; ++j) {
        product += key[j] * before[i][j];
        key_square += key[j] * key[j];
        square += before[i][j] * before[i][j];
      }
      sum += content[i] = std::exp(strength * product / std::sqrt((key_square + 1e-6) * (square + 1e-6)));
    }
    for (std::size_t i = 0; i < n; ++i)
      mixed[i] = gate * content[i] / sum + (1 - gate) * weights[h][static_cast<std::int64_t>(i)].item<double>();
    // w(i) = sum over j of w(j) s(i - j), on a circle.
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < 3; ++k) moved[(j + n + k - 1) % n] += mixed[j] * shift[k];
    double powers = 0;
    for (double& w : moved) powers += w = std::pow(w, sharpness);
    for (double& w : moved) w /= powers;
    now.weights.push_back(moved);
    if (h < s.reads) {
      now.reads.emplace_back(m, 0.0);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < m; ++j) now.reads.back()[j] += moved[i] * before[i][j];
      continue;
    }
    erased.emplace_back();
    added.emplace_back();
    for (std::size_t j = 0; j < m; ++j) erased.back().push_back(sigmoid(take()));
    for (std::size_t j = 0; j < m; ++j) added.back().push_back(std::tanh(take()));
  }
  now.memory = before;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < m; ++j) {
      for (std::size_t w = 0; w < erased.size(); ++w)
        now.memory[i][j] *= 1 - now.weights[static_cast<std::size_t>(s.reads) + w][i] * erased[w][j];
      for (std::size_t w = 0; w < added.size(); ++w)
        now.memory[i][j] += now.weights[static_cast<std::size_t>(s.reads) + w][i] * added[w][j];
    }
  EXPECT_EQ(at, s.interface_size());
  return now;
}

torch::Tensor tensor_of(const std::vector<std::vector<double>>& rows) {
  std::vector<torch::Tensor> all;
  for (const auto& row : rows) all.push_back(torch::tensor(row, at::kDouble));
  return torch::stack(all);
}

// Lengths that fill no vector, one that fills some, a ring of one and of two.
const MemoryShape shapes[] = {{7, 3, 1, 1}, {32, 5, 2, 1}, {21, 4, 1, 2}, {1, 2, 1, 1}, {2, 1, 2, 3}, {128, 20, 1, 1}};

TEST(MemoryStep, IsThePapersEquations) {
  for (const MemoryShape& s : shapes) {
    torch::manual_seed(3);
    const MemoryState before = state_of(s, 3);
    const torch::Tensor interface = interface_of(s, 3);
    for (const bool kernels : {true, false}) {
      const MemoryState after = kernels ? memory_step(s, interface, before) : compose_memory_step(s, interface, before);
      for (std::int64_t i = 0; i < 3; ++i) {
        const WrittenOut want = written_out(s, interface[i], before.memory[i], before.weights[i]);
        EXPECT_TRUE(near(after.weights[i], tensor_of(want.weights), 1e-10, 1e-13)) << s.locations;
        EXPECT_TRUE(near(after.reads[i], tensor_of(want.reads), 1e-10, 1e-13)) << s.locations;
        EXPECT_TRUE(near(after.memory[i].t(), tensor_of(want.memory), 1e-10, 1e-13)) << s.locations;
      }
    }
    const MemoryState single =
        memory_step(s, interface.to(at::kFloat), {before.memory.to(at::kFloat), before.weights.to(at::kFloat), {}});
    const MemoryState exact = memory_step(s, interface, before);
    EXPECT_TRUE(near(single.memory, exact.memory, 1e-4, 1e-5));
    EXPECT_TRUE(near(single.weights, exact.weights, 1e-4, 1e-5));
    EXPECT_TRUE(near(single.reads, exact.reads, 1e-4, 1e-5));
  }
}

TEST(MemoryStep, GradientsAreThoseOfDifferences) {
  for (const MemoryShape& s : {MemoryShape{7, 3, 1, 1}, {5, 2, 2, 2}, {1, 2, 1, 1}, {18, 2, 1, 1}}) {
    torch::manual_seed(4);
    MemoryState before = state_of(s, 2);
    const Tensors inputs{interface_of(s, 2).requires_grad_(), before.memory.requires_grad_(),
                         before.weights.requires_grad_()};
    EXPECT_TRUE(check_gradient(
        [&](const Tensors& t) {
          return all_of(memory_step(s, t[0], {t[1], t[2], {}}));
        },
        inputs, 1e-6));
  }
}

TEST(MemoryStep, GradientsAreThoseOfTheComposedForm) {
  for (const MemoryShape& s : shapes)
    for (const at::ScalarType type : {at::kDouble, at::kFloat})
      // Of each result alone, too: what is undefined must count as zeros.
      for (const std::size_t only : {0u, 1u, 2u, 3u}) {
        torch::manual_seed(5);
        const MemoryState before = state_of(s, 3, type);
        const torch::Tensor interface = interface_of(s, 3, type);
        std::vector<Tensors> found;
        for (const bool kernels : {true, false}) {
          const Tensors t{interface.detach().requires_grad_(), before.memory.detach().requires_grad_(),
                          before.weights.detach().requires_grad_()};
          const Tensors out = all_of((kernels ? memory_step : compose_memory_step)(s, t[0], {t[1], t[2], {}}));
          torch::Tensor sum = torch::zeros({}, type);
          for (std::size_t i = 0; i < 3; ++i)
            if (only == 3 || only == i)
              sum = sum + (out[i] * torch::arange(1, out[i].numel() + 1, type).sin().view_as(out[i])).sum();
          found.push_back(torch::autograd::grad({sum}, t));
        }
        for (std::size_t i = 0; i < 3; ++i) {
          // Of a memory one number wide, all that comes of similarity cancels.
          const double scale = std::max(found[1][i].abs().max().item<double>(), 0.01);
          EXPECT_TRUE(near(found[0][i], found[1][i], type == at::kFloat ? 1e-3 : 1e-9,
                           scale * (type == at::kFloat ? 1e-4 : 1e-10)))
              << s.locations << " " << type << " " << only << " " << i;
        }
      }
}

TEST(MemoryStep, IsDifferentiatedTwice) {
  torch::manual_seed(6);
  const MemoryShape s{5, 2, 1, 1};
  MemoryState before = state_of(s, 1);
  const Tensors inputs{interface_of(s, 1).requires_grad_(), before.memory.requires_grad_(),
                       before.weights.requires_grad_()};
  EXPECT_TRUE(check_gradient(
      [&](const Tensors& t) {
        const MemoryState after = memory_step(s, t[0], {t[1], t[2], {}});
        return torch::autograd::grad({after.memory.square().sum() + after.reads.sum()}, t, {}, true, true);
      },
      inputs, 1e-5));
}

// Locations turned along their circle, and examples in another order, come out turned and in that order.
TEST(MemoryStep, KnowsNoFirstLocationAndNoFirstExample) {
  torch::manual_seed(7);
  const MemoryShape s{19, 4, 2, 1};
  const MemoryState before = state_of(s, 4), after = memory_step(s, interface_of(s, 4), before);
  torch::manual_seed(7);
  state_of(s, 4);
  const torch::Tensor interface = interface_of(s, 4);
  const MemoryState turned = memory_step(s, interface, {before.memory.roll(5, 2), before.weights.roll(5, 2), {}});
  EXPECT_TRUE(near(turned.memory, after.memory.roll(5, 2), 1e-12, 1e-14));
  EXPECT_TRUE(near(turned.weights, after.weights.roll(5, 2), 1e-12, 1e-14));
  EXPECT_TRUE(near(turned.reads, after.reads, 1e-12, 1e-14));
  const torch::Tensor order = torch::tensor({2, 0, 3, 1}, at::kLong);
  const auto reordered = [&](const torch::Tensor& t) { return t.index_select(0, order); };
  const MemoryState other =
      memory_step(s, reordered(interface), {reordered(before.memory), reordered(before.weights), {}});
  EXPECT_TRUE(torch::equal(other.memory, reordered(after.memory)));
  EXPECT_TRUE(near(after.weights.sum(2), torch::ones({4, 3}, at::kDouble), 1e-12, 0));
}

TEST(MemoryStep, StaysFiniteWhereHeadsAreSharp) {
  const MemoryShape s{128, 4, 1, 1};
  torch::Tensor interface = torch::zeros({2, s.interface_size()}).requires_grad_();
  torch::Tensor given = interface + 40 * torch::sign(torch::sin(torch::arange(0, s.interface_size(), at::kFloat)));
  given.select(1, 9).data().fill_(300);  // a sharpness that underflows everywhere but for the largest
  MemoryState state{torch::full({2, 4, 128}, 1e-6F), torch::full({2, 2, 128}, 1 / 128.0F), {}};
  for (int step = 0; step < 4; ++step) state = memory_step(s, given, state);
  EXPECT_TRUE(torch::isfinite(state.memory).all().item<bool>());
  (state.memory.sum() + state.reads.sum()).backward();
  EXPECT_TRUE(torch::isfinite(interface.grad()).all().item<bool>());
  EXPECT_TRUE(near(state.weights.sum(2), torch::ones({2, 2}), 1e-5, 0));
}

TEST(MemoryStep, NaNIsPassedOn) {
  const MemoryShape s{20, 3, 1, 1};
  const MemoryState before = state_of(s, 2, at::kFloat);
  torch::Tensor interface = interface_of(s, 2, at::kFloat);
  interface[1][0] = NAN;
  const MemoryState after = memory_step(s, interface, before);
  EXPECT_TRUE(torch::isfinite(after.memory[0]).all().item<bool>());
  EXPECT_TRUE(torch::isnan(after.reads[1]).all().item<bool>());
}

template <class Action>
void expect_error(const Action& action, const std::string& words) {
  try {
    action();
    ADD_FAILURE() << "expected: " << words;
  } catch (const std::exception& error) {
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
  }
}

TEST(MemoryStep, SaysWhatIsWrong) {
  const MemoryShape s{8, 3, 1, 1};
  const MemoryState before = state_of(s, 2);
  expect_error([&] { memory_step(s, torch::zeros({2, 5}, at::kDouble), before); }, "interface must be [batch, 24]");
  expect_error([&] { memory_step(s, interface_of(s, 3), before); }, "memory has shape [2, 3, 8]; expected [3, 3, 8]");
  expect_error([&] { memory_step(s, interface_of(s, 2, at::kFloat), before); },
               "memory is Double, but interface is Float");
  expect_error([&] { memory_step({8, 3, 0, 1}, interface_of(s, 2), before); }, "must be at least 1");
  expect_error([&] { memory_step(s, interface_of(s, 2), {before.memory, {}, {}}); }, "weights is undefined");
  expect_error([] { nn::NTM ntm(nn::NTMOptions(3, 2).controller("gru")); }, "controller is gru, expected lstm");
  expect_error([] { nn::NTM ntm(nn::NTMOptions(3, 2).width(0)); }, "width must be at least 1");
  expect_error([] { nn::NTM ntm(nn::NTMOptions(3, 2).tanh("swiglu")); }, "takes two inputs");
  nn::NTM ntm(nn::NTMOptions(3, 2));
  expect_error([&] { ntm->forward(torch::zeros({4, 2, 5})); }, "the last dimension of x must be 3");
  expect_error([&] { ntm->set("c", 1); }, "no activation has a parameter named c");
}

nn::NTMOptions small() { return nn::NTMOptions(3, 2).controller_size(6).locations(9).width(4).read_heads(2); }
torch::Tensor output(nn::NTM ntm, const torch::Tensor& x) { return std::get<0>(ntm->forward(x)); }

TEST(NTM, GoesOnWhereASequenceStopped) {
  for (const char* controller : {"lstm", "feedforward"}) {
    torch::manual_seed(8);
    nn::NTM ntm(small().controller(controller));
    const torch::Tensor x = torch::randn({7, 5, 3}), whole = output(ntm, x);
    EXPECT_EQ(whole.sizes(), at::IntArrayRef({7, 5, 2}));
    const auto [first, state] = ntm->forward(x.narrow(0, 0, 3));
    const auto [rest, last] = ntm->forward(x.narrow(0, 3, 4), state);
    EXPECT_TRUE(near(torch::cat({first, rest}), whole, 1e-5, 1e-6));
    nn::NTM turned(small().controller(controller).batch_first(true));
    std::stringstream file;
    torch::save(ntm, file);
    torch::load(turned, file);
    EXPECT_TRUE(near(output(turned, x.transpose(0, 1)), whole.transpose(0, 1), 1e-6, 1e-7));
  }
}

TEST(NTM, EveryParameterLearns) {
  for (const char* controller : {"lstm", "feedforward"}) {
    torch::manual_seed(9);
    nn::NTM ntm(small().controller(controller).sigmoid("nan_sigmoid").tanh("nan_tanh"));
    output(ntm, torch::randn({6, 4, 3})).square().sum().backward();
    for (const auto& entry : ntm->named_parameters()) {
      ASSERT_TRUE(entry.value().grad().defined()) << entry.key();
      EXPECT_GT(entry.value().grad().abs().sum().item<double>(), 0) << entry.key();
    }
  }
}

TEST(NTM, NoiseIsForTrainingAlone) {
  torch::manual_seed(10);
  nn::NTM ntm(small().sigmoid("nan_sigmoid").tanh("nan_tanh"));
  const torch::Tensor x = torch::randn({6, 4, 3});
  EXPECT_FALSE(torch::equal(output(ntm, x), output(ntm, x)));
  torch::manual_seed(11);
  const torch::Tensor once = output(ntm, x);
  torch::manual_seed(11);
  EXPECT_TRUE(torch::equal(output(ntm, x), once)) << "of one seed";
  ntm->set("c", 0);
  EXPECT_TRUE(torch::equal(output(ntm, x), output(ntm, x))) << "annealed away";
  ntm->set("c", 1);
  ntm->eval();
  EXPECT_TRUE(torch::equal(output(ntm, x), output(ntm, x)));
}

}  // namespace
}  // namespace ogee::testing::memory_step_test
