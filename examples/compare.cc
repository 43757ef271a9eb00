// Which activation does a network written in C++ need? Builds it with each of several and compares them fairly.
//
//   compare [DATA [EPOCHS [SEEDS [FOLDER]]]]
//
// DATA is what `ogee compare --data` takes: pictures, by default the built-in handwritten digits.
#include <torch/torch.h>

#include <cstdio>
#include <cstdlib>

#include "ogee/lab.h"

namespace {

// A plain LibTorch module; all it does for the laboratory is to take its activations from the factory.
struct Net : torch::nn::Module {
  explicit Net(const ogee::lab::ActivationFactory& activation) {
    const auto gates = activation.packed();  // 2 for gated functions, which take twice the channels
    const auto channels = activation.width(16), units = activation.width(64);
    conv = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, gates * channels, 3).padding(1)));
    conv_activation = register_module("conv_activation", activation(/*gate_dim=*/1));
    pool = register_module("pool", torch::nn::AdaptiveAvgPool2d(4));
    hidden = register_module("hidden", torch::nn::Linear(channels * 16, gates * units));
    hidden_activation = register_module("hidden_activation", activation());
    output = register_module("output", torch::nn::Linear(units, 10));
  }

  torch::Tensor forward(torch::Tensor x) {
    x = pool(conv_activation(conv(x)));
    return output(hidden_activation(hidden(x.flatten(1))));
  }

  torch::nn::Conv2d conv{nullptr};
  torch::nn::AdaptiveAvgPool2d pool{nullptr};
  torch::nn::Linear hidden{nullptr}, output{nullptr};
  ogee::nn::Activation conv_activation{nullptr}, hidden_activation{nullptr};
};

}  // namespace

int main(int argc, char** argv) {
  const auto options = ogee::lab::CompareOptions()
                           .data(argc > 1 ? argv[1] : "optdigits")
                           .epochs(argc > 2 ? std::atol(argv[2]) : 10)
                           .seeds(argc > 3 ? std::atol(argv[3]) : 5)
                           .out(argc > 4 ? argv[4] : "ogee-compare")
                           .activations({"relu", "leaky_relu(slope=0.1)", "gelu", "prelu", "swiglu"});
  try {
    const auto result = ogee::lab::compare(
        [](const ogee::lab::ActivationFactory& activation) { return std::make_shared<Net>(activation); }, options);
    for (const auto& arm : result.arms)
      std::printf("%-22s error %.4f, 95 %% [%.4f, %.4f], %ld parameters, %s\n", arm.activation.c_str(), arm.error,
                  arm.low, arm.high, long(arm.parameters), arm.verdict.c_str());
    std::printf("%s\n%s\n", result.recommendation.c_str(), result.report.c_str());
  } catch (const ogee::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
