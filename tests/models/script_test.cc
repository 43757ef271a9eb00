// Networks made from TorchScript files: what is found, what is replaced, and that nothing else changes.
#include "models/script.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/optim.h>
#include <gtest/gtest.h>
#include <torch/script.h>

#include <cmath>
#include <filesystem>
#include <thread>

#include "data/tensors.h"
#include "models/gain.h"
#include "models/script_file.h"
#include "models/script_graph.h"
#include "models/script_program.h"
#include "ogee/ogee.h"
#include "refusal.h"

namespace ogee::models {
namespace {

constexpr std::int64_t features = 12, classes = 3, width = 8;

data::Dataset example_data() {
  auto random = at::detail::createCPUGenerator(7);
  const at::Tensor x = torch::randn({200, features}, random);
  const at::Tensor y = (x.select(1, 0) > 0).to(torch::kLong) + (x.select(1, 1) * x.select(1, 2) > 0).to(torch::kLong);
  return data::from_tensors("examples", x, y, 0);
}

at::Tensor trained(const at::Tensor& values) { return values.detach().requires_grad_(); }

class Script : public testing::Test {
 protected:
  Script() : folder_(std::filesystem::temp_directory_path() / ("ogee_script_" + test_name())) {
    std::filesystem::create_directories(folder_);
  }
  ~Script() override { std::filesystem::remove_all(folder_); }
  static std::string test_name() { return testing::UnitTest::GetInstance()->current_test_info()->name(); }

  std::string path(const std::string& name) const { return (folder_ / (name + ".pt")).string(); }

  // Two layers: features -> width -> classes; `between` makes h from x, the first one's result.
  torch::jit::Module two_layers(const std::string& between, std::int64_t hidden = width) const {
    torch::jit::Module model("net");
    auto random = at::detail::createCPUGenerator(3);
    model.register_parameter("w1", trained(torch::randn({width, features}, random) * 0.3), false);
    model.register_parameter("b1", trained(torch::zeros({width})), false);
    model.register_parameter("w2", trained(torch::randn({classes, hidden}, random) * 0.3), false);
    model.register_parameter("b2", trained(torch::zeros({classes})), false);
    model.define("def forward(self, x):\n  x = torch.linear(x, self.w1, self.b1)\n  " + between +
                 "\n  return torch.linear(h, self.w2, self.b2)\n");
    return model;
  }
  std::shared_ptr<const Design> design(const torch::jit::Module& model, const std::string& replace = "",
                                       Weights weights = Weights::kept) const {
    model.save(path("model"));
    return script_design({path("model"), replace, weights}, data_);
  }

  // Plain gradient descent; the losses, one for each step.
  template <class Forward>
  std::vector<double> train(const std::vector<at::Tensor>& parameters, const Forward& forward, int steps = 20) const {
    std::vector<double> losses;
    torch::optim::SGD optimiser(parameters, torch::optim::SGDOptions(0.1).momentum(0.9));
    for (int i = 0; i < steps; ++i) {
      const at::Tensor x = data_.train.x.narrow(0, 4 * i % 80, 32), y = data_.train.y.narrow(0, 4 * i % 80, 32);
      optimiser.zero_grad();
      const at::Tensor loss = torch::cross_entropy_loss(forward(x), y);
      loss.backward();
      optimiser.step();
      losses.push_back(loss.item<double>());
    }
    return losses;
  }
  std::vector<double> train(Network& network, int steps = 20) const {
    network.train();
    return train(
        network.parameters(), [&](const at::Tensor& x) { return network.forward(x); }, steps);
  }
  std::vector<double> train_as_saved() const {
    torch::jit::Module model = torch::jit::load(path("model"));
    std::vector<at::Tensor> parameters;
    for (const at::Tensor& parameter : model.parameters()) parameters.push_back(parameter);
    return train(parameters, [&](const at::Tensor& x) { return model.forward({x}).toTensor(); });
  }

