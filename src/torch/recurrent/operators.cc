// torch.ops.ogee.lstm, gru and mgu: a layer in one direction, for those who have no C++ modules.
//
// weights: weight_ih, weight_hh and, where there are biases, bias_ih and bias_hh. activations: by name, in the order of
// ogee/torch_recurrent.h; none: sigmoid and tanh. learned: their learned parameters in turn; none: the default values.
#include <torch/library.h>

#include "torch/recurrent/sequence.h"

namespace ogee::torch_call::recurrent {
namespace {

using Texts = c10::optional<c10::List<std::string>>;
using Tensors = c10::optional<c10::List<at::Tensor>>;

RecurrentLayer layer_of(Cell cell, at::TensorList weights, const Texts& activations, const Tensors& learned,
                        const c10::optional<at::Tensor>& peephole, bool training, bool reverse) {
  TORCH_CHECK_VALUE(weights.size() == 2 || weights.size() == 4, "ogee::", name_of(cell),
                    ": expected weight_ih, weight_hh and perhaps bias_ih and bias_hh, but got ", weights.size(),
                    " weights");
  RecurrentLayer layer;
  layer.cell = cell;
  layer.weight_ih = weights[0];
  layer.weight_hh = weights[1];
  if (weights.size() == 4) {
    layer.bias_ih = weights[2];
    layer.bias_hh = weights[3];
  }
  for (const std::string& gate : gate_names(cell)) {
    if (!activations.has_value()) layer.activations.emplace_back(gate.ends_with("_gate") ? "sigmoid" : "tanh");
  }
  if (activations.has_value()) {
    for (const std::string& text : activations->vec()) layer.activations.emplace_back(text);
  }
  if (learned.has_value()) layer.learned = learned->vec();
  if (peephole.has_value()) layer.peephole = *peephole;
  layer.training = training;
  layer.reverse = reverse;
  return layer;
}
at::Tensor given(const c10::optional<at::Tensor>& t) { return t.has_value() ? *t : at::Tensor(); }

std::tuple<at::Tensor, at::Tensor, at::Tensor> lstm(const at::Tensor& x, at::TensorList weights,
                                                    const Texts& activations, const Tensors& learned,
                                                    const c10::optional<at::Tensor>& h,
                                                    const c10::optional<at::Tensor>& c,
                                                    const c10::optional<at::Tensor>& peephole, bool training,
                                                    bool reverse) {
  const RecurrentOutput out = ogee::recurrent(
      layer_of(Cell::lstm, weights, activations, learned, peephole, training, reverse), x, given(h), given(c));
  return {out.y, out.h, out.c};
}
template <Cell cell>
std::tuple<at::Tensor, at::Tensor> gru(const at::Tensor& x, at::TensorList weights, const Texts& activations,
                                       const Tensors& learned, const c10::optional<at::Tensor>& h, bool training,
                                       bool reverse) {
  const RecurrentOutput out =
      ogee::recurrent(layer_of(cell, weights, activations, learned, {}, training, reverse), x, given(h));
  return {out.y, out.h};
}

// Two calls with the same arguments draw different noise: no pass may merge them.
c10::FunctionSchema schema(const std::string& text) {
  return torch::schema(text.c_str(), c10::AliasAnalysisKind::CONSERVATIVE);
}

TORCH_LIBRARY_FRAGMENT(ogee, m) {
  const std::string arguments =
      "(Tensor x, Tensor[] weights, str[]? activations=None, Tensor[]? learned=None, Tensor? h=None";
  const std::string options = ", bool training=False, bool reverse=False)";
  m.def(
      schema("lstm" + arguments + ", Tensor? c=None, Tensor? peephole=None" + options + " -> (Tensor, Tensor, Tensor)"),
      lstm);
  m.def(schema("gru" + arguments + options + " -> (Tensor, Tensor)"), gru<Cell::gru>);
  m.def(schema("mgu" + arguments + options + " -> (Tensor, Tensor)"), gru<Cell::mgu>);
}

}  // namespace
}  // namespace ogee::torch_call::recurrent
