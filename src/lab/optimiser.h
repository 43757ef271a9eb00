// Adam, SGD and RMSProp over one flat buffer.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ogee/libtorch.h"
#include "lab/experiment.h"

namespace ogee::lab {

// Networks of this size are bound by the cost of calling operators, not by arithmetic: with all parameters (and all
// gradients) as views of one tensor, a step is a handful of calls for the whole network.
class FlatOptimiser {
 public:
  virtual ~FlatOptimiser() = default;
  void zero_gradients() { gradients_.zero_(); }
  void step(double rate);
  // All gradients and, behind them, `spare` numbers that ranks who train together exchange along with them.
  const at::Tensor& exchanged() const { return exchanged_; }
  at::Tensor gradients() const { return gradients_; }
  static constexpr std::int64_t spare = 4;
  // What a checkpoint needs: the parameters and the optimiser's own tensors, to be copied or written over.
  std::vector<at::Tensor> state() const;
  std::int64_t steps = 0;

 protected:
  FlatOptimiser(torch::nn::Module& network, const OptimiserSettings& settings);
  virtual void update(double rate) = 0;
  // Calls `decay`, which changes all of `values` (or of their gradients) by the weights' decay, and takes it back where
  // nothing decays: in a noisy unit's p, of which 0 is a stationary point.
  template <class Decay>
  void but_for_noise(const at::Tensor& values, Decay decay) const {
    std::vector<at::Tensor> before;
    for (const auto& [offset, size] : without_decay_) before.push_back(values.narrow(0, offset, size).clone());
    decay();
    for (std::size_t i = 0; i < before.size(); ++i)
      values.narrow(0, without_decay_[i].offset, without_decay_[i].size).copy_(before[i]);
  }
  bool all_decay() const { return without_decay_.empty(); }
  // The same gradients with the decay added, as SGD has it.
  void add_decay();

  const double weight_decay_;
  at::Tensor values_, exchanged_, gradients_;
  std::vector<at::Tensor> moments_;

 private:
  struct Stretch {
    std::int64_t offset, size;
  };
  const double clip_norm_, clip_value_;  // 0: none
  std::vector<Stretch> without_decay_;
};

std::unique_ptr<FlatOptimiser> make_optimiser(const OptimiserSettings& settings, torch::nn::Module& network);

}  // namespace ogee::lab
