// ogee/lab.h: comparisons of networks that a program builds itself.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/tensors.h"
#include "lab/builder.h"
#include "ogee/lab.h"
#include "ogee/ogee.h"
#include "refusal.h"

namespace ogee::lab {
namespace {

// Two classes, told apart by the sign of a product: no linear network can.
struct Examples {
  at::Tensor x, y;
};
Examples examples(std::int64_t count = 240) {
  auto random = at::detail::createCPUGenerator(11);
  const at::Tensor x = torch::randn({count, 4}, random);
  return {x, (x.select(1, 0) * x.select(1, 1) > 0).to(torch::kLong)};
}

torch::nn::Sequential build(const ActivationFactory& activation) {
  const auto width = activation.width(12), outputs = activation.packed() * width;
  return torch::nn::Sequential(torch::nn::Linear(4, outputs), activation(), torch::nn::Linear(width, outputs),
                               activation(), torch::nn::Linear(width, 2));
}

class Interface : public testing::Test {
 protected:
  Interface()
      : folder_(std::filesystem::temp_directory_path() /
                (std::string("ogee_interface_") + testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(folder_);
  }
  ~Interface() override { std::filesystem::remove_all(folder_); }
  CompareOptions options(const std::string& out, int workers = 1) const {
    return CompareOptions()
        .activations({"relu", "prelu", "swiglu"})
        .epochs(6)
        .batch(16)
        .seeds(2)
        .learning_rate(0.01)
        .workers(workers)
        .out((folder_ / out).string());
  }
  const std::filesystem::path folder_;
};

std::vector<std::vector<double>> errors_of(const CompareResult& result) {
  std::vector<std::vector<double>> errors;
  for (const ArmResult& arm : result.arms) errors.push_back(arm.errors);
  return errors;
}

TEST_F(Interface, ComparesNetworksOnTensors) {
  const Examples given = examples();
  const CompareResult result = compare(build, given.x, given.y, options("a"));
  EXPECT_TRUE(result.complete);
  ASSERT_EQ(result.arms.size(), 3U);
  EXPECT_EQ(result.arms[1].activation, "prelu");
  for (const ArmResult& arm : result.arms) {
    ASSERT_EQ(arm.errors.size(), 2U);
    EXPECT_NEAR(arm.error, (arm.errors[0] + arm.errors[1]) / 2, 1e-12);
    EXPECT_LT(arm.error, 0.45);  // better than tossing a coin
    EXPECT_EQ(arm.learning_rate, 0.01);
    EXPECT_GT(arm.milliseconds_per_step, 0);
  }
  EXPECT_EQ(result.arms[0].parameters, 5 * 12 + 13 * 12 + 13 * 2);
  EXPECT_EQ(result.arms[1].parameters, result.arms[0].parameters + 2);
  EXPECT_NE(result.recommendation.find("Use "), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(result.report));
  const auto json = nlohmann::json::parse(result.json);
  for (const auto& arm : json["arms"]) EXPECT_EQ(arm["gradients"]["start"].size(), 2U);  // both activations
}

TEST_F(Interface, TheNumberOfWorkersChangesNothing) {
  const Examples given = examples();
  EXPECT_EQ(errors_of(compare(build, given.x, given.y, options("one"))),
            errors_of(compare(build, given.x, given.y, options("three", 3))));
}

TEST_F(Interface, LeavesTheProgramsGeneratorAsItWas) {
  const Examples given = examples();
  torch::manual_seed(5);
  const at::Tensor expected = torch::rand({3});
  torch::manual_seed(5);
  compare(build, given.x, given.y, options("generator").activations({"relu"}).seeds(1).epochs(1));
  EXPECT_TRUE(torch::rand({3}).equal(expected));
}

TEST_F(Interface, FirstWeightsFollowTheGainOrTheBuilder) {
  const Examples given = examples();
  const data::Dataset data = data::from_tensors("examples", given.x, given.y, 0);
  const auto ones = [](const ActivationFactory& activation) {
    torch::nn::Sequential network = build(activation);
    for (at::Tensor& parameter : network->parameters()) torch::nn::init::constant_(parameter, 0.5);
    return built(network);
  };
  const auto first = [&](FirstWeights weights, std::uint64_t seed) {
    return builder_design(ones, weights, {"relu"}, data)->build("relu", seed)->parameters()[0].detach().clone();
  };
  EXPECT_TRUE(first(FirstWeights::as_built, 1).eq(0.5).all().item<bool>());
  EXPECT_FALSE(first(FirstWeights::by_gain, 1).eq(0.5).any().item<bool>());
  EXPECT_TRUE(first(FirstWeights::by_gain, 1).equal(first(FirstWeights::by_gain, 1)));
  EXPECT_FALSE(first(FirstWeights::by_gain, 1).equal(first(FirstWeights::by_gain, 2)));
}

TEST_F(Interface, RefusesInALine) {
  const Examples given = examples();
  const auto wrong = [](const ActivationFactory& activation) {
    return torch::nn::Sequential(torch::nn::Linear(4, 3 * activation.packed()), activation(), torch::nn::Linear(3, 1));
  };
  refused([&] { compare(wrong, given.x, given.y, options("b")); }, "expected [2, 2] for 2 classes");
  const auto none = [](const ActivationFactory&) { return torch::nn::Sequential(torch::nn::Linear(4, 2)); };
  refused([&] { compare(none, given.x, given.y, options("c")); }, "none of the factory's activations");
  refused([&] { compare(build, given.x, given.y, options("d").activations({"relux"})); }, "did you mean");
  refused([&] { compare(build, given.x, given.y.slice(0, 1), options("e")); }, "one answer for each of 240 examples");
  refused([&] { compare(build, given.x, given.y - 1, options("f")); }, "class numbers from -1");
  refused([&] { compare(build, given.x / 0, given.y, options("g")); }, "not finite");
}

}  // namespace
}  // namespace ogee::lab
