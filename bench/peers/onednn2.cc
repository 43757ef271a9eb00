// oneDNN 2 (Debian's libdnnl), its eltwise primitives through its C interface.
#include <dnnl.h>
#include <dnnl_version.h>
#include <fmt/core.h>
#include <omp.h>

#include <stdexcept>

#include "bench/speed/peers.h"
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

// A primitive and the memory it reads and writes.
class Primitive {
 public:
  Primitive(const Case& c, const EltwiseCall& call) : threads_(c.threads) {
    dnnl_dim_t dims[1] = {static_cast<dnnl_dim_t>(c.elements)};
    const dnnl_data_type_t type = c.type == Type::float32 ? dnnl_f32 : dnnl_bf16;
    dnnl_memory_desc_t memory;
    check(dnnl_memory_desc_init_by_tag(&memory, 1, dims, type, dnnl_a), "dnnl_memory_desc_init_by_tag");
    const bool backward = c.direction == Direction::backward;
    dnnl_eltwise_desc_t forward_of;
    check(dnnl_eltwise_forward_desc_init(&forward_of, backward ? dnnl_forward_training : dnnl_forward_inference,
                                         kind_of(call.algorithm), &memory, call.alpha, call.beta),
          "dnnl_eltwise_forward_desc_init");
    dnnl_primitive_desc_t hint = nullptr, descriptor = nullptr;
    supported_ = dnnl_primitive_desc_create(&hint, &forward_of, nullptr, engine().engine, nullptr) == dnnl_success;
    if (!supported_) return;
    if (backward) {
      dnnl_eltwise_desc_t backward_of;
      check(dnnl_eltwise_backward_desc_init(&backward_of, kind_of(call.algorithm), &memory, &memory, call.alpha,
                                            call.beta),
            "dnnl_eltwise_backward_desc_init");
      supported_ =
          dnnl_primitive_desc_create(&descriptor, &backward_of, nullptr, engine().engine, hint) == dnnl_success;
      if (supported_) {
        add(memory, DNNL_ARG_SRC, c.input[0]);
        add(memory, DNNL_ARG_DIFF_DST, c.dy);
        add(memory, DNNL_ARG_DIFF_SRC, c.dx[0]);
        check(dnnl_primitive_create(&primitive_, descriptor), "dnnl_primitive_create");
      }
      dnnl_primitive_desc_destroy(descriptor);
    } else {
      add(memory, DNNL_ARG_SRC, c.input[0]);
      add(memory, DNNL_ARG_DST, c.y);
      check(dnnl_primitive_create(&primitive_, hint), "dnnl_primitive_create");
    }
    dnnl_primitive_desc_destroy(hint);
  }
  ~Primitive() {
    if (primitive_ != nullptr) dnnl_primitive_destroy(primitive_);
    for (int k = 0; k < count_; ++k) dnnl_memory_destroy(arguments_[k].memory);
  }
  Primitive(const Primitive&) = delete;
  Primitive& operator=(const Primitive&) = delete;

  bool supported() const { return supported_; }
  void run() const {
    omp_set_num_threads(threads_);
    dnnl_primitive_execute(primitive_, engine().stream, count_, arguments_);
    dnnl_stream_wait(engine().stream);
  }

 private:
  void add(const dnnl_memory_desc_t& memory, int argument, const void* data) {
    dnnl_exec_arg_t& next = arguments_[count_];
    next.arg = argument;
    check(dnnl_memory_create(&next.memory, &memory, engine().engine, const_cast<void*>(data)), "dnnl_memory_create");
    ++count_;
  }

  int threads_;
  bool supported_ = false;
  dnnl_primitive_t primitive_ = nullptr;
  dnnl_exec_arg_t arguments_[3] = {};
  int count_ = 0;
};

class OneDnn2 final : public Peer {
 public:
  std::string name() const override { return fmt::format("oneDNN {}.{}", DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR); }
  std::string version() const override {
    const dnnl_version_t* v = dnnl_version();
    return fmt::format("{}.{}.{}, at most {}", v->major, v->minor, v->patch, isa(dnnl_get_effective_cpu_isa()));
  }
  std::optional<Work> prepare(const Case& c) const override {
    if (c.direction == Direction::training || (c.type != Type::float32 && c.type != Type::bfloat16)) {
      return std::nullopt;
    }
    const std::optional<EltwiseCall> call = eltwise_of(*c.activation);
    if (!call) return std::nullopt;
    omp_set_num_threads(c.threads);
    auto primitive = std::make_shared<Primitive>(c, *call);
    if (!primitive->supported()) return std::nullopt;
    return Work{[primitive] { primitive->run(); }};
  }

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
