// What the two generations of oneDNN have in common: which of our functions is which of their eltwise algorithms, and
// how a primitive is made and run. Their C interfaces differ: see onednn2.cc and onednn3.cc.
#pragma once

#include <omp.h>

#include <memory>
#include <optional>
#include <string_view>

#include "bench/speed/case.h"
#include "bench/speed/peers.h"

namespace ogee::bench {

enum class Eltwise { relu, tanh, elu, soft_relu, logistic, gelu_tanh, swish, clip, gelu_erf, mish, hardswish };

struct EltwiseCall {
  Eltwise algorithm;
  float alpha;
  float beta;
};

// Backward is the form from x, which is the default. soft_relu's alpha scales its input; oneDNN 2 ignores it.
inline std::optional<EltwiseCall> eltwise_of(const Activation& activation) {
  const std::string_view name = activation.spec().name;
  const auto get = [&](const char* parameter) { return static_cast<float>(parameter_or(activation, parameter, 0)); };
  if (name == "relu") return EltwiseCall{Eltwise::relu, 0, 0};
  if (name == "leaky_relu") return EltwiseCall{Eltwise::relu, get("slope"), 0};
  if (name == "relu6") return EltwiseCall{Eltwise::clip, 0, 6};
  if (name == "clipped_relu") return EltwiseCall{Eltwise::clip, 0, get("ceiling")};
  if (name == "hardtanh") return EltwiseCall{Eltwise::clip, get("low"), get("high")};
  if (name == "tanh") return EltwiseCall{Eltwise::tanh, 0, 0};
  if (name == "sigmoid") return EltwiseCall{Eltwise::logistic, 0, 0};
  if (name == "elu") return EltwiseCall{Eltwise::elu, get("alpha"), 0};
  if (name == "softplus" && get("beta") == 1) return EltwiseCall{Eltwise::soft_relu, 1, 0};
  if (name == "gelu") return EltwiseCall{Eltwise::gelu_erf, 0, 0};
  if (name == "gelu_tanh") return EltwiseCall{Eltwise::gelu_tanh, 0, 0};
  if (name == "silu") return EltwiseCall{Eltwise::swish, 1, 0};
  if (name == "swish" || name == "swish_beta") return EltwiseCall{Eltwise::swish, get("beta"), 0};
  if (name == "gelu_quick") return EltwiseCall{Eltwise::swish, 1.702F, 0};
  if (name == "mish") return EltwiseCall{Eltwise::mish, 0, 0};
  if (name == "hard_swish") return EltwiseCall{Eltwise::hardswish, 1.0F / 6, 0.5F};
  return std::nullopt;
}

// A primitive and the memory it reads and writes. Api is one generation's interface:
//   Memory                 a description of an array; describe(type, elements) makes one, forget(memory) drops it
//   Descriptor             a pointer to a primitive's description; drop(descriptor)
//   forward(memory, call, for_backward), backward(memory, call, forward)
//                          descriptors, null where this oneDNN does not have the function
//   Primitive, Argument    primitive(descriptor), drop_primitive, argument(memory, which, data), drop(argument),
//                          execute(primitive, count, arguments), which returns when done
//   source, destination, gradient_of_source, gradient_of_destination: which array an argument is
template <class Api>
class EltwisePrimitive {
 public:
  EltwisePrimitive(const Case& c, const EltwiseCall& call)
      : threads_(c.threads), memory_(Api::describe(c.type, c.elements)) {
    const bool backward = c.direction == Direction::backward;
    const auto forward_of = Api::forward(memory_, call, backward);
    if (forward_of == nullptr) return;
    if (!backward) {
      add(Api::source, c.input[0]);
      add(Api::destination, c.y);
      primitive_ = Api::primitive(forward_of);
    } else if (const auto backward_of = Api::backward(memory_, call, forward_of); backward_of != nullptr) {
      add(Api::source, c.input[0]);
      add(Api::gradient_of_destination, c.dy);
      add(Api::gradient_of_source, c.dx[0]);
      primitive_ = Api::primitive(backward_of);
      Api::drop(backward_of);
    }
    Api::drop(forward_of);
  }
  ~EltwisePrimitive() {
    if (primitive_ != nullptr) Api::drop_primitive(primitive_);
    for (int k = 0; k < count_; ++k) Api::drop(arguments_[k]);
    Api::forget(memory_);
  }
  EltwisePrimitive(const EltwisePrimitive&) = delete;
  EltwisePrimitive& operator=(const EltwisePrimitive&) = delete;

  bool supported() const { return primitive_ != nullptr; }
  void run() const {
    omp_set_num_threads(threads_);
    Api::execute(primitive_, count_, arguments_);
  }

 private:
  void add(int which, const void* data) {
    arguments_[count_] = Api::argument(memory_, which, const_cast<void*>(data));
    ++count_;
  }

  int threads_;
  typename Api::Memory memory_;
  typename Api::Primitive primitive_ = nullptr;
  typename Api::Argument arguments_[3] = {};
  int count_ = 0;
};

template <class Api>
std::optional<Work> eltwise_work(const Case& c) {
  if (c.direction == Direction::training || (c.type != Type::float32 && c.type != Type::bfloat16)) {
    return std::nullopt;
  }
  const std::optional<EltwiseCall> call = eltwise_of(*c.activation);
  if (!call) return std::nullopt;
  omp_set_num_threads(c.threads);
  auto primitive = std::make_shared<EltwisePrimitive<Api>>(c, *call);
  if (!primitive->supported()) return std::nullopt;
  return Work{[primitive] { primitive->run(); }};
}

}  // namespace ogee::bench
