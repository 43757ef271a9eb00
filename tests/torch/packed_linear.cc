// The linear layer by the core's products against LibTorch's in double precision, differentiated once and twice.
#include "torch/packed_linear.h"

#include "support.h"

namespace ogee::testing {
namespace {

using torch_call::packed_linear;

torch::Tensor leaf(at::IntArrayRef sizes) { return torch::randn(sizes).requires_grad_(); }

// More units than are taken at once in backward.
TEST(PackedLinear, IsLibTorchs) {
  torch::manual_seed(3);
  for (const auto& sizes : std::vector<std::vector<std::int64_t>>{{7, 5}, {2, 3, 5}, {1, 1, 5}}) {
    const Tensors in = {leaf(sizes), leaf({450, 5}), leaf({450})};
    Tensors exact;
    for (const torch::Tensor& t : in) exact.push_back(t.detach().to(torch::kDouble).requires_grad_());
    const torch::Tensor got = packed_linear(in[0], in[1], in[2]), want = at::linear(exact[0], exact[1], exact[2]);
    ASSERT_EQ(got.sizes(), want.sizes());
    EXPECT_LT((got - want).abs().max().item<double>(), 1e-5);
    const torch::Tensor dy = torch::randn(got.sizes());
    const Tensors found = torch::autograd::grad({got}, in, {dy}),
                  wanted = torch::autograd::grad({want}, exact, {dy.to(torch::kDouble)});
    for (std::size_t i = 0; i < in.size(); ++i) {
      ASSERT_EQ(found[i].sizes(), in[i].sizes());
      EXPECT_TRUE(found[i].is_contiguous()) << "gradient " << i;
      EXPECT_LT((found[i] - wanted[i]).abs().max().item<double>(), 2e-4) << "gradient " << i;
    }
    const torch::NoGradGuard no_gradients;
    EXPECT_TRUE(packed_linear(in[0], in[1], in[2]).equal(got));
  }
}

TEST(PackedLinear, IsDifferentiatedTwice) {
  torch::manual_seed(4);
  const Tensors in = {leaf({4, 5}), leaf({210, 5}), leaf({210})};
  const auto twice = [&](const torch::Tensor& y) {
    const Tensors first = torch::autograd::grad({y.square().sum()}, in, {}, true, true);
    return torch::autograd::grad({first[0].square().sum() + first[1].square().sum()}, in);
  };
  const Tensors found = twice(packed_linear(in[0], in[1], in[2])), wanted = twice(at::linear(in[0], in[1], in[2]));
  for (std::size_t i = 0; i < in.size(); ++i)
    EXPECT_LT((found[i] - wanted[i]).abs().max().item<double>(), 1e-4 * wanted[i].abs().max().item<double>());
}

TEST(PackedLinear, LeavesToLibTorchWhatItCannotDo) {
  const torch::Tensor x = torch::randn({3, 5}, torch::kDouble), weight = torch::randn({7, 5}, torch::kDouble);
  EXPECT_TRUE(packed_linear(x, weight, {}).equal(at::linear(x, weight)));
  EXPECT_EQ(packed_linear(torch::randn({0, 5}), torch::randn({7, 5}), torch::randn({7})).sizes(),
            (std::vector<std::int64_t>{0, 7}));
  EXPECT_THROW(packed_linear(torch::randn({3, 4}), torch::randn({7, 5}), torch::randn({7})), c10::Error);
}

}  // namespace
}  // namespace ogee::testing
