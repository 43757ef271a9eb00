// A decoder with attention against its formulas written out in loops, its gradients against differences and against the
// composed form, what must not matter, and the modules around it.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <sstream>
#include <vector>

#include "ogee/torch_attention.h"
#include "support.h"

namespace ogee::testing {
namespace {

struct Size {
  std::int64_t steps, sources, queries, places, units, size;
};
// Lengths that fill no vector, one that fills some; several queries of each source; a source of one place.
const Size sizes[] = {{3, 4, 1, 5, 7, 3}, {2, 3, 2, 6, 5, 9}, {4, 2, 1, 9, 32, 20}, {1, 2, 3, 1, 2, 1}};
const Cell cells[] = {Cell::gru, Cell::lstm};

struct Given {
  AttentionLayer layer;
  torch::Tensor x, h, c;
  AttentionSource source;

  // All that have gradients, in this order.
  Tensors tensors() const {
    Tensors all{
        x, h, source.keys, source.values, layer.weight_hh, layer.bias_hh, layer.weight_query, layer.weight_score};
    for (const torch::Tensor& t : layer.learned)
      if (t.defined()) all.push_back(t);
    if (c.defined()) all.push_back(c);
    return all;
  }
  Given with(const Tensors& t) const {
    Given other = *this;
    other.x = t[0];
    other.h = t[1];
    other.source.keys = t[2];
    other.source.values = t[3];
    other.layer.weight_hh = t[4];
    other.layer.bias_hh = t[5];
    other.layer.weight_query = t[6];
    other.layer.weight_score = t[7];
    std::size_t next = 8;
    for (torch::Tensor& p : other.layer.learned)
      if (p.defined()) p = t[next++];
    if (c.defined()) other.c = t[next];
    return other;
  }
  Tensors run(bool composed, std::uint64_t seed = 9) const {
    torch::manual_seed(seed);
    const AttentionOutput out = (composed ? compose_attend : attend)(layer, x, h, source, c);
    Tensors all{out.y, out.weights};
    if (c.defined()) all.push_back(out.c);
    return all;
  }
};

Given given(const Size& s, const std::string& sigmoid, const std::string& tanh, bool training,
            at::ScalarType type = at::kDouble, Cell cell = Cell::gru) {
  torch::manual_seed(3);
  const auto draw = [&](at::IntArrayRef shape, double scale) {
    return (scale * torch::randn(shape, at::kDouble)).to(type).requires_grad_();
  };
  Given g;
  g.layer.cell = cell;
  const bool lstm = cell == Cell::lstm;
  const std::int64_t wide = (lstm ? 4 : 3) * s.units;
  for (const std::string& name : lstm ? std::vector<std::string>{sigmoid, sigmoid, tanh, sigmoid, tanh, tanh}
                                      : std::vector<std::string>{sigmoid, sigmoid, tanh, tanh})
    g.layer.activations.emplace_back(name);
  g.x = draw({s.steps, s.sources * s.queries, wide}, 1);
  g.h = draw({s.sources * s.queries, s.units}, 0.5);
  g.source.keys = draw({s.sources, s.places, s.size}, 1);
  g.source.values = draw({s.sources, s.places, wide}, 1);
  g.source.lengths = torch::arange(s.sources, at::kLong).remainder(s.places).add(1);
  g.layer.weight_hh = draw({wide, s.units}, 1 / std::sqrt(static_cast<double>(s.units)));
  g.layer.bias_hh = draw({wide}, 0.3);
  g.layer.weight_query = draw({s.size, s.units}, 1 / std::sqrt(static_cast<double>(s.units)));
  g.layer.weight_score = draw({s.size}, 1);
  g.layer.training = training;
  for (std::size_t k = 0; k < g.layer.activations.size(); ++k)
    for (const Parameter& p : g.layer.activations[k].spec().parameters)
      if (p.role == Role::learned)
        g.layer.learned.push_back(draw({k + 1 == g.layer.activations.size() ? s.size : s.units}, 0.7));
  if (lstm) g.c = draw({s.sources * s.queries, s.units}, 0.5);
  return g;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// One row, as torch_attention.h has it, over plain numbers: the states and the weights by step.
struct WrittenOut {
  std::vector<std::vector<double>> y, weights;
  std::vector<double> c;
};
WrittenOut written_out(const Given& g, std::int64_t row) {
  const std::int64_t source = row / (g.x.size(1) / g.source.keys.size(0)), places = g.source.keys.size(1);
  const std::int64_t length = g.source.lengths[source].item<std::int64_t>();
  const std::int64_t units = g.h.size(1), size = g.layer.weight_query.size(0);
  const auto at = [](const torch::Tensor& t, std::initializer_list<std::int64_t> index) {
    torch::Tensor e = t;
    for (const std::int64_t i : index) e = e[i];
    return e.item<double>();
  };
  std::vector<double> h;
  for (std::int64_t j = 0; j < units; ++j) h.push_back(at(g.h, {row, j}));
  const auto product = [&](const torch::Tensor& w, std::int64_t i) {
    double sum = 0;
    for (std::int64_t j = 0; j < units; ++j) sum += at(w, {i, j}) * h[static_cast<std::size_t>(j)];
    return sum;
  };
  WrittenOut all;
  if (g.c.defined())
    for (std::int64_t j = 0; j < units; ++j) all.c.push_back(at(g.c, {row, j}));
  for (std::int64_t t = 0; t < g.x.size(0); ++t) {
    std::vector<double> w(static_cast<std::size_t>(places), 0.0);
    double sum = 0;
    for (std::int64_t p = 0; p < length; ++p) {
      double fit = 0;
      for (std::int64_t a = 0; a < size; ++a)
        fit += at(g.layer.weight_score, {a}) *
               std::tanh(at(g.source.keys, {source, p, a}) + product(g.layer.weight_query, a));
      sum += w[static_cast<std::size_t>(p)] = std::exp(fit);
    }
    for (double& share : w) share /= sum;
    const auto from_x = [&](std::int64_t i) {
      double a = at(g.x, {t, row, i});
      for (std::int64_t p = 0; p < length; ++p)
        a += w[static_cast<std::size_t>(p)] * at(g.source.values, {source, p, i});
      return a;
    };
    const auto from_h = [&](std::int64_t i) { return at(g.layer.bias_hh, {i}) + product(g.layer.weight_hh, i); };
    std::vector<double> next;
    for (std::int64_t j = 0; j < units; ++j) {
      if (g.c.defined()) {
        const auto sum = [&](std::int64_t k) { return from_x(k * units + j) + from_h(k * units + j); };
        double& c = all.c[static_cast<std::size_t>(j)];
        c = sigmoid(sum(1)) * c + sigmoid(sum(0)) * std::tanh(sum(2));
        next.push_back(sigmoid(sum(3)) * std::tanh(c));
        continue;
      }
      const double r = sigmoid(from_x(j) + from_h(j)), z = sigmoid(from_x(units + j) + from_h(units + j));
      const double n = std::tanh(from_x(2 * units + j) + r * from_h(2 * units + j));
      next.push_back(n + z * (h[static_cast<std::size_t>(j)] - n));
    }
    h = next;
    all.y.push_back(h);
    all.weights.push_back(w);
  }
  return all;
}

torch::Tensor tensor_of(const std::vector<std::vector<double>>& rows) {
  std::vector<torch::Tensor> all;
  for (const auto& row : rows) all.push_back(torch::tensor(row, at::kDouble));
  return torch::stack(all);
}

TEST(Attention, IsItsFormulas) {
  const torch::NoGradGuard no_grad;
  for (const Cell cell : cells)
    for (const Size& s : sizes) {
      const Given g = given(s, "sigmoid", "tanh", true, at::kDouble, cell);
      const Given single = given(s, "sigmoid", "tanh", true, at::kFloat, cell);
      for (const bool composed : {false, true}) {
        const Tensors out = g.run(composed), rounded = single.run(composed);
        for (std::int64_t row = 0; row < g.h.size(0); ++row) {
          const WrittenOut want = written_out(g, row);
          EXPECT_TRUE(near(out[0].select(1, row), tensor_of(want.y), 1e-11, 1e-13)) << s.units << composed;
          EXPECT_TRUE(near(out[1].select(1, row), tensor_of(want.weights), 1e-11, 1e-13)) << s.units << composed;
          if (cell == Cell::lstm) {
            EXPECT_TRUE(near(out[2][row], torch::tensor(want.c, at::kDouble), 1e-11, 1e-13)) << s.units;
          }
          EXPECT_TRUE(near(rounded[0].select(1, row), tensor_of(want.y), 1e-4, 1e-5)) << s.units << composed;
        }
      }
    }
}

TEST(Attention, GradientsAreThoseOfDifferences) {
  for (const Cell cell : cells)
    for (const bool noisy : {false, true})
      for (const Size& s : {sizes[0], sizes[1], sizes[3]}) {
        const Given g =
            given(s, noisy ? "nah_sigmoid" : "sigmoid", noisy ? "nan_tanh" : "tanh", true, at::kDouble, cell);
        EXPECT_TRUE(check_gradient([&](const Tensors& t) { return g.with(t).run(false); }, g.tensors(), 1e-6))
            << noisy << " " << s.units;
      }
}

// Activations with kernels of their own and without, learned, noisy; at evaluation, too.
TEST(Attention, AgreesWithTheComposedForm) {
  const std::pair<const char*, const char*> functions[] = {
      {"sigmoid", "tanh"}, {"nan_sigmoid", "nah_tanh"}, {"nani_sigmoid", "nanil_tanh"}, {"hard_sigmoid", "swish"}};
  for (const auto& [gate, other] : functions)
    for (const bool training : {true, false})
      for (const at::ScalarType type : {at::kDouble, at::kFloat})
        for (const Cell cell : cells)
          for (const Size& s : sizes) {
            SCOPED_TRACE(std::string(gate) + other + (training ? " training " : " ") + std::to_string(s.units) +
                         (cell == Cell::lstm ? " lstm" : " gru"));
            const Given g = given(s, gate, other, training, type, cell);
            std::vector<Tensors> out, gradients;
            for (const bool composed : {false, true}) {
              out.push_back(g.run(composed));
              torch::Tensor sum = torch::zeros({}, type);
              for (const torch::Tensor& t : out.back())
                sum = sum + (t * torch::arange(1, t.numel() + 1, at::TensorOptions(type)).sin().view_as(t)).sum();
              gradients.push_back(torch::autograd::grad({sum}, g.tensors(), {}, {}, false, true));
            }
            const double relative = type == at::kFloat ? 2e-3 : 1e-8, absolute = type == at::kFloat ? 2e-4 : 1e-9;
            for (std::size_t i = 0; i < out[0].size(); ++i)
              EXPECT_TRUE(near(out[0][i], out[1][i], relative, absolute)) << i;
            for (std::size_t i = 0; i < gradients[0].size(); ++i) {
              const torch::Tensor want =
                  gradients[1][i].defined() ? gradients[1][i] : torch::zeros_like(g.tensors()[i]);
              const double scale = std::max(1.0, want.abs().max().item<double>());
              EXPECT_TRUE(near(gradients[0][i], want, relative, absolute * scale)) << "gradient " << i;
            }
          }
}

TEST(Attention, EachResultHasGradientsAlone) {
  for (const Cell cell : cells)
    for (const std::size_t only : {0u, 1u, 2u}) {
      const Given g = given(sizes[1], "sigmoid", "tanh", true, at::kDouble, cell);
      if (only == 2 && cell == Cell::gru) continue;
      std::vector<Tensors> found;
      for (const bool composed : {false, true})
        found.push_back(
            torch::autograd::grad({g.run(composed)[only].square().sum()}, g.tensors(), {}, {}, false, true));
      for (std::size_t i = 0; i < found[0].size(); ++i)
        EXPECT_TRUE(near(found[0][i], found[1][i].defined() ? found[1][i] : torch::zeros_like(found[0][i]), 1e-8, 1e-9))
            << only << " " << i;
    }
}

TEST(Attention, IsDifferentiatedTwice) {
  for (const Cell cell : cells) {
    const Given g = given({2, 1, 2, 3, 2, 2}, "sigmoid", "tanh", true, at::kDouble, cell);
    EXPECT_TRUE(check_gradient(
        [&](const Tensors& t) {
          const Tensors out = g.with(t).run(false);
          return torch::autograd::grad({out[0].square().sum() + out[1].square().sum()}, t, {}, true, true);
        },
        g.tensors(), 1e-5));
  }
}

// What lies behind a source's end, however far, changes nothing; nor does how many threads there are.
TEST(Attention, PaddingDoesNotMatter) {
  for (const bool composed : {false, true}) {
    const Given g = given(sizes[2], "sigmoid", "tanh", false);
    const Tensors out = g.run(composed);
    Given padded = g;
    const auto more = [](const torch::Tensor& t) {
      return torch::cat({t, 1e3 * torch::randn({t.size(0), 4, t.size(2)}, t.options())}, 1).detach();
    };
    padded.source.keys = more(g.source.keys);
    padded.source.values = more(g.source.values);
    const Tensors wide = padded.run(composed);
    EXPECT_TRUE(near(wide[0], out[0], 1e-12, 1e-14));
    EXPECT_TRUE(near(wide[1].narrow(2, 0, out[1].size(2)), out[1], 1e-12, 1e-14));
    EXPECT_EQ(wide[1].narrow(2, out[1].size(2), 4).abs().max().item<double>(), 0);
  }
}

TEST(Attention, IsTheSameOnAnyNumberOfThreads) {
  for (const Cell cell : cells) {
    const Given g = given({3, 40, 1, 6, 70, 33}, "nan_sigmoid", "nan_tanh", true, at::kFloat, cell);
    std::vector<Tensors> all;
    const int before = at::get_num_threads();
    for (const int threads : {1, 3}) {
      at::set_num_threads(threads);
      Tensors out = g.run(false);
      const Tensors gradients = torch::autograd::grad({out[0].sum() + out[1].square().sum()}, g.tensors());
      out.insert(out.end(), gradients.begin(), gradients.end());
      all.push_back(out);
    }
    at::set_num_threads(before);
    // The core's own; by the values a product of LibTorch's.
    for (std::size_t i = 0; i < all[0].size(); ++i) {
      if (i == (cell == Cell::lstm ? 6u : 5u)) continue;
      EXPECT_TRUE(all[0][i].equal(all[1][i])) << i;
    }
  }
}

TEST(Attention, NoiseIsOffAtEvaluationAndFollowsTheSeed) {
  for (const bool training : {false, true}) {
    const Given g = given(sizes[2], "nan_sigmoid", "nan_tanh", training);
    EXPECT_TRUE(g.run(false, 1)[0].equal(g.run(false, 1)[0]));
    EXPECT_EQ(g.run(false, 1)[0].equal(g.run(false, 2)[0]), !training);
  }
}

TEST(Attention, RefusesWhatDoesNotFit) {
  const auto refused = [](const std::function<void(Given&)>& spoil) {
    Given g = given(sizes[1], "sigmoid", "tanh", true);
    spoil(g);
    return message_of([&] { g.run(false); });
  };
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(refused([](Given& g) { g.source.lengths[1] = 7; }), "the length of source 1 is 7; expected 1 to 6"));
  EXPECT_TRUE(has(refused([](Given& g) { g.source.lengths[0] = 0; }), "the length of source 0 is 0; expected 1 to 6"));
  EXPECT_TRUE(has(refused([](Given& g) { g.h = g.h.narrow(1, 0, 2); }), "h has shape [6, 2]; expected [6, 5]"));
  EXPECT_TRUE(has(refused([](Given& g) {
                    g.x = g.x.narrow(1, 0, 5);
                    g.h = g.h.narrow(0, 0, 5);
                  }),
                  "the batch, 5, must be a multiple of the sources, 3"));
  EXPECT_TRUE(has(refused([](Given& g) { g.layer.activations.pop_back(); }), "has 4 activations, but 3 were given"));
  EXPECT_TRUE(has(refused([](Given& g) { g.layer.activations[3] = Activation("swiglu"); }), "score: swiglu takes two"));
  EXPECT_TRUE(has(refused([](Given& g) { g.c = g.h; }), "c is given, but a gru has no cell state"));
  EXPECT_TRUE(
      has(refused([](Given& g) { g.layer.cell = Cell::mgu; }), "the cell is an mgu; expected a gru or an lstm"));
  EXPECT_TRUE(
      has(refused([](Given& g) { g.layer.cell = Cell::lstm; }), "weight_hh has shape [15, 5]; expected [20, 5]"));
  EXPECT_TRUE(has(refused([](Given& g) { g.source.keys = g.source.keys.to(at::kFloat); }), "keys is Float, but x is"));
}

TEST(ReversePadded, TurnsEachExamplesOwnSteps) {
  const torch::Tensor x = torch::arange(12).view({4, 3, 1}), lengths = torch::tensor({4, 2, 0}, at::kLong);
  const torch::Tensor want = torch::tensor({9, 4, 2, 6, 1, 5, 3, 7, 8, 0, 10, 11}).view({4, 3, 1});
  EXPECT_TRUE(reverse_padded(x, lengths).equal(want));
  EXPECT_TRUE(reverse_padded(reverse_padded(x, lengths), lengths).equal(x));
}

// A shorter example alone gives what it gives in a batch, with whatever behind it.
TEST(AttentionModules, PaddingDoesNotMatter) {
  torch::manual_seed(2);
  nn::AttentionEncoder encoder(nn::AttentionEncoderOptions(3, 4));
  nn::AttentionDecoder decoder(nn::AttentionDecoderOptions(3, 5, 8).attention_size(6));
  const torch::Tensor x = torch::randn({7, 2, 3}), y = torch::randn({4, 2, 3});
  const torch::Tensor lengths = torch::tensor({7, 3}, at::kLong);
  const torch::Tensor memory = encoder->forward(x, lengths);
  EXPECT_EQ(memory.sizes(), at::IntArrayRef({7, 2, 8}));
  const torch::Tensor alone = encoder->forward(x.narrow(0, 0, 3).narrow(1, 1, 1), torch::tensor({3}, at::kLong));
  EXPECT_TRUE(near(memory.narrow(0, 0, 3).narrow(1, 1, 1), alone, 1e-5, 1e-6));
  EXPECT_EQ(memory.narrow(0, 3, 4).select(1, 1).abs().max().item<float>(), 0);
  const nn::AttentionDecoded both = decoder->forward(y, memory, lengths);
  const nn::AttentionDecoded one = decoder->forward(y.narrow(1, 1, 1), alone, torch::tensor({3}, at::kLong));
  EXPECT_TRUE(near(both.y.narrow(1, 1, 1), one.y, 1e-5, 1e-6));
  EXPECT_TRUE(near(both.contexts.narrow(1, 1, 1), one.contexts, 1e-5, 1e-6));
  EXPECT_TRUE(near(both.contexts.select(1, 0), both.weights.select(1, 0).matmul(memory.select(1, 0)), 1e-5, 1e-6));
}

// To say a sequence backward, one must look at its places one after another.
TEST(AttentionModules, LearnToReverse) {
  torch::manual_seed(4);
  for (const auto& [noisy, cell] : {std::pair(false, Cell::gru), {true, Cell::gru}, {true, Cell::lstm}}) {
    const std::string sigmoid = noisy ? "nani_sigmoid" : "sigmoid", tanh = noisy ? "nani_tanh" : "tanh";
    constexpr std::int64_t symbols = 5, units = 24, batch = 32, longest = 5;
    nn::AttentionEncoder encoder(nn::AttentionEncoderOptions(symbols, units).sigmoid(sigmoid).tanh(tanh));
    nn::AttentionDecoder decoder(
        nn::AttentionDecoderOptions(symbols + 1, units, 2 * units).sigmoid(sigmoid).tanh(tanh).cell(cell));
    torch::nn::Linear output(3 * units, symbols);
    std::vector<torch::Tensor> all;
    for (const auto& parameters : {encoder->parameters(), decoder->parameters(), output->parameters()})
      all.insert(all.end(), parameters.begin(), parameters.end());
    torch::optim::Adam adam(all, 0.01);
    double wrong = 1;
    for (int step = 0; step < 500 && wrong > 0.01; ++step) {
      if (noisy) {
        encoder->set("c", 0.05 / std::sqrt(step + 1.0));
        decoder->set("c", 0.05 / std::sqrt(step + 1.0));
      }
      const torch::Tensor lengths = torch::randint(1, longest + 1, {batch}, at::kLong);
      const torch::Tensor said = torch::randint(symbols, {longest, batch}, at::kLong);
      const torch::Tensor own = torch::arange(longest).unsqueeze(1).lt(lengths);
      const torch::Tensor want = reverse_padded(said, lengths);
      const torch::Tensor shown =
          torch::one_hot(torch::cat({torch::full({1, batch}, symbols, at::kLong), want}).narrow(0, 0, longest),
                         symbols + 1)
              .to(at::kFloat);
      const torch::Tensor memory = encoder->forward(torch::one_hot(said, symbols).to(at::kFloat), lengths);
      const nn::AttentionDecoded out = decoder->forward(shown, memory, lengths);
      const torch::Tensor logits = output->forward(torch::cat({out.y, out.contexts}, 2));
      const torch::Tensor target = want.masked_fill(own.logical_not(), -100);
      const torch::Tensor loss = torch::nn::functional::cross_entropy(logits.flatten(0, 1), target.flatten());
      adam.zero_grad();
      loss.backward();
      adam.step();
      wrong = logits.argmax(2).ne(want).logical_and(own).sum().item<double>() / own.sum().item<double>();
    }
    EXPECT_LT(wrong, 0.02) << noisy;
  }
}

TEST(AttentionModules, SayWhatTheyAreAndKeepTheirState) {
  torch::manual_seed(5);
  nn::AttentionDecoder decoder(nn::AttentionDecoderOptions(3, 4, 6).sigmoid("nan_sigmoid").tanh("nan_tanh"));
  std::ostringstream text;
  text << *decoder;
  EXPECT_NE(text.str().find("attention_size=4"), std::string::npos) << text.str();
  EXPECT_NE(text.str().find("score=nan"), std::string::npos) << text.str();
  EXPECT_EQ(decoder->named_parameters().size(), 9u + 4u);
  for (const char* name : {"reset_gate_p", "update_gate_p", "candidate_p", "score_p"})
    EXPECT_LE(decoder->named_parameters()[name].abs().max().item<float>(), 1) << name;
  EXPECT_NE(message_of([&] { decoder->set("p", 1); }).find("is learned"), std::string::npos);
  EXPECT_NE(message_of([&] { decoder->set("q", 1); }).find("no activation has a parameter named q"), std::string::npos);
  const auto copy = std::dynamic_pointer_cast<nn::AttentionDecoderImpl>(decoder->clone());
  ASSERT_TRUE(copy);
  const torch::Tensor x = torch::randn({2, 2, 3}), memory = torch::randn({5, 2, 6}),
                      l = torch::tensor({5, 2}, at::kLong);
  decoder->eval();
  copy->eval();
  EXPECT_TRUE(decoder->forward(x, memory, l).y.equal(copy->forward(x, memory, l).y));
  EXPECT_NE(message_of([&] { decoder->forward(x.narrow(2, 0, 2), memory, l); }).find("x must have the shape"),
            std::string::npos);
}

}  // namespace
}  // namespace ogee::testing
