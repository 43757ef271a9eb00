#include "torch/aten.h"

#include <charconv>
#include <cmath>
#include <functional>
#include <map>

namespace ogee::torch_call {
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

// The shortest digits that read back as the same number.
std::string shown(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}

// A function's text from a call's arguments, or "" where its attributes make it something that has no name.
using Text = std::function<std::string(const Arguments&)>;
Text plain(std::string text) {
  return [text](const Arguments&) { return text; };
}
Text with(std::string name, std::string attribute, double otherwise) {
  return [=](const Arguments& a) { return name + "(" + attribute + "=" + shown(number(a, 1, otherwise)) + ")"; };
}

std::string elu(const Arguments& a) {
  const double alpha = number(a, 1, 1), scale = number(a, 2, 1), input_scale = number(a, 3, 1);
  if (input_scale != 1) return "";
  if (scale == 1) return "elu(alpha=" + shown(alpha) + ")";
  return std::abs(scale - 1.0507009873554805) < 1e-6 ? "selu" : "";
}
std::string gelu(const Arguments& a) {
  const bool tanh = a.size() > 1 && a[1].isString() && a[1].toStringRef() == "tanh";
  return tanh ? "gelu_tanh" : "gelu";
}
std::string hardtanh(const Arguments& a) {
  const double low = number(a, 1, -1), high = number(a, 2, 1);
  if (low == 0 && high == 6) return "relu6";
  return "hardtanh(low=" + shown(low) + ", high=" + shown(high) + ")";
}
std::string clamp_min(const Arguments& a) { return number(a, 1, 1) == 0 ? "relu" : ""; }
std::string threshold(const Arguments& a) {
  const double at = number(a, 1, 0), value = number(a, 2, 0);
  return at == 0 && value == 0 ? "relu" : "threshold(threshold=" + shown(at) + ", value=" + shown(value) + ")";
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

}  // namespace

bool is_aten_activation(std::string_view name) { return activations().contains(name); }

std::optional<std::string> aten_activation(std::string_view name, Arguments arguments) {
  const auto found = activations().find(name);
  if (found == activations().end()) return std::nullopt;
  std::string text = found->second(arguments);
  if (name == "clamp_min" && text.empty()) return std::nullopt;
  return text;
}

}  // namespace ogee::torch_call
