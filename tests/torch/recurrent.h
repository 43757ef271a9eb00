// What the tests of recurrent cells share: layers with random weights, and their gradients.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "ogee/torch_recurrent.h"
#include "support.h"

namespace ogee::testing {

// A layer with its inputs; all leaves.
struct Layer {
  RecurrentLayer layer;
  torch::Tensor x, h, c;

  // Places as in RecurrentLayer: x, h, c, weights, biases, peephole, learned.
  std::vector<torch::Tensor*> places() {
    std::vector<torch::Tensor*> all{
        &x, &h, &c, &layer.weight_ih, &layer.weight_hh, &layer.bias_ih, &layer.bias_hh, &layer.peephole};
    for (torch::Tensor& t : layer.learned) all.push_back(&t);
    return all;
  }
  Tensors leaves() {
    Tensors found;
    for (torch::Tensor* t : places()) {
      if (t->defined()) found.push_back(*t);
    }
    return found;
  }
};

struct LayerShape {
  std::int64_t steps = 5, batch = 3, inputs = 4, units = 6;
  bool bias = true, peephole = false, states = true, training = true, reverse = false;
  at::ScalarType type = at::kDouble;
};

inline Layer make_layer(Cell cell, const std::vector<std::string>& activations, const LayerShape& s) {
  torch::manual_seed(3);
  const auto leaf = [&](std::vector<std::int64_t> sizes, double scale) {
    return (scale * torch::randn(sizes, at::kDouble)).to(s.type).requires_grad_();
  };
  Layer made;
  RecurrentLayer& l = made.layer;
  l.cell = cell;
  const std::int64_t rows = (cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 2) * s.units;
  made.x = leaf({s.steps, s.batch, s.inputs}, 1);
  l.weight_ih = leaf({rows, s.inputs}, 0.8);
  l.weight_hh = leaf({rows, s.units}, 1.5 / std::sqrt(static_cast<double>(s.units)));
  if (s.bias) {
    l.bias_ih = leaf({rows}, 0.5);
    l.bias_hh = leaf({rows}, 0.5);
  }
  if (s.peephole) l.peephole = leaf({3, s.units}, 0.7);
  if (s.states) {
    made.h = leaf({s.batch, s.units}, 0.5);
    if (cell == Cell::lstm) made.c = leaf({s.batch, s.units}, 0.8);
  }
  for (const std::string& text : activations) {
    l.activations.emplace_back(text);
    for (const Parameter& p : l.activations.back().spec().parameters) {
      if (p.role == Role::learned) l.learned.push_back((p.value + leaf({s.units}, 0.4)).detach().requires_grad_());
    }
  }
  l.training = s.training;
  l.reverse = s.reverse;
  return made;
}

// The layer's results as a function of its leaves, always with the same noise.
inline TensorFunction function_of(const Layer& given, bool is_composed = false) {
  return [given, is_composed](const Tensors& leaves) {
    Layer l = given;
    std::size_t next = 0;
    for (torch::Tensor* t : l.places()) {
      if (t->defined()) *t = leaves[next++];
    }
    torch::manual_seed(7);
    const RecurrentOutput out =
        is_composed ? compose_recurrent(l.layer, l.x, l.h, l.c) : recurrent(l.layer, l.x, l.h, l.c);
    Tensors all{out.y, out.h};
    if (out.c.defined()) all.push_back(out.c);
    return all;
  };
}

// Gradients of a fixed combination of all results by all leaves, after the results.
inline Tensors results_and_gradients(Layer l, bool is_composed) {
  const Tensors leaves = l.leaves(), out = function_of(l, is_composed)(leaves);
  Tensors upstream, all;
  for (const torch::Tensor& t : out) {
    upstream.push_back(torch::cos(torch::arange(t.numel(), t.options().requires_grad(false))).view(t.sizes()));
    all.push_back(t.detach());
  }
  for (const torch::Tensor& g : torch::autograd::grad(out, leaves, upstream)) all.push_back(g);
  return all;
}

inline std::vector<std::string> same(Cell cell, const std::string& sigmoid, const std::string& tanh) {
  if (cell == Cell::lstm) return {sigmoid, sigmoid, tanh, sigmoid, tanh};
  return cell == Cell::gru ? std::vector<std::string>{sigmoid, sigmoid, tanh} : std::vector<std::string>{sigmoid, tanh};
}

}  // namespace ogee::testing
