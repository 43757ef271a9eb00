#include "torch/gates.h"

#include <utility>

namespace ogee::torch_call {

void set_parameter(std::vector<Activation>& activations, const std::string& module, const std::string& parameter,
                   double value) {
  std::vector<Activation> changed = activations;
  bool found = false;
  for (Activation& activation : changed) {
    for (const Parameter& p : activation.spec().parameters) {
      if (p.name != parameter) continue;
      if (p.role == Role::learned) throw Error(module + ": " + parameter + " is learned, and cannot be set");
      activation.set(parameter, value);
      found = true;
    }
  }
  if (!found) throw Error(module + ": no activation has a parameter named " + parameter);
  activations = std::move(changed);
}

}  // namespace ogee::torch_call
