#include "monitor/recognise.h"
//

#include <algorithm>

#include "ogee/libtorch.h"
#include "ogee/ogee.h"
#include "torch/aten.h"

namespace ogee::monitor {
namespace {

using Arguments = c10::ArrayRef<const c10::IValue>;

bool one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// ogee::_forward(str function, Tensor a, Tensor? b, Tensor[] parameters, int[] slots, float[] values, int channel_dim,
// int layout, int gate_dim, bool training, ...), the one operator that all of Ogee's activations come through.
std::optional<Recognised> recognise_own(const Arguments& a) {
  if (a.size() < 10 || !a[0].isString() || !a[1].isTensor() || !a[5].isDoubleList()) return std::nullopt;
  Recognised r;
  const Function* function = find_function(a[0].toStringRef());
  if (function == nullptr) return std::nullopt;
  const Spec& spec = spec_of(*function);
  Activation activation(*function);
  const auto values = a[5].toDoubleVector();
  std::vector<at::Tensor> tensors = a[3].toTensorVector();
  const auto slots = a[4].toIntVector();
  for (std::size_t k = 0; k < spec.parameters.size() && k < values.size(); ++k) {
    try {
      activation.set(spec.parameters[k].name, values[k]);
    } catch (const Error&) {
    }
  }
  for (std::size_t i = 0; i < slots.size() && i < tensors.size(); ++i) {
    if (slots[i] >= 0) r.learned.emplace_back(static_cast<std::size_t>(slots[i]), tensors[i]);
  }
  r.text = activation.text();
  r.training = a[9].toBool();
  const at::Tensor& x = a[1].toTensor();
  r.z = x;
  if (spec.inputs == 2) {
    if (a[2].isTensor() && a[2].toTensor().defined()) {
      r.value = a[2].toTensor();
    } else {
      std::int64_t dim = a[8].toInt();
      if (dim < 0) dim += x.dim();
      if (dim < 0 || dim >= x.dim()) return std::nullopt;
      const std::int64_t half = x.size(dim) / 2;
      const auto layout = static_cast<Layout>(a[7].toInt());
      if (layout == Layout::interleaved) {
        r.z = x.slice(dim, 0, 2 * half, 2);
        r.value = x.slice(dim, 1, 2 * half, 2);
      } else {
        const bool first = layout == Layout::gate_first;
        r.z = x.narrow(dim, first ? 0 : half, half);
        r.value = x.narrow(dim, first ? half : 0, half);
      }
    }
  }
  return r;
}

}  // namespace

Operator operator_named(const std::string& full, std::size_t arguments) {
  Operator op;
  op.name = full;
  op.arguments = arguments;
  if (full == "ogee::_forward") {
    op.kind = Kind::activation;
    return op;
  }
  op.engine = full.starts_with("autograd::engine::");
  constexpr std::string_view space = "aten::";
  if (!full.starts_with(space)) return op;
  std::string_view name = std::string_view(full).substr(space.size());
  op.in_place = name.ends_with('_') && !name.ends_with("__");
  if (op.in_place) name.remove_suffix(1);
  op.composite = one_of(name, {"linear", "matmul", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
                               "conv_transpose3d"});
  op.opaque = one_of(name, {"bmm",
                            "baddbmm",
                            "mm",
                            "matmul",
                            "addmm",
                            "mv",
                            "addmv",
                            "dot",
                            "convolution",
                            "embedding",
                            "cat",
                            "stack",
                            "clone",
                            "contiguous",
                            "to",
                            "_to_copy",
                            "layer_norm",
                            "native_layer_norm",
                            "batch_norm",
                            "native_batch_norm",
                            "group_norm",
                            "native_group_norm",
                            "softmax",
                            "_softmax",
                            "log_softmax",
                            "_log_softmax",
                            "nll_loss_forward",
                            "nll_loss",
                            "nll_loss_nd",
                            "cross_entropy_loss",
                            "mse_loss",
                            "dropout",
                            "t",
                            "transpose",
                            "permute",
                            "reshape",
                            "flatten",
                            "unflatten",
                            "narrow",
                            "slice",
                            "select",
                            "chunk",
                            "split",
                            "unbind",
                            "expand",
                            "squeeze",
                            "unsqueeze",
                            "equal",
                            "sum",
                            "mean",
                            "zero",
                            "zeros",
                            "ones",
                            "zeros_like",
                            "ones_like",
                            "randint",
                            "randn",
                            "rand",
                            "arange"});
  op.crowded =
      one_of(name, {"bmm", "baddbmm", "matmul", "layer_norm", "batch_norm", "group_norm", "cross_entropy_loss"});
  op.tidying = one_of(name, {"zero", "detach", "requires_grad", "_foreach_zero", "randint", "randn", "rand", "randperm",
                             "random", "uniform", "normal", "zeros", "ones", "full", "empty", "arange"});
  if (torch_call::is_aten_activation(name)) {
    op.kind = Kind::activation;
  } else if (one_of(name, {"linear", "conv1d", "conv2d", "conv3d", "convolution", "_convolution", "conv_transpose1d",
                           "conv_transpose2d", "conv_transpose3d", "bilinear"})) {
    op.kind = Kind::weighted;
    op.weight = name == "bilinear" ? 2 : 1;
    op.channels_first = name.starts_with("conv") || name == "_convolution";
  } else if (one_of(name, {"addmm", "baddbmm", "addbmm"})) {
    op.kind = Kind::weighted;
    op.weight = 2;
  } else if (one_of(name, {"mm", "matmul", "bmm"})) {
    op.kind = Kind::weighted;
    op.weight = 1;
  } else if (one_of(name, {"batch_norm", "layer_norm", "group_norm", "instance_norm", "native_layer_norm",
                           "native_batch_norm", "native_group_norm", "_batch_norm_impl_index", "rms_norm"})) {
    op.kind = Kind::normalising;
  } else if (name.find("loss") != std::string_view::npos ||
             one_of(name, {"binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div"})) {
    op.kind = Kind::loss;
  } else if (name == "add") {
    op.kind = Kind::adding;
  } else if (one_of(name, {"masked_fill", "fill", "full", "full_like", "new_full", "where", "scalar_tensor",
                           "constant_pad_nd", "masked_scatter", "lift_fresh", "tensor", "index_put"})) {
    op.kind = Kind::infinite;
  } else if (one_of(name, {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "resize",
                           "resize_as", "set"})) {
    op.kind = Kind::unwritten;
  }
  return op;
}

std::optional<Recognised> recognise(const Operator& op, Arguments a) {
  if (op.kind != Kind::activation || a.empty()) return std::nullopt;
  if (op.name == "ogee::_forward") return recognise_own(a);
  if (!a[0].isTensor() || !a[0].toTensor().defined()) return std::nullopt;
  const at::Tensor& x = a[0].toTensor();
  if (!at::isFloatingType(x.scalar_type()) || x.numel() == 0) return std::nullopt;
  std::string_view name = std::string_view(op.name).substr(6);
  if (op.in_place) name.remove_suffix(1);
  const std::optional<std::string> text = torch_call::aten_activation(name, a);
  if (!text) return std::nullopt;
  Recognised r;
  r.text = *text;
  r.in_place = op.in_place;
  r.z = x;
  if (name == "prelu" && a.size() > 1 && a[1].isTensor()) r.learned.emplace_back(0, a[1].toTensor());
  if (name == "glu") {
    std::int64_t dim = a.size() > 1 && a[1].isInt() ? a[1].toInt() : -1;
    if (dim < 0) dim += x.dim();
    if (dim < 0 || dim >= x.dim()) return std::nullopt;
    const std::int64_t half = x.size(dim) / 2;
    r.z = x.narrow(dim, half, half);
    r.value = x.narrow(dim, 0, half);
  }
  return r;
}

}  // namespace ogee::monitor
