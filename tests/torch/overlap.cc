// Overlap-aware units against the same composed out of LibTorch's operators, whose autograd knows nothing of the
// kernels' formulas.
#include "ogee/torch_overlap.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support.h"

namespace ogee {
namespace {

constexpr const char* overlaps[] = {"ruzicka", "tanimoto", "l1_tanimoto"};

// About a third of the entries are not 0; in [0, 1], so that every overlap takes it.
torch::Tensor sparse_matrix(std::int64_t rows, std::int64_t features, bool binary, at::ScalarType type) {
  torch::Tensor x = torch::rand({rows, features}, type);
  x = torch::where(torch::rand({rows, features}) < 0.3, binary ? torch::ones_like(x) : x, torch::zeros_like(x));
  x[0].zero_();  // an empty row
  return x;
}

struct Gradients {
  torch::Tensor z, x, weight, bias;
};
template <class F>
Gradients differentiate(F f, const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias) {
  const torch::Tensor w = weight.detach().clone().requires_grad_(), b = bias.detach().clone().requires_grad_();
  torch::Tensor input = x.detach();
  if (x.layout() == at::kStrided) input = input.clone().requires_grad_();
  const torch::Tensor z = f(input, w, b);
  (z * torch::cos(torch::arange(z.numel(), z.options()).view(z.sizes()))).sum().backward();
  return {z.detach(), input.grad(), w.grad(), b.grad()};
}

void expect_close(const torch::Tensor& a, const torch::Tensor& b, double tolerance, const std::string& what) {
  ASSERT_EQ(a.sizes(), b.sizes()) << what;
  EXPECT_TRUE(torch::allclose(a, b, tolerance, tolerance)) << what << ": " << (a - b).abs().max().item<double>();
}

TEST(Overlap, AgreesWithTheComposedForm) {
  torch::manual_seed(1);
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const double tolerance = type == at::kFloat ? 2e-4 : 1e-11;
    for (const std::string overlap : overlaps) {
      for (const std::int64_t units : {1, 3, 8, 17, 40}) {
        for (const bool binary : {true, false}) {
          const torch::Tensor x = sparse_matrix(9, 13, binary, type);
          const torch::Tensor weight = torch::randn({13, units}, type), bias = torch::randn({units}, type);
          const auto ours = [&](auto& a, auto& w, auto& b) { return overlap_linear(a, w, b, overlap); };
          const auto theirs = [&](auto& a, auto& w, auto& b) { return compose_overlap_linear(a, w, b, overlap); };
          const std::string what = overlap + " " + std::to_string(units) + (binary ? " binary" : "");
          const Gradients composed = differentiate(theirs, x, weight, bias);
          const Gradients dense = differentiate(ours, x, weight, bias);
          const Gradients sparse = differentiate(ours, x.to_sparse_csr(), weight, bias);
          if (units > 3) {
            EXPECT_GT(composed.z.abs().sum().item<double>(), 0) << what;
          }
          expect_close(dense.z, composed.z, tolerance, what + " z");
          expect_close(sparse.z, composed.z, tolerance, what + " sparse z");
          expect_close(dense.weight, composed.weight, tolerance, what + " dw");
          expect_close(sparse.weight, composed.weight, tolerance, what + " sparse dw");
          expect_close(dense.bias, composed.bias, tolerance, what + " db");
          expect_close(sparse.bias, composed.bias, tolerance, what + " sparse db");
          // Where x is 0 the formulas have a kink (at w = 0 or x = 0), where both may choose; elsewhere not.
          const torch::Tensor smooth = (x != 0).to(type);
          expect_close(dense.x * smooth, composed.x * smooth, tolerance, what + " dx");
        }
      }
    }
  }
}

TEST(Overlap, GradientsAreDifferenceQuotients) {
  torch::manual_seed(2);
  for (const std::string overlap : overlaps) {
    const torch::Tensor begin = torch::tensor({0, 2, 2, 5}, at::kLong),
                        columns = torch::tensor({1, 4, 0, 2, 3}, at::kLong);
    const torch::Tensor values = torch::rand({5}, at::kDouble).requires_grad_();
    const torch::Tensor weight = torch::randn({6, 5}, at::kDouble).requires_grad_();
    const torch::Tensor bias = torch::rand({5}, at::kDouble).requires_grad_();
    const torch::Tensor g = torch::randn({3, 5}, at::kDouble);
    const auto loss = [&] { return (overlap_linear_of_rows(begin, columns, values, weight, bias, overlap) * g).sum(); };
    loss().backward();
    for (const torch::Tensor& t : {values, weight, bias}) {
      const torch::NoGradGuard no_grad;
      auto* p = t.data_ptr<double>();
      for (std::int64_t i = 0; i < t.numel(); ++i) {
        const double kept = p[i], h = 1e-6;
        p[i] = kept + h;
        const double above = loss().item<double>();
        p[i] = kept - h;
        const double below = loss().item<double>();
        p[i] = kept;
        EXPECT_NEAR(t.grad().view(-1)[i].item<double>(), (above - below) / (2 * h), 1e-7) << overlap << " " << i;
      }
    }
  }
}

TEST(Overlap, OneSharedFeatureDoesNotFireAUnit) {
  // A topic of ten keywords. A film that shares one of them and has nine others, and one that has all ten.
  const torch::Tensor weight = torch::zeros({30, 1});
  weight.slice(0, 0, 10).fill_(1);
  const torch::Tensor films = torch::zeros({2, 30});
  films[0][0] = 1;
  films[0].slice(0, 20, 29).fill_(1);
  films[1].slice(0, 0, 10).fill_(1);
  const torch::Tensor z = overlap_linear(films, weight, {}, "ruzicka");
  EXPECT_FLOAT_EQ(z[0][0].item<float>(), 1.0F / 19);
  EXPECT_FLOAT_EQ(z[1][0].item<float>(), 10);
}

TEST(Overlap, RowsAreNeverMadeDense) {
  // Dense, x alone would take 80 GB.
  const std::int64_t rows = 100000, features = 200000;
  const torch::Tensor begin = torch::arange(rows + 1) * 2;
  const torch::Tensor columns = torch::stack({torch::arange(rows), torch::arange(rows) + rows}, 1).flatten();
  const torch::Tensor x =
      torch::sparse_csr_tensor(begin, columns, torch::ones({2 * rows}), {rows, features}, torch::kFloat);
  nn::OverlapLinear layer(nn::OverlapLinearOptions(features, 4));
  const torch::Tensor z = layer(x);
  z.sum().backward();
  EXPECT_EQ(z.sizes(), (std::vector<std::int64_t>{rows, 4}));
  EXPECT_TRUE(torch::isfinite(layer->weight.grad()).all().item<bool>());
}

TEST(Overlap, EmptyAndZero) {
  for (const std::string overlap : overlaps) {
    const torch::Tensor weight = torch::zeros({3, 2}).requires_grad_(), bias = torch::ones({2});
    const torch::Tensor z = overlap_linear(torch::zeros({4, 3}), weight, bias, overlap);
    z.sum().backward();
    EXPECT_EQ(z.abs().sum().item<float>(), 0) << overlap;
    EXPECT_EQ(weight.grad().abs().sum().item<float>(), 0) << overlap;
    EXPECT_EQ(overlap_linear(torch::zeros({0, 3}), weight, bias, overlap).sizes(), (std::vector<std::int64_t>{0, 2}));
    EXPECT_EQ(overlap_linear(torch::zeros({2, 5, 3}), weight, bias, overlap).sizes(),
              (std::vector<std::int64_t>{2, 5, 2}));
    EXPECT_EQ(overlap_linear(torch::zeros({3}), weight, bias, overlap).sizes(), (std::vector<std::int64_t>{2}));
  }
}

TEST(Overlap, SaysWhatWasExpected) {
  const torch::Tensor x = torch::ones({2, 3}), weight = torch::ones({3, 4}), bias = torch::ones({4});
  const auto message = [&](const auto& call) -> std::string {
    try {
      call();
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message([&] { overlap_linear(x, weight, bias, "dice"); }).find("no overlap is named 'dice'"),
            std::string::npos);
  EXPECT_NE(message([&] { overlap_linear(x, weight.t(), bias, "ruzicka"); }).find("expected a bias [3]"),
            std::string::npos);
  EXPECT_NE(message([&] {
              overlap_linear(torch::ones({2, 5}), weight, bias, "ruzicka");
            }).find("expected x [..., 3]"),
            std::string::npos);
  EXPECT_NE(message([&] { overlap_linear(2 * x, weight, bias, "l1_tanimoto"); }).find("for x in [0, 1], found 2"),
            std::string::npos);
  EXPECT_NE(message([&] {
              overlap_linear_of_rows(torch::tensor({0, 1}, at::kLong), torch::tensor({3}, at::kLong), torch::ones({1}),
                                     weight, bias, "ruzicka");
            }).find("column 3 is out of range, expected 0 to 2"),
            std::string::npos);
  EXPECT_NE(message([&] { overlap_linear(x.to(at::kDouble), weight, bias, "ruzicka"); }).find("float32 or float64"),
            std::string::npos);
}

TEST(Overlap, SumsDoNotDependOnThreads) {
  torch::manual_seed(3);
  const torch::Tensor x = sparse_matrix(300, 90, true, at::kFloat), weight = torch::randn({90, 70});
  const int before = at::get_num_threads();
  const auto run = [&](int threads) {
    at::set_num_threads(threads);
    return differentiate([](auto& a, auto& w, auto& b) { return overlap_linear(a, w, b, "ruzicka"); }, x, weight,
                         torch::zeros({70}));
  };
  const Gradients one = run(1), three = run(3);
  at::set_num_threads(before);
  EXPECT_TRUE(torch::equal(one.z, three.z));
  EXPECT_TRUE(torch::equal(one.x, three.x));
  EXPECT_TRUE(torch::equal(one.weight, three.weight));
}

TEST(Overlap, ModuleClonesAndIsSaved) {
  nn::OverlapLinear layer(nn::OverlapLinearOptions(5, 3).overlap("tanimoto"));
  const auto copy = std::dynamic_pointer_cast<nn::OverlapLinearImpl>(layer->clone());
  const torch::Tensor x = torch::rand({4, 5});
  EXPECT_TRUE(torch::equal(layer(x), copy->forward(x)));
  EXPECT_NE(layer->weight.data_ptr(), copy->weight.data_ptr());
  EXPECT_EQ(layer->parameters().size(), 2U);
  EXPECT_EQ(nn::OverlapLinear(nn::OverlapLinearOptions(5, 3).bias(false))->parameters().size(), 1U);
}

}  // namespace
}  // namespace ogee