  const std::filesystem::path folder_;
  const data::Dataset data_ = example_data();
};

const Place& place_named(const ScriptGraph& script, const std::string& name) {
  for (const Place& place : script.places())
    if (place.name == name) return place;
  throw std::runtime_error("no place is named " + name);
}

TEST_F(Script, FindsWhatPeopleWrite) {
  const struct {
    const char *between, *name, *activation;
  } cases[] = {
      {"h = torch.relu(x)", "relu", "relu"},
      {"h = torch.relu_(x)", "relu", "relu"},
      {"h = torch.leaky_relu(x, 0.2)", "leaky_relu", "leaky_relu(slope=0.2)"},
      {"h = torch.gelu(x, approximate=\"tanh\")", "gelu", "gelu_tanh"},
      {"h = torch.clamp_min(x, 0.)", "clamp_min", "relu"},
      {"h = x * torch.sigmoid(x)", "silu", "silu"},
      {"h = torch.sigmoid(x) * x", "silu", "silu"},
      {"h = x * torch.sigmoid(1.5 * x)", "swish", "swish(beta=1.5)"},
      {"h = x * torch.tanh(torch.softplus(x))", "mish", "mish"},
  };
  for (const auto& each : cases) {
    const torch::jit::Module model = two_layers(each.between);
    const ScriptGraph script(model);
    ASSERT_EQ(script.places().size(), 1U) << each.between;
    const Place& place = script.places()[0];
    EXPECT_EQ(place.name, each.name);
    EXPECT_EQ(place.activation, each.activation) << each.between;
    EXPECT_EQ(words_of(place.role), std::string("hidden")) << each.between;
    EXPECT_EQ(place.weight, "w1");
    EXPECT_FALSE(place.writes_in_place) << each.between;
  }
}

TEST_F(Script, TellsGatesFromHiddenActivations) {
  torch::jit::Module model("net");
  model.register_parameter("gate", trained(torch::randn({features, features})), false);
  model.register_parameter("scale", trained(torch::randn({features})), false);
  model.register_parameter("w", trained(torch::randn({classes, features})), false);
  model.define(
      "def forward(self, x):\n  g = torch.sigmoid(torch.matmul(x, self.gate))\n"
      "  y = torch.relu(x) * g + torch.tanh(x) * self.scale\n  return torch.linear(y, self.w)\n");
  const ScriptGraph script(model);
  EXPECT_EQ(place_named(script, "sigmoid").role, PlaceRole::gate);
  EXPECT_EQ(place_named(script, "relu").role, PlaceRole::hidden);
  EXPECT_EQ(place_named(script, "tanh").role, PlaceRole::hidden);  // times a parameter
  EXPECT_EQ(design(model)->build("elu", 1)->layers.size(), 2U);
}

TEST_F(Script, NamesModulesByTheirPaths) {
  torch::jit::Module act("act"), model("net");
  act.define("def forward(self, x):\n  return torch.relu(x)\n");
  model.register_parameter("w", trained(torch::randn({classes, features})), false);
  model.register_module("first", act);
  model.define(
      "def forward(self, x):\n  y = self.first.forward(x)\n  y = torch.linear(torch.relu(y), self.w)\n"
      "  return torch.tanh(y)\n");
  const ScriptGraph script(model);
  ASSERT_EQ(script.places().size(), 3U);
  EXPECT_EQ(script.places()[0].name, "first.relu");
  EXPECT_EQ(script.places()[1].name, "relu");
  EXPECT_EQ(place_named(script, "tanh").role, PlaceRole::output);
}

TEST_F(Script, OurReluGivesTheVeryLossesOfTheSavedModel) {
  for (const char* between : {"h = torch.relu(x)", "h = torch.relu_(x)"}) {
    const auto network = design(two_layers(between))->build("relu", 1);
    EXPECT_EQ(train(*network), train_as_saved()) << between;
  }
}

TEST_F(Script, OtherFunctionsAreReallyPutThere) {
  const auto made = design(two_layers("h = torch.relu(x)"));
  const auto network = made->build("tanh", 1);
  network->eval();
  torch::jit::Module expected = two_layers("h = torch.tanh(x)");
  const torch::NoGradGuard no_gradients;
  const at::Tensor x = data_.test.x;
  EXPECT_TRUE(torch::allclose(network->forward(x), expected.forward({x}).toTensor(), 1e-5, 1e-6));
  EXPECT_FALSE(torch::allclose(network->forward(x), made->build("relu", 1)->forward(x), 1e-3, 1e-3));
}

TEST_F(Script, LearnedParametersAreTrained) {
  const auto network = design(two_layers("h = torch.relu(x)"))->build("prelu", 1);
  EXPECT_EQ(network->parameter_count(), width * features + width + classes * width + classes + 1);
  const at::Tensor slope = network->layers[0].unit->parameter_tensors()[0];
  const double before = slope.item<double>();
  train(*network);
  EXPECT_NE(slope.item<double>(), before);
}

TEST_F(Script, NoiseIsOffAtEvaluation) {
  const auto network = design(two_layers("h = torch.relu(x)"))->build("rrelu", 1);
  const torch::NoGradGuard no_gradients;
  const GeneratorGuard guard(at::detail::createCPUGenerator(5));
  network->train();
  EXPECT_FALSE(network->forward(data_.test.x).equal(network->forward(data_.test.x)));
  network->eval();
  EXPECT_TRUE(network->forward(data_.test.x).equal(network->forward(data_.test.x)));
}

TEST_F(Script, FreshWeightsFollowTheGainAndTheSeed) {
  const auto made = design(two_layers("h = torch.relu(x)"), "", Weights::fresh);
  const auto weights = [&](const std::string& activation, std::uint64_t seed, const char* name) {
    return made->build(activation, seed)->named_parameters()[name].detach().clone();
  };
  EXPECT_TRUE(weights("relu", 1, "w1").equal(weights("relu", 1, "w1")));
  EXPECT_FALSE(weights("relu", 1, "w1").equal(weights("relu", 2, "w1")));
  // The input is standardised whatever comes after; behind the activation its gain counts.
  EXPECT_TRUE(weights("relu", 1, "w1").equal(weights("sigmoid", 1, "w1")));
  const at::Tensor relu = weights("relu", 1, "w2"), sigmoid = weights("sigmoid", 1, "w2");
  const double ratio = gain(Activation("sigmoid")) / gain(Activation("relu"));
  EXPECT_TRUE(torch::allclose(sigmoid, relu * ratio, 1e-5, 1e-7));
  double square = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) square += weights("relu", seed, "w2").square().mean().item<double>();
  EXPECT_NEAR(std::sqrt(square / 40 * width), gain(Activation("relu")), 0.15);
}

TEST_F(Script, GatedUnitsTakeGatedFunctions) {
  const auto made = design(two_layers("h = torch.glu(x, -1)", width / 2));
  const auto network = made->build("glu", 1);
  const torch::NoGradGuard no_gradients;
  network->eval();
  torch::jit::Module expected = torch::jit::load(path("model"));
  EXPECT_TRUE(torch::allclose(network->forward(data_.test.x), expected.forward({data_.test.x}).toTensor(), 1e-5, 1e-6));
  EXPECT_NO_THROW(made->check("swiglu"));
  EXPECT_THROW(made->check("relu"), Error);
}

TEST_F(Script, WidensTheLayerBeforeAGatedFunction) {
  const auto made = design(two_layers("h = torch.relu(x)"), "", Weights::fresh);
  made->check("swiglu");
  const auto network = made->build("swiglu", 1);
  EXPECT_EQ(network->named_parameters()["w1"].sizes().vec(), (std::vector<std::int64_t>{2 * width, features}));
  EXPECT_EQ(network->parameter_count(), 2 * width * (features + 1) + classes * (width + 1));
  ASSERT_EQ(made->notes({"relu", "swiglu"}).size(), 1U);
  EXPECT_NE(made->notes({"swiglu"})[0].find("235 parameters in place of 131"), std::string::npos)
      << made->notes({"swiglu"})[0];
  const auto losses = train(*network, 30);
  EXPECT_LT(losses.back(), losses.front());
}

TEST_F(Script, WidensANormalisationToo) {
  torch::jit::Module model("net");
  for (const auto& [name, shape] : {std::pair("w1", std::vector<std::int64_t>{width, features}),
                                    {"scale", {width}},
                                    {"shift", {width}},
                                    {"w2", {classes, width}}})
    model.register_parameter(name, trained(torch::rand(shape)), false);
  for (const char* name : {"mean", "variance"}) model.register_buffer(name, torch::ones({width}));
  model.define(
      "def forward(self, x):\n  x = torch.linear(x, self.w1)\n"
      "  x = torch.batch_norm(x, self.scale, self.shift, self.mean, self.variance, True, 0.1, 0.00001, False)\n"
      "  return torch.linear(torch.relu(x), self.w2)\n");
  const auto network = design(model, "", Weights::fresh)->build("geglu", 1);
  EXPECT_EQ(network->named_parameters()["scale"].sizes().vec(), (std::vector<std::int64_t>{2 * width}));
  EXPECT_EQ(network->named_buffers()["mean"].sizes().vec(), (std::vector<std::int64_t>{2 * width}));
  EXPECT_TRUE(network->named_buffers()["mean"].eq(0).all().item<bool>());
  const auto losses = train(*network, 30);
  EXPECT_LT(losses.back(), losses.front());
}

TEST_F(Script, AttributesSetInTrainingReachTheGraph) {
  const auto network = design(two_layers("h = torch.relu(x)"))->build("leaky_relu(slope=0.5)", 1);
  const torch::NoGradGuard no_gradients;
  const at::Tensor before = network->forward(data_.test.x);
  network->layers[0].unit->set("slope", 0);
  torch::jit::Module saved = torch::jit::load(path("model"));
  EXPECT_FALSE(network->forward(data_.test.x).equal(before));
  EXPECT_TRUE(torch::allclose(network->forward(data_.test.x), saved.forward({data_.test.x}).toTensor()));
}

TEST_F(Script, LayersShowTheirInputsAndGradients) {
  const auto network = design(two_layers("a = torch.relu(x)\n  h = torch.tanh(torch.relu(a) + a)"))->build("elu", 1);
  ASSERT_EQ(network->layers.size(), 3U);
  network->recording = true;
  network->forward(data_.train.x.narrow(0, 0, 16)).sum().backward();
  for (const auto& layer : network->layers) {
    ASSERT_TRUE(layer.z.defined());
    EXPECT_EQ(layer.z.sizes().vec(), (std::vector<std::int64_t>{16, width}));
    ASSERT_TRUE(layer.z.grad().defined());
    EXPECT_GT(layer.z.grad().norm().item<double>(), 0);
  }
}

TEST_F(Script, SeveralAtOnceAreAsOneByOne) {
  const auto made = design(two_layers("h = torch.relu(torch.dropout(x, 0.2, True))"), "", Weights::fresh);
  const auto run = [&](std::uint64_t seed) {
    const GeneratorGuard guard(at::detail::createCPUGenerator(seed));
    return train(*made->build("rrelu", seed));
  };
  std::vector<std::vector<double>> alone, together(4);
  for (std::uint64_t seed = 0; seed < 4; ++seed) alone.push_back(run(seed));
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 0; seed < 4; ++seed)
    threads.emplace_back([&, seed] { together[static_cast<std::size_t>(seed)] = run(seed); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(alone, together);
}

TEST_F(Script, ReplacesWhatIsNamed) {
  const torch::jit::Module model = two_layers("h = torch.tanh(torch.relu(x))");
  EXPECT_EQ(design(model, "relu")->build("gelu", 1)->layers.size(), 1U);
  EXPECT_EQ(design(model, "r*,t?nh")->build("gelu", 1)->layers.size(), 2U);
}

TEST_F(Script, RefusesInALine) {
  refused([&] { script_design({path("nowhere"), "", Weights::fresh}, data_); }, "cannot be read");
  refused([&] { parse_script("no archive", "text.pt"); }, "text.pt: is no TorchScript file");
  refused([&] { design(two_layers("h = x + 1")); }, "no activation was found");
  refused([&] { design(two_layers("h = torch.relu(x)"), "gelu"); }, "there are relu");
  refused([&] { design(two_layers("h = torch.relu(x)\n  h = h[:, :3]", 3), "")->check("swiglu"); }, "--weights new");
  refused([&] { design(two_layers("h = torch.relu(x) + x"), "", Weights::fresh)->check("swiglu"); },
          "something else uses what the layer before it makes");
  refused([&] { design(two_layers("h = torch.relu(x + 1)"), "", Weights::fresh)->check("swiglu"); },
          "no linear layer or convolution");
  torch::jit::Module wrong("net");
  wrong.register_parameter("w", trained(torch::randn({classes - 1, features})), false);
  wrong.define("def forward(self, x):\n  return torch.linear(torch.relu(x), self.w)\n");
  refused([&] { design(wrong); }, "expected [2, 3] for 3 classes");
  torch::jit::Module frozen = two_layers("h = torch.relu(x)");
  for (at::Tensor parameter : frozen.parameters()) parameter.requires_grad_(false);
  refused([&] { design(frozen); }, "nothing to train");
  torch::jit::Module two_inputs("net");
  two_inputs.define("def forward(self, x, y):\n  return torch.relu(x) + y\n");
  two_inputs.register_parameter("w", trained(torch::zeros({1})), false);
  refused([&] { design(two_inputs); }, "expected one tensor");
}

}  // namespace
}  // namespace ogee::models
