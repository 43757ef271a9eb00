// A digit classifier in plain LibTorch. It knows nothing of Ogee; `ogee watch -- ./mnist DATA` sees into it all the
// same.
//
//   mnist DATA [RATE [STEPS]]
//
// DATA is a folder with MNIST's four files, unpacked; RATE is SGD's learning rate, 0.01 by default.
#include <torch/torch.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

struct Net : torch::nn::Module {
  Net() {
    conv1 = register_module("conv1", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 10, 5)));
    conv2 = register_module("conv2", torch::nn::Conv2d(torch::nn::Conv2dOptions(10, 20, 5)));
    fc1 = register_module("fc1", torch::nn::Linear(320, 50));
    fc2 = register_module("fc2", torch::nn::Linear(50, 10));
  }

  torch::Tensor forward(torch::Tensor x) {
    x = torch::relu(torch::max_pool2d(conv1->forward(x), 2));
    x = torch::relu(torch::max_pool2d(conv2->forward(x), 2));
    x = torch::relu(fc1->forward(x.flatten(1)));
    x = torch::dropout(x, 0.5, is_training());
    return torch::log_softmax(fc2->forward(x), 1);
  }

  torch::nn::Conv2d conv1{nullptr}, conv2{nullptr};
  torch::nn::Linear fc1{nullptr}, fc2{nullptr};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: mnist DATA [RATE [STEPS]]\n");
    return 64;
  }
  const double rate = argc > 2 ? std::atof(argv[2]) : 0.01;
  const std::int64_t steps = argc > 3 ? std::atol(argv[3]) : 938;

  torch::manual_seed(1);
  Net net;
  auto data = torch::data::datasets::MNIST(argv[1])
                  .map(torch::data::transforms::Normalize<>(0.1307, 0.3081))
                  .map(torch::data::transforms::Stack<>());
  auto loader = torch::data::make_data_loader<torch::data::samplers::SequentialSampler>(std::move(data), 64);
  torch::optim::SGD optimizer(net.parameters(), torch::optim::SGDOptions(rate).momentum(0.5));

  net.train();
  std::int64_t step = 0;
  while (step < steps) {
    for (auto& batch : *loader) {
      if (step++ == steps) break;
      optimizer.zero_grad();
      auto loss = torch::nll_loss(net.forward(batch.data), batch.target);
      loss.backward();
      optimizer.step();
      if (step % 50 == 0 || step == steps) std::printf("step %ld, loss %.9g\n", long(step), loss.item<double>());
    }
  }
  return 0;
}
