// A network built around one activation, and what the laboratory needs to see of it.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "ogee/torch.h"

namespace ogee::models {

class Network;

// A network of the user's own, in place of one of ours. Used from several threads at once.
class Design {
 public:
  virtual ~Design() = default;
  // Of all that a network is made from, to tell changed designs from the same.
  virtual std::string fingerprint() const = 0;
  // What a comparison of these activations should say of it.
  virtual std::vector<std::string> notes(const std::vector<std::string>& activations) const = 0;
  // Throws Error, in a line, where the design cannot use the activation.
  virtual void check(const std::string& activation) const = 0;
  virtual std::shared_ptr<Network> build(const std::string& activation, std::uint64_t seed) const = 0;
};

struct Settings {
  std::string model = "mlp";
  std::int64_t depth = 0, width = 0;  // 0: the model's own
  std::string activation = "relu";
  std::shared_ptr<const Design> design = nullptr;  // where there is one, depth and width are its own
};

// Plain deep stacks, without normalisation and residual connections, so that the activation has to do the work.
// Learned parameters: one set per layer. Gated functions take the packed pre-activation, gate first.
class Network : public torch::nn::Module {
 public:
  // An activation and the pre-activation that it saw last, kept only while `recording`.
  struct Layer {
    nn::Activation unit = nullptr;
    at::Tensor z;
  };

  virtual at::Tensor forward(at::Tensor x) = 0;
  // From the input to the output.
  std::vector<Layer> layers;
  // Keeps pre-activations, and their gradients after backward.
  bool recording = false;

  std::int64_t parameter_count() const;

 protected:
  // One map of weights; `fan_in` numbers feed each output, which come out of something with `gain`.
  struct Map {
    at::Tensor weight, bias;
  };
  Network(std::string activation, at::Generator random);
  Map map(const std::string& name, at::IntArrayRef shape, double gain);
  void add_layer(const std::string& name);
  at::Tensor activate(std::size_t layer, at::Tensor z);
  // What goes into every gated layer of a gated network but the first: x over its root mean square, example by example,
  // without parameters. A product of two inputs squares their scale, so that ten such layers in a row raise any
  // difference in scale between examples to its 1024th power; gated layers are used behind a normalisation everywhere,
  // and a comparison without it would only show that. Ungated networks are left as they are.
  at::Tensor tame(const at::Tensor& x) const;

  const Activation activation_;
  const double gain_;          // of the activation
  const std::int64_t packed_;  // how many inputs the activation takes

 private:
  at::Generator random_;
};

// The sizes after defaults have been filled in; throws Error on an unknown model or one that does not fit the data.
Settings resolve(Settings settings, const data::Dataset& data);
// Weights are drawn from a generator of the seed alone: never the global one, as networks are built concurrently.
std::shared_ptr<Network> build(const Settings& settings, const data::Dataset& data, std::uint64_t seed);

// One file each.
std::shared_ptr<Network> make_mlp(const Settings& settings, const data::Dataset& data, at::Generator random);
std::shared_ptr<Network> make_convnet(const Settings& settings, const data::Dataset& data, at::Generator random);

}  // namespace ogee::models
