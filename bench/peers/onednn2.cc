// oneDNN 2 (Debian's libdnnl), its eltwise primitives through its C interface.
#include <dnnl.h>
#include <dnnl_version.h>
#include <fmt/core.h>

#include <stdexcept>

#include "bench/peers/onednn.h"

namespace ogee::bench {
namespace {

void check(dnnl_status_t status, const char* what) {
  if (status != dnnl_success)
    throw std::runtime_error(fmt::format("oneDNN 2: {} failed ({})", what, static_cast<int>(status)));
}

dnnl_alg_kind_t kind_of(Eltwise algorithm) {
  switch (algorithm) {
    case Eltwise::relu: return dnnl_eltwise_relu;
    case Eltwise::tanh: return dnnl_eltwise_tanh;
    case Eltwise::elu: return dnnl_eltwise_elu;
    case Eltwise::soft_relu: return dnnl_eltwise_soft_relu;
    case Eltwise::logistic: return dnnl_eltwise_logistic;
    case Eltwise::gelu_tanh: return dnnl_eltwise_gelu_tanh;
    case Eltwise::swish: return dnnl_eltwise_swish;
    case Eltwise::clip: return dnnl_eltwise_clip_v2;
    case Eltwise::gelu_erf: return dnnl_eltwise_gelu_erf;
    case Eltwise::mish: return dnnl_eltwise_mish;
    case Eltwise::hardswish: return dnnl_eltwise_hardswish;
  }
  return dnnl_alg_kind_undef;
}

struct Engine {
  dnnl_engine_t engine = nullptr;
  dnnl_stream_t stream = nullptr;
  Engine() {
    check(dnnl_engine_create(&engine, dnnl_cpu, 0), "dnnl_engine_create");
    check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "dnnl_stream_create");
  }
};
const Engine& engine() {
  static const Engine one;  // lives as long as the program
  return one;
}

struct Api {
  using Memory = dnnl_memory_desc_t;
  using Descriptor = dnnl_primitive_desc_t;
  using Primitive = dnnl_primitive_t;
  using Argument = dnnl_exec_arg_t;
  static constexpr int source = DNNL_ARG_SRC, destination = DNNL_ARG_DST;
  static constexpr int gradient_of_source = DNNL_ARG_DIFF_SRC, gradient_of_destination = DNNL_ARG_DIFF_DST;

  static Memory describe(Type type, std::size_t elements) {
    dnnl_dim_t dims[1] = {static_cast<dnnl_dim_t>(elements)};
    Memory memory;
    check(dnnl_memory_desc_init_by_tag(&memory, 1, dims, type == Type::float32 ? dnnl_f32 : dnnl_bf16, dnnl_a),
          "dnnl_memory_desc_init_by_tag");
    return memory;
  }
  static void forget(const Memory&) {}
  static Descriptor forward(const Memory& memory, const EltwiseCall& call, bool for_backward) {
    dnnl_eltwise_desc_t operation;
    check(dnnl_eltwise_forward_desc_init(&operation, for_backward ? dnnl_forward_training : dnnl_forward_inference,
                                         kind_of(call.algorithm), &memory, call.alpha, call.beta),
          "dnnl_eltwise_forward_desc_init");
    return descriptor(operation, nullptr);
  }
  static Descriptor backward(const Memory& memory, const EltwiseCall& call, Descriptor hint) {
    dnnl_eltwise_desc_t operation;
    check(dnnl_eltwise_backward_desc_init(&operation, kind_of(call.algorithm), &memory, &memory, call.alpha, call.beta),
          "dnnl_eltwise_backward_desc_init");
    return descriptor(operation, hint);
  }
  static Primitive primitive(Descriptor descriptor) {
    Primitive result = nullptr;
    check(dnnl_primitive_create(&result, descriptor), "dnnl_primitive_create");
    return result;
  }
  static Argument argument(const Memory& memory, int which, void* data) {
    Argument result{which, nullptr};
    check(dnnl_memory_create(&result.memory, &memory, engine().engine, data), "dnnl_memory_create");
    return result;
  }
  static void execute(Primitive primitive, int count, const Argument* arguments) {
    dnnl_primitive_execute(primitive, engine().stream, count, arguments);
    dnnl_stream_wait(engine().stream);
  }
  static void drop(Descriptor descriptor) { dnnl_primitive_desc_destroy(descriptor); }
  static void drop(const Argument& argument) { dnnl_memory_destroy(argument.memory); }
  static void drop_primitive(Primitive primitive) { dnnl_primitive_destroy(primitive); }

 private:
  static Descriptor descriptor(const dnnl_eltwise_desc_t& operation, Descriptor hint) {
    Descriptor result = nullptr;
    const bool made = dnnl_primitive_desc_create(&result, &operation, nullptr, engine().engine, hint) == dnnl_success;
    return made ? result : nullptr;
  }
};

class OneDnn2 final : public Peer {
 public:
  std::string name() const override { return fmt::format("oneDNN {}.{}", DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR); }
  std::string version() const override {
    const dnnl_version_t* v = dnnl_version();
    return fmt::format("{}.{}.{}, at most {}", v->major, v->minor, v->patch, isa(dnnl_get_effective_cpu_isa()));
  }
  std::optional<Work> prepare(const Case& c) const override { return eltwise_work<Api>(c); }

 private:
  static const char* isa(dnnl_cpu_isa_t isa) {
    switch (isa) {
      case dnnl_cpu_isa_sse41: return "SSE4.1";
      case dnnl_cpu_isa_avx: return "AVX";
      case dnnl_cpu_isa_avx2:
      case dnnl_cpu_isa_avx2_vnni: return "AVX2";
      default: return isa >= dnnl_cpu_isa_avx512_core ? "AVX-512" : "another set of instructions";
    }
  }
};

}  // namespace

void add_onednn2(Peers& peers) { peers.push_back(std::make_unique<OneDnn2>()); }

}  // namespace ogee::bench
