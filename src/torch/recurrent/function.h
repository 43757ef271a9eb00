// An activation of a cell in its composed form, with its learned parameters.
#pragma once

#include <vector>

#include "torch/call.h"

namespace ogee::torch_call::recurrent {

class Function {
 public:
  // Activation `slot`, whose learned parameters begin at learned[next], which is moved behind them. `key`: two int64
  // where noise is drawn, else undefined. composed: of LibTorch's operators, else Ogee's.
  Function(const std::vector<Activation>& activations, const std::vector<at::Tensor>& learned, const at::Tensor& key,
           std::size_t slot, std::size_t& next, bool composed);
  // x: [rows, units]; noise: that of a time step.
  at::Tensor operator()(const at::Tensor& x, std::int64_t time) const;

 private:
  at::Tensor step_key(std::int64_t time) const;

  const Activation& activation_;
  at::Tensor key_;
  std::size_t slot_;
  bool composed_, draws_;
  std::vector<at::Tensor> tensors_;
  at::DimVector places_;
};

}  // namespace ogee::torch_call::recurrent
