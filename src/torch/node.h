// Nodes of autograd's graph, for LibTorch 1.13 to 2.x.
#pragma once

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

namespace ogee::torch_call {

// A shared_ptr in older versions, an intrusive_ptr in newer ones.
using NodePointer = decltype(torch::autograd::Edge::function);

template <class Pointer, class N>
Pointer adopted(N* node) {
  if constexpr (std::is_same_v<Pointer, std::shared_ptr<torch::autograd::Node>>) {
    return Pointer(node, [](auto* n) { deleteNode(n); });  // without recursion through a deep graph
  } else {
    return Pointer::unsafe_steal_from_new(node);
  }
}

template <class N>
struct MadeNode {
  NodePointer pointer;
  N* node = nullptr;
  void attach(at::Tensor& result) const {
    if (pointer) torch::autograd::set_history(result, pointer);
  }
  void attach(std::vector<at::Tensor>& results) const {
    for (at::Tensor& t : results) attach(t);
  }
};
template <class N>
MadeNode<N> make_node() {
  auto* node = new N();
  return {adopted<NodePointer>(node), node};
}

class OgeeNode : public torch::autograd::Node {
 public:
  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    released();
  }
  // An undefined tensor takes a place that no gradient leaves through.
  void add_edge(const at::Tensor& t) {
    add_next_edge(t.defined() ? torch::autograd::impl::gradient_edge(t) : torch::autograd::Edge());
  }

 protected:
  virtual void released() = 0;
};

}  // namespace ogee::torch_call
