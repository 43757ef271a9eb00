// The small networks that faults are planted in: five kinds, any depth, weights drawn as each function asks for, as
// somebody would write them with LibTorch alone.
#pragma once

#include <torch/torch.h>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ogee/libtorch.h"
#include "ogee/torch.h"

namespace ogee::faults {

struct Design {
  std::string kind = "mlp";  // mlp, convnet, resnet, lstm, transformer
  std::int64_t depth = 6;    // weight layers with a function behind them; lstm and transformer: cells, blocks
  std::int64_t width = 32;
  std::string activation = "relu";  // LibTorch's own where it has one, else ogee::nn::Activation
  std::string norm = "none";        // none, batch, layer
  double gain = 1;                  // times the function's own gain/sqrt(fan_in)
  bool channels = false;            // learned parameters by channel
};

// Weights, and the function behind them.
struct Site {
  std::string name;
  at::Tensor weight, bias;
  std::string activation;
  nn::Activation unit = nullptr;  // where LibTorch lacks the function
  at::Tensor z;                   // the function's latest input, while `probing`
};

class Net : public torch::nn::Module {
 public:
  // x: [n, channels, height, width]
  virtual at::Tensor forward(at::Tensor x) = 0;
  std::vector<Site> sites;  // the output layer is none
  bool probing = false;

 protected:
  Net(Design design, std::vector<std::int64_t> shape) : design_(std::move(design)), shape_(std::move(shape)) {}
  std::int64_t features() const;
  torch::nn::Linear linear(const std::string& name, std::int64_t in, std::int64_t out, double gain);
  torch::nn::Conv2d conv(const std::string& name, std::int64_t in, std::int64_t out, double gain);
  // A site for what `module` computes; its index.
  template <class Module>
  std::size_t site(const std::string& name, const Module& module, std::int64_t units, const std::string& activation) {
    return add_site(name, module->weight, module->bias, units, activation);
  }
  at::Tensor activate(std::size_t site, const at::Tensor& z);
  double gain_of(const std::string& activation) const;
  double own_gain() const { return design_.gain * gain_of(design_.activation); }

  const Design design_;
  const std::vector<std::int64_t> shape_;

 private:
  std::size_t add_site(const std::string& name, const at::Tensor& weight, const at::Tensor& bias, std::int64_t units,
                       const std::string& activation);
};

// Weights come from the default generator: seed it before.
std::shared_ptr<Net> build(const Design& design, const std::vector<std::int64_t>& shape, std::int64_t classes);

}  // namespace ogee::faults
