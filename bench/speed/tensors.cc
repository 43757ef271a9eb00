#include "bench/speed/tensors.h"

namespace ogee::bench {

Leaves leaves_of(const Case& c) {
  Leaves leaves;
  const Spec& spec = c.spec();
  for (std::size_t k = 0; k < spec.inputs; ++k) {
    leaves.inputs.push_back(tensor_of(c, c.input[k]).requires_grad_());
    leaves.all.push_back(leaves.inputs.back());
  }
  for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
    leaves.parameters.emplace_back();
    if (spec.parameters[k].role != Role::learned) continue;
    leaves.parameters.back() =
        at::full({1}, c.activation->parameters()[k], at::TensorOptions().dtype(scalar_type(c.type))).requires_grad_();
    leaves.all.push_back(leaves.parameters.back());
  }
  return leaves;
}

namespace {

struct Results {
  at::Tensor y;
  std::vector<at::Tensor> gradients;
};

void deliver_gradients(const Case& c, const Results& results) {
  for (std::size_t k = 0; k < c.spec().inputs; ++k) copy_to(c, results.gradients[k], c.dx[k]);
}

}  // namespace

Work training_work(const Case& c, RecordedForward forward) {
  auto leaves = std::make_shared<Leaves>(leaves_of(c));
  auto results = std::make_shared<Results>();
  const at::Tensor dy = tensor_of(c, c.dy);
  Work work;
  work.run = [=, forward = std::move(forward)] {
    *results = {};  // freed before, not while, the next are made, as in a training loop
    at::Tensor y = forward(leaves->inputs, leaves->parameters);
    results->gradients = torch::autograd::grad({y}, leaves->all, {dy});
    results->y = y.detach();
  };
  work.deliver = [=] {
    copy_to(c, results->y, c.y);
    deliver_gradients(c, *results);
  };
  return work;
}

Work recorded_backward_work(const Case& c, const RecordedForward& forward) {
  auto leaves = std::make_shared<Leaves>(leaves_of(c));
  auto results = std::make_shared<Results>();
  // The gradients that ogee::backward computes: those of the inputs.
  results->y = forward(leaves->inputs, leaves->parameters);
  const at::Tensor dy = tensor_of(c, c.dy);
  Work work;
  work.run = [=] {
    results->gradients.clear();
    results->gradients = torch::autograd::grad({results->y}, leaves->inputs, {dy}, /*retain_graph=*/true);
  };
  work.deliver = [=] { deliver_gradients(c, *results); };
  return work;
}

}  // namespace ogee::bench
