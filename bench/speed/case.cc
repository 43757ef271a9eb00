#include "bench/speed/case.h"

namespace ogee::bench {

std::size_t bytes_of(Type type) { return type == Type::float64 ? 8 : type == Type::float32 ? 4 : 2; }

const char* name_of(Type type) {
  switch (type) {
    case Type::float32: return "f32";
    case Type::float64: return "f64";
    case Type::bfloat16: return "bf16";
    case Type::float16: return "f16";
  }
  return "";
}

const char* name_of(Direction direction) {
  switch (direction) {
    case Direction::forward: return "forward";
    case Direction::backward: return "backward";
    case Direction::training: return "training";
  }
  return "";
}

bool has_default_parameters(const Activation& activation) {
  const Spec& spec = activation.spec();
  for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
    if (activation.parameters()[k] != spec.parameters[k].value) return false;
  }
  return true;
}

double parameter_or(const Activation& activation, std::string_view name, double otherwise) {
  for (const Parameter& p : activation.spec().parameters) {
    if (p.name == name) return activation.parameter(name);
  }
  return otherwise;
}

}  // namespace ogee::bench
