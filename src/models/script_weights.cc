#include "models/script_weights.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace ogee::models {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;

class Drawing {
 public:
  Drawing(torch::jit::Module& model, const ScriptGraph& script, const std::function<double(const Place&)>& gain_of,
          at::Generator random)
      : script_(script), gain_of_(gain_of), random_(std::move(random)) {
    for (const auto& parameter : model.named_parameters()) tensors_[parameter.name] = parameter.value;
    for (const auto& buffer : model.named_buffers()) tensors_[buffer.name] = buffer.value;
  }

  void visit(const Block* block) {
    for (const Node* node : block->nodes()) {
      visit(node);
      for (const Block* inner : node->blocks()) visit(inner);
    }
  }

  std::vector<std::string> left_alone(const torch::jit::Module& model) const {
    std::vector<std::string> names;
    for (const auto& parameter : model.named_parameters())
      if (!done_.contains(parameter.value.unsafeGetTensorImpl())) names.push_back(parameter.name);
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  // The tensor of an attribute that has not had its turn; undefined if there is none.
  at::Tensor take(const Value* value) {
    const auto name = attribute_of(value);
    const auto found = name ? tensors_.find(*name) : tensors_.end();
    if (found == tensors_.end() || !found->second.defined() || !found->second.is_floating_point()) return {};
    return done_.insert(found->second.unsafeGetTensorImpl()).second ? found->second : at::Tensor();
  }
  void fill(const Value* value, double number) {
    if (at::Tensor tensor = take(value); tensor.defined()) tensor.fill_(number);
  }
  double gain_before(const Value* value) const {
    const Value* source = through_shapes(value);
    for (const Place& place : script_.places())
      if (place.output == source) return gain_of_(place);
    return 1;
  }

  void visit(const Node* node) {
    const std::string name = node->kind().toQualString();
    if (name == "aten::embedding") {
      if (at::Tensor table = take(node->input(0)); table.defined()) table.normal_(0, 1, random_);
    } else if (name == "aten::batch_norm" || name == "aten::instance_norm") {
      for (const auto& [place, number] : {std::pair(1, 1.0), {2, 0.0}, {3, 0.0}, {4, 1.0}})
        fill(node->input(static_cast<std::size_t>(place)), number);
    } else if (name == "aten::layer_norm" || name == "aten::group_norm") {
      fill(node->input(2), 1);
      fill(node->input(3), 0);
    } else if (name == "aten::prelu") {
      fill(node->input(1), 0.25);
    } else if (name == "aten::lstm" || name == "aten::gru" || name == "aten::rnn_tanh" || name == "aten::rnn_relu") {
      recurrent(node);
    } else if (weight_of(node) >= 0) {
      weighted(node, name);
    }
  }

  void weighted(const Node* node, const std::string& name) {
    const auto at = static_cast<std::size_t>(weight_of(node));
    const bool product = name == "aten::matmul" || name == "aten::mm" || name == "aten::bmm";
    if (at::Tensor weight = take(node->input(at)); weight.defined() && weight.dim() >= 2) {
      // As it lies in the model: [out, in, ...], but of transposed convolutions and plain products [in, out, ...].
      bool in_first = name.find("transpose") != std::string::npos;
      if (product || name == "aten::addmm")
        in_first = (node->input(at)->node()->kind() == c10::prim::GetAttr) == (at > 0);
      if (name == "aten::_convolution" || name == "aten::convolution")
        in_first = torch::jit::toIValue(node->input(6)).value_or(false).toBool();
      const auto fan_in = static_cast<double>(weight.numel() / weight.size(in_first ? 1 : 0));
      const std::size_t from = product ? 1 - at : name == "aten::addmm" ? 1 : 0;
      weight.normal_(0, 1, random_).mul_(gain_before(node->input(from)) / std::sqrt(fan_in));
    }
    if (name == "aten::addmm")
      fill(node->input(0), 0);
    else if (!product && node->inputs().size() > 2)
      fill(node->input(name == "aten::bilinear" ? 3 : 2), 0);
  }

  void recurrent(const Node* node) {
    for (const Value* list : node->inputs()) {
      if (list->node()->kind() != c10::prim::ListConstruct) continue;
      double reach = 0;
      for (const Value* value : list->node()->inputs()) {
        at::Tensor weight = take(value);
        if (!weight.defined()) continue;
        if (reach == 0) reach = 1 / std::sqrt(static_cast<double>(weight.size(0)) / gates(node));
        weight.uniform_(-reach, reach, random_);
      }
    }
  }
  static double gates(const Node* node) {
    const std::string name = node->kind().toUnqualString();
    return name == "lstm" ? 4 : name == "gru" ? 3 : 1;
  }

  const ScriptGraph& script_;
  const std::function<double(const Place&)>& gain_of_;
  at::Generator random_;
  std::map<std::string, at::Tensor> tensors_;
  std::set<const c10::TensorImpl*> done_;
};

}  // namespace

std::vector<std::string> draw_weights(torch::jit::Module& model, const ScriptGraph& script,
                                      const std::function<double(const Place&)>& gain_of, at::Generator random) {
  const torch::NoGradGuard no_gradients;
  Drawing drawing(model, script, gain_of, std::move(random));
  drawing.visit(script.graph()->block());
  for (const auto& buffer : model.named_buffers())
    if (buffer.name.ends_with("num_batches_tracked")) buffer.value.zero_();
  return drawing.left_alone(model);
}

}  // namespace ogee::models
