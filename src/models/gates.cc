#include "models/gates.h"

#include <fmt/format.h>

#include <utility>

#include "ogee/ogee.h"

namespace ogee::models {
namespace {

Activation member(const Activation& of, const char* choice) {
  Activation other(fmt::format("{}(base={})", of.spec().group, choice));
  const auto& parameters = of.spec().parameters;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (of.parameters()[i] != parameters[i].value) other.set(parameters[i].name, of.parameters()[i]);
  return other;
}

}  // namespace

GateFunctions gate_functions(const std::string& activation) {
  const Activation given(activation);
  const Spec& spec = given.spec();
  if (spec.name == "tanh" || spec.name == "sigmoid") return {"sigmoid", "tanh"};
  if (spec.variant == "base" && spec.inputs == 1)
    for (const auto& [sigmoid, tanh] : {std::pair("sigmoid", "tanh"), std::pair("hard_sigmoid", "hard_tanh")})
      if (spec.choice == sigmoid || spec.choice == tanh)
        return {member(given, sigmoid).text(), member(given, tanh).text()};
  throw Error(
      fmt::format("{} has no sigmoid to go with it, which gates=all asks for; expected tanh, or nan, nah, nani, "
                  "nanis, nanil or nan_fixed",
                  spec.name));
}

}  // namespace ogee::models
