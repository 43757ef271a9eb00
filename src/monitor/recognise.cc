#include "monitor/recognise.h"
//
#include <torch/torch.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>

#include "ogee/ogee.h"

namespace ogee::monitor {
namespace {

using Arguments = c10::ArrayRef<const c10::IValue>;

double number(const Arguments& arguments, std::size_t i, double otherwise) {
  if (i >= arguments.size() || arguments[i].isNone()) return otherwise;
  const c10::IValue& v = arguments[i];
  if (v.isDouble()) return v.toDouble();
  if (v.isInt()) return static_cast<double>(v.toInt());
  if (v.isBool()) return v.toBool() ? 1 : 0;
  return otherwise;
}

// A function's text from a call's arguments, or "" where its attributes make it something that has no name.
using Text = std::function<std::string(const Arguments&)>;
Text plain(std::string text) {
  return [text](const Arguments&) { return text; };
}
Text with(std::string name, std::string attribute, double otherwise) {
  return [=](const Arguments& a) { return fmt::format("{}({}={})", name, attribute, number(a, 1, otherwise)); };
}

std::string elu(const Arguments& a) {
  const double alpha = number(a, 1, 1), scale = number(a, 2, 1), input_scale = number(a, 3, 1);
  if (input_scale != 1) return "";
  if (scale == 1) return fmt::format("elu(alpha={})", alpha);
  return std::abs(scale - 1.0507009873554805) < 1e-6 ? "selu" : "";
}
std::string gelu(const Arguments& a) {
  const bool tanh = a.size() > 1 && a[1].isString() && a[1].toStringRef() == "tanh";
  return tanh ? "gelu_tanh" : "gelu";
}
std::string hardtanh(const Arguments& a) {
  const double low = number(a, 1, -1), high = number(a, 2, 1);
  if (low == 0 && high == 6) return "relu6";
  return fmt::format("hardtanh(low={}, high={})", low, high);
}
std::string clamp_min(const Arguments& a) { return number(a, 1, 1) == 0 ? "relu" : ""; }
std::string threshold(const Arguments& a) {
  const double at = number(a, 1, 0), value = number(a, 2, 0);
  return at == 0 && value == 0 ? "relu" : fmt::format("threshold(threshold={}, value={})", at, value);
}

const std::map<std::string, Text, std::less<>>& activations() {
  static const std::map<std::string, Text, std::less<>> table = {
      {"relu", plain("relu")},
      {"relu6", plain("relu6")},
      {"clamp_min", clamp_min},
      {"threshold", threshold},
      {"leaky_relu", with("leaky_relu", "slope", 0.01)},
      {"prelu", plain("prelu")},
      {"rrelu", plain("rrelu")},
      {"rrelu_with_noise", plain("rrelu")},
      {"elu", elu},
      {"selu", plain("selu")},
      {"celu", with("celu", "alpha", 1)},
      {"gelu", gelu},
      {"silu", plain("silu")},
      {"mish", plain("mish")},
      {"softplus", with("softplus", "beta", 1)},
      {"sigmoid", plain("sigmoid")},
      {"tanh", plain("tanh")},
      {"hardtanh", hardtanh},
      {"hardsigmoid", plain("hard_sigmoid")},
      {"hardswish", plain("hard_swish")},
      {"log_sigmoid", plain("log_sigmoid")},
      {"log_sigmoid_forward", plain("log_sigmoid")},
      {"softshrink", with("softshrink", "lambda", 0.5)},
      {"hardshrink", with("hardshrink", "lambda", 0.5)},
      {"glu", plain("glu")},
  };
  return table;
}

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
  constexpr std::string_view space = "aten::";
  if (!full.starts_with(space)) return op;
  std::string_view name = std::string_view(full).substr(space.size());
  op.in_place = name.ends_with('_') && !name.ends_with("__");
  if (op.in_place) name.remove_suffix(1);
  if (activations().contains(name)) {
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
  Recognised r;
  r.text = activations().find(name)->second(a);
  r.in_place = op.in_place;
  r.z = x;
  if (name == "clamp_min" && r.text.empty()) return std::nullopt;
  if (name == "prelu" && a.size() > 1 && a[1].isTensor()) r.learned.emplace_back(0, a[1].toTensor());
  if (name == "glu") {
    auto dim = static_cast<std::int64_t>(number(a, 1, -1));
    if (dim < 0) dim += x.dim();
    if (dim < 0 || dim >= x.dim()) return std::nullopt;
    const std::int64_t half = x.size(dim) / 2;
    r.z = x.narrow(dim, half, half);
    r.value = x.narrow(dim, 0, half);
  }
  return r;
}

}  // namespace ogee::monitor
