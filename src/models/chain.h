// A network that is linear layers and activations one after another, run forward and back by hand.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "ogee/libtorch.h"
#include "ogee/torch.h"

namespace ogee::models {

// The kernels in turn, in memory that stays from step to step, without operators and without autograd's graph: for
// small layers these take longer than the arithmetic. Numbers are those of the operators, but for the order of sums.
// Where somebody looks at operators, a pass with `keep` is announced as aten::linear and ogee::_forward, layer by
// layer, and hooks on the activations are called on the way back.
class Chain {
 public:
  struct Link {
    at::Tensor weight, bias;  // [outputs, inputs], [outputs]
    nn::Activation unit =
        nullptr;         // what follows the linear layer, if anything; gated ones take both inputs, gate first
    bool tamed = false;  // what comes in goes over its root mean square first
  };
  void add(Link link) {
    if (link.unit) ++units_;
    links_.push_back(std::move(link));
  }

  // Whether it may run on x, [n, inputs]: on the CPU, in float32, without gaps.
  bool runs(const at::Tensor& x) const;
  // And back: every parameter has a gradient to write to.
  bool trains(const at::Tensor& x) const;

  // The last layer's outputs, [n, outputs], with noise where units are in training. keep: for a backward pass.
  at::Tensor forward(const at::Tensor& x, bool keep);
  // Is shown what went into each unit, [n, units] (of gated ones both inputs), and its gradient, the last one first:
  // memory of the chain's that holds only as long as it looks.
  using Witness = std::function<void(std::size_t unit, const at::Tensor& sums, const at::Tensor& gradient)>;
  // After forward with `keep`, given the gradient of its result: writes every parameter's gradient over what was there,
  // and calls the hooks on it.
  void backward(const at::Tensor& gradient, const Witness& witness = nullptr);

  static constexpr float epsilon = 1e-6F;  // beside a mean square

 private:
  // Memory that grows and begins where vectors do.
  class Room {
   public:
    float* of(std::size_t count);
    float* data() const { return memory_.get(); }

   private:
    hwy::AlignedFreeUniquePtr<float[]> memory_;
    std::size_t size_ = 0;
  };
  // What a link keeps for its way back.
  struct Kept {
    const float* input = nullptr;  // what came in
    Room tamed, factors;           // and what became of it, where it is tamed
    Room sums, values;             // pre-activations and activations, where there is a unit
    NoiseKey noise;
    at::Tensor result;  // where the pass is announced
  };
  class Unit;

  void forward_link(const Link& link, Kept& kept, std::size_t rows, float* out, bool announce);
  void backward_link(const Link& link, const Kept& kept, std::size_t rows, const float* gradient, float* by_input);

  std::vector<Link> links_;
  std::vector<Kept> kept_;
  Kept passing_;  // by links that are not run back
  Room packed_, by_sums_, in_turn_[2];
  std::size_t units_ = 0;
  at::Tensor x_, output_;
  std::vector<at::Tensor> shown_;  // to observers, who know tensors by their address: until the next pass
};

}  // namespace ogee::models
