// The operators torch.ops.ogee.*: one per function and alias, with schemas made from the specs. Thin covers of the
// general operators.
#include "torch/apply.h"
//
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

namespace ogee::torch_call {
namespace {

using c10::DispatchKeySet;
using c10::optional;

constexpr const char* layout_names[] = {"two", "gate_first", "gate_last", "interleaved"};

Layout layout_named(const std::string& name, const Spec& spec) {
  for (int i = 0; i < 4; ++i) {
    if (name == layout_names[i]) return static_cast<Layout>(i);
  }
  TORCH_CHECK_VALUE(false, "ogee::", spec.name, ": no layout is named '", name,
                    "'; there are two (two tensors), gate_first, gate_last and interleaved (one tensor)");
}

bool has_learned(const Spec& spec) {
  return std::any_of(spec.parameters.begin(), spec.parameters.end(),
                     [](const Parameter& p) { return p.role == Role::learned; });
}

// A parameter's name as the schema's and Python's grammars allow it, unlike the other arguments'.
std::string identifier(std::string_view name, const std::vector<std::string>& taken) {
  std::string result(name == "lambda" ? "lambd" : name);
  while (std::find(taken.begin(), taken.end(), result) != taken.end()) result += '_';
  return result;
}

std::string schema_of(const Spec& spec, std::string_view name, at::ArrayRef<double> defaults) {
  std::ostringstream s;
  std::vector<std::string> taken{"x", "a", "b", "channel_dim", "layout", "gate_dim", "training"};
  s << name << (spec.inputs == 1 ? "(Tensor x" : "(Tensor a, Tensor? b=None");
  if (spec.inputs == 1) taken.erase(taken.begin() + 1, taken.begin() + 3);
  for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
    const Parameter& p = spec.parameters[k];
    taken.push_back(identifier(p.name, taken));
    if (p.role == Role::learned) {
      s << ", Tensor? " << taken.back() << "=None";
    } else {
      char text[32];  // the shortest that reads back as the same number
      const auto end = std::to_chars(text, text + sizeof(text), defaults[k]).ptr;
      s << ", float " << taken.back() << '=' << std::string_view(text, static_cast<std::size_t>(end - text));
    }
  }
  if (has_learned(spec)) s << ", int channel_dim=1";
  if (spec.inputs == 2) s << ", str layout=\"two\", int gate_dim=-1";
  if (spec.noise != Noise::none) s << ", bool training=False";
  s << ") -> Tensor";
  return s.str();
}

// Takes the arguments off the stack, in the order of the schema.
class PublicOperator : public c10::OperatorKernel {
 public:
  PublicOperator(const Entry& entry, std::vector<double> defaults)
      : entry_(entry), defaults_(std::move(defaults)), learned_(has_learned(*entry.spec)) {}

  void operator()(const c10::OperatorHandle&, DispatchKeySet, torch::jit::Stack* stack) {
    const Spec& spec = *entry_.spec;
    const std::size_t count = spec.inputs + spec.parameters.size() + (learned_ ? 1 : 0) + (spec.inputs == 2 ? 2 : 0) +
                              (spec.noise != Noise::none ? 1 : 0);
    const c10::IValue* argument = stack->data() + (stack->size() - count);
    const at::Tensor a = (argument++)->toTensor();
    optional<at::Tensor> b;
    if (spec.inputs == 2) {
      if (!argument->isNone()) b = argument->toTensor();
      ++argument;
    }
    std::array<double, max_parameters> values{};
    c10::SmallVector<at::Tensor, 4> tensors;
    at::DimVector slots;
    for (std::size_t k = 0; k < spec.parameters.size(); ++k, ++argument) {
      const Parameter& p = spec.parameters[k];
      values[k] = defaults_[k];
      if (p.role == Role::fixed) {
        values[k] = argument->toDouble();
        TORCH_CHECK_VALUE(values[k] >= p.low && values[k] <= p.high, "ogee::", spec.name, ": ", p.name, " is ",
                          values[k], "; expected a value in [", p.low, ", ", p.high, "]");
      } else if (!argument->isNone()) {
        tensors.push_back(argument->toTensor());
        slots.push_back(static_cast<std::int64_t>(k));
      }
    }
    const std::int64_t channel_dim = learned_ ? (argument++)->toInt() : 1;
    Layout layout = Layout::two;
    std::int64_t gate_dim = -1;
    if (spec.inputs == 2) {
      layout = layout_named((argument++)->toStringRef(), spec);
      gate_dim = (argument++)->toInt();
    }
    const bool training = spec.noise != Noise::none && (argument++)->toBool();
    at::Tensor y = run_entry(entry_, a, b, tensors, slots, {values.data(), spec.parameters.size()}, channel_dim, layout,
                             gate_dim, training, false);
    torch::jit::drop(*stack, count);
    stack->emplace_back(std::move(y));
  }

 private:
  const Entry& entry_;
  std::vector<double> defaults_;
  bool learned_;
};

bool is_identifier(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

void define(torch::Library& m, const Entry& entry, std::string_view name, std::vector<double> defaults) {
  const std::string schema = schema_of(*entry.spec, name, defaults);
  // Two calls with the same arguments draw different noise: no pass may merge them.
  const bool pure = entry.spec->noise == Noise::none;
  m.def(
      torch::schema(schema.c_str(), pure ? c10::AliasAnalysisKind::FROM_SCHEMA : c10::AliasAnalysisKind::CONSERVATIVE));
  m.impl(std::string(name).c_str(),
         torch::CppFunction::makeFromBoxedFunctor(std::make_unique<PublicOperator>(entry, std::move(defaults))));
}

// The names of all operators, aliases not among them.
std::vector<std::string> operator_names() {
  std::vector<std::string> names;
  for (const Function* f : functions()) names.emplace_back(spec_of(*f).name);
  return names;
}

TORCH_LIBRARY(ogee, m) {
  m.def("functions() -> str[]", operator_names);

  std::vector<std::string_view> taken{"functions"};
  for (const Function* f : functions()) taken.push_back(spec_of(*f).name);
  for (const Function* f : functions()) {
    const Entry& entry = entry_of(*f);
    std::vector<double> defaults;
    for (const Parameter& p : entry.spec->parameters) defaults.push_back(p.value);
    define(m, entry, entry.spec->name, defaults);
    for (const Alias& alias : entry.spec->aliases) {
      if (!is_identifier(alias.name) || std::find(taken.begin(), taken.end(), alias.name) != taken.end()) continue;
      taken.push_back(alias.name);
      std::vector<double> values = defaults;
      for (std::size_t k = 0; k < values.size(); ++k) {
        if (entry.spec->parameters[k].name == alias.parameter) values[k] = alias.value;
      }
      define(m, entry, alias.name, values);
    }
  }
}

}  // namespace
}  // namespace ogee::torch_call
