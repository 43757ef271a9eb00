// Which operators are activations, and which of a call's arguments is what.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <optional>
#include <string>
#include <string_view>

namespace ogee::monitor {

enum class Kind {
  other,
  activation,
  weighted,  // multiplies by a weight: what it makes is a pre-activation of that weight's layer
  normalising,
  loss,
  adding,
  infinite,  // writes infinities on purpose: masked_fill(-inf), full(inf)
  unwritten  // its result has no numbers yet: empty
};

// Each defined tensor of an argument or result, with its place in a list, from 1; 0 outside of lists.
template <class Visit>
void visit_tensors(const c10::IValue& value, const Visit& visit) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) visit(value.toTensor(), 0U);
  } else if (value.isTensorList()) {
    std::uint32_t place = 0;
    for (const at::Tensor& t : value.toTensorVector()) {
      ++place;
      if (t.defined()) visit(t, place);
    }
  } else if (value.isTuple()) {
    for (const c10::IValue& v : value.toTupleRef().elements()) visit_tensors(v, visit);
  }
}

// What is known of an operator from its name and schema, found once.
struct Operator {
  Kind kind = Kind::other;
  std::string name;  // "aten::relu_"
  std::size_t arguments = 0, results = 0;
  int weight = -1;              // which argument is the weight, for Kind::weighted
  bool in_place = false;        // its name ends in "_"
  bool channels_first = false;  // a convolution: units lie along dimension 1
  bool composite = false;       // takes a weight, and hands it to operators within
  bool opaque = false;          // what runs within is none of the program's: a product of many matrices, one by one
  bool crowded = false;         // many operators run within
  bool tidying = false;         // of gradients, between two steps, or new numbers: tells nothing of the next one
  bool engine = false;          // a node of a backward pass
};
Operator operator_named(const std::string& name, std::size_t arguments);

// An activation in a call.
struct Recognised {
  std::string text;  // as ogee::Activation reads it; "" if the function is none that Ogee knows
  at::Tensor z;      // the input, or the gate's half of it
  at::Tensor value;  // of a gated function: the second input
  bool in_place = false;
  bool training = false;  // a noisy function that draws noise
  // Learned parameters in this call: tensors and their places among the spec's parameters.
  std::vector<std::pair<std::size_t, at::Tensor>> learned;
};
std::optional<Recognised> recognise(const Operator& op, c10::ArrayRef<const c10::IValue> arguments);

}  // namespace ogee::monitor
