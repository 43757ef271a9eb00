// Programs that train on several threads, watched. Meant for ThreadSanitizer (OGEE_PRESET=tsan), and true without.
#include <ATen/core/ivalue.h>
#include <torch/torch.h>
//
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "ogee/libtorch.h"
#include "ogee/monitor.h"
#include "ogee/torch.h"
#include "parallel.h"

namespace ogee::test {
namespace {

namespace nn_ = torch::nn;

// Linear layers, the second and third one node each with their activations.
struct Net : nn_::Module {
  Net() {
    for (int i = 0; i < 4; ++i)
      layers.push_back(register_module("layer" + std::to_string(i), nn_::Linear(i == 0 ? 20 : 16, i == 3 ? 4 : 16)));
  }
  at::Tensor forward(const at::Tensor& x) const {
    static const Activation gelu("gelu");
    at::Tensor y = torch::tanh(layers[0]->forward(x));
    for (std::size_t i = 1; i < 3; ++i) y = ogee::apply_linear(gelu, y, layers[i]->weight, layers[i]->bias);
    return torch::linear(y, layers[3]->weight, layers[3]->bias);
  }
  mutable std::vector<nn_::Linear> layers;
};

// One model on several threads, forward and backward, with LibTorch's own threads and a reader beside.
TEST(Threads, ShareAModel) {
  const int threads_before = torch::get_num_threads();
  torch::set_num_threads(2);
  for (const bool every : {true, false}) {
    const Net model;
    Monitor monitor(model, MonitorOptions().every(every ? 1 : 0).print(false));
    std::atomic<int> running{3};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 12; ++i) {
          model.forward(torch::randn({64, 20})).square().mean().backward();
          on_libtorch_threads(64, [] { torch::relu(torch::randn({4})); });
        }
        --running;
      });
    }
    while (running > 0) {
      monitor.record();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    for (auto& thread : threads) thread.join();
    const monitor::Record record = monitor.record();
    EXPECT_GE(record.layers.size(), 3U);
    EXPECT_GE(record.steps, 12);
  }
  torch::set_num_threads(threads_before);
}

TEST(Threads, TrainAtOnce) {
  Monitor monitor(MonitorOptions().every(1).sample(0).print(false));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      const Net model;
      torch::optim::SGD optimizer(model.parameters(), 0.01);
      for (int i = 0; i < 20; ++i) {
        optimizer.zero_grad();
        model.forward(torch::randn({8, 20})).sum().backward();
        optimizer.step();
        if (i == 10) on_libtorch_threads(64, [] { torch::randn({4}); });
      }
    });
  }
  // And on LibTorch's own threads for independent work.
  std::atomic<int> launched{0};
  for (int i = 0; i < 4; ++i) {
    at::launch([&launched] {
      torch::relu(torch::randn({4}));
      ++launched;
    });
  }
  for (auto& thread : threads) thread.join();
  while (launched != 4) std::this_thread::yield();
  EXPECT_GE(monitor.record().layers.size(), 12U);
}

}  // namespace
}  // namespace ogee::test
