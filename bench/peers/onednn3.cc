// oneDNN 3, found when the program runs (OGEE_PEERS). Its C interface as far as it is needed is declared here, after
// its public headers dnnl.h, dnnl_common.h and dnnl_types.h (3.2 to 3.13 agree), so that building needs none of them.
#include <fmt/core.h>
#include <omp.h>

#include <cstdint>
#include <stdexcept>

#include "bench/speed/peers.h"
#include "bench/peers/onednn.h"
#include "bench/speed/shared_library.h"

namespace ogee::bench {
namespace {

namespace dnnl3 {
using Handle = void*;  // engines, streams, memories, descriptors and primitives are all opaque pointers
using Dims = std::int64_t[12];
struct Argument {
  int which;
  Handle memory;
};
struct Version {
  int major, minor, patch;
};
constexpr int success = 0, cpu = 1, in_order = 1;
constexpr int forward_training = 64, forward_inference = 96;
constexpr int type_bf16 = 2, type_f32 = 3, tag_a = 2;
constexpr int source = 1, destination = 17, gradient_of_source = 129, gradient_of_destination = 145;

// dnnl_alg_kind_t, counted from dnnl_eltwise_relu = 0x20.
int kind_of(Eltwise algorithm) {
  switch (algorithm) {
    case Eltwise::relu: return 0x20;
    case Eltwise::tanh: return 0x21;
    case Eltwise::elu: return 0x22;
    case Eltwise::soft_relu: return 0x27;
    case Eltwise::logistic: return 0x29;
    case Eltwise::gelu_tanh: return 0x2b;
    case Eltwise::swish: return 0x2c;
    case Eltwise::clip: return 0x2f;
    case Eltwise::gelu_erf: return 0x31;
    case Eltwise::mish: return 0x33;
    case Eltwise::hardswish: return 0x34;
  }
  return 0;
}
}  // namespace dnnl3

class Library {
 public:
  Library() : file_({"libdnnl.so.3"}) {
    if (!file_.open()) {
      reason_ = file_.error();
      return;
    }
    find(version, "dnnl_version");
    find(engine_create, "dnnl_engine_create");
    find(stream_create, "dnnl_stream_create");
    find(stream_wait, "dnnl_stream_wait");
    find(memory_desc_create, "dnnl_memory_desc_create_with_tag");
    find(memory_desc_destroy, "dnnl_memory_desc_destroy");
    find(memory_create, "dnnl_memory_create");
    find(memory_destroy, "dnnl_memory_destroy");
    find(forward_create, "dnnl_eltwise_forward_primitive_desc_create");
    find(backward_create, "dnnl_eltwise_backward_primitive_desc_create");
    find(descriptor_destroy, "dnnl_primitive_desc_destroy");
    find(primitive_create, "dnnl_primitive_create");
    find(primitive_destroy, "dnnl_primitive_destroy");
    find(primitive_execute, "dnnl_primitive_execute");
    if (!reason_.empty()) return;
    if (engine_create(&engine, dnnl3::cpu, 0) != dnnl3::success ||
        stream_create(&stream, engine, dnnl3::in_order) != dnnl3::success) {
      reason_ = fmt::format("{}: oneDNN {} makes no engine of this CPU (one built over SYCL wants a SYCL device)",
                            file_.path(), number());
    }
  }

  const std::string& reason() const { return reason_; }
  std::string number(int parts = 3) const {
    if (version == nullptr) return "3";
    const dnnl3::Version* v = version();
    return parts == 2 ? fmt::format("{}.{}", v->major, v->minor)
                      : fmt::format("{}.{}.{}", v->major, v->minor, v->patch);
  }

  using Handle = dnnl3::Handle;
  const dnnl3::Version* (*version)() = nullptr;
  int (*engine_create)(Handle*, int kind, std::size_t index) = nullptr;
  int (*stream_create)(Handle*, Handle engine, unsigned flags) = nullptr;
  int (*stream_wait)(Handle) = nullptr;
  int (*memory_desc_create)(Handle*, int dimensions, const dnnl3::Dims, int type, int tag) = nullptr;
  int (*memory_desc_destroy)(Handle) = nullptr;
  int (*memory_create)(Handle*, Handle descriptor, Handle engine, void* data) = nullptr;
  int (*memory_destroy)(Handle) = nullptr;
  int (*forward_create)(Handle*, Handle engine, int propagation, int kind, Handle source, Handle destination,
                        float alpha, float beta, Handle attributes) = nullptr;
  int (*backward_create)(Handle*, Handle engine, int kind, Handle gradient_of_source, Handle gradient_of_destination,
                         Handle data, float alpha, float beta, Handle hint, Handle attributes) = nullptr;
  int (*descriptor_destroy)(Handle) = nullptr;
  int (*primitive_create)(Handle*, Handle descriptor) = nullptr;
  int (*primitive_destroy)(Handle) = nullptr;
  int (*primitive_execute)(Handle, Handle stream, int count, const dnnl3::Argument*) = nullptr;
  Handle engine = nullptr, stream = nullptr;

 private:
  template <class F>
  void find(F*& function, const char* name) {
    function = file_.find<F>(name);
    if (function == nullptr && reason_.empty()) reason_ = file_.path() + " has no " + name;
  }

  SharedLibrary file_;
  std::string reason_;
};
const Library& library() {
  static const Library one;
  return one;
}

void check(int status, const char* what) {
  if (status != dnnl3::success) throw std::runtime_error(fmt::format("oneDNN 3: {} failed ({})", what, status));
}

class Primitive {
 public:
  Primitive(const Case& c, const EltwiseCall& call) : threads_(c.threads) {
    const Library& dnnl = library();
    const dnnl3::Dims dims = {static_cast<std::int64_t>(c.elements)};
    check(dnnl.memory_desc_create(&memory_, 1, dims, c.type == Type::float32 ? dnnl3::type_f32 : dnnl3::type_bf16,
                                  dnnl3::tag_a),
          "dnnl_memory_desc_create_with_tag");
    const bool backward = c.direction == Direction::backward;
    const int kind = dnnl3::kind_of(call.algorithm);
    dnnl3::Handle forward = nullptr, descriptor = nullptr;
    supported_ =
        dnnl.forward_create(&forward, dnnl.engine, backward ? dnnl3::forward_training : dnnl3::forward_inference, kind,
                            memory_, memory_, call.alpha, call.beta, nullptr) == dnnl3::success;
    if (!supported_) return;
    if (backward) {
      supported_ = dnnl.backward_create(&descriptor, dnnl.engine, kind, memory_, memory_, memory_, call.alpha,
                                        call.beta, forward, nullptr) == dnnl3::success;
      if (supported_) {
        add(dnnl3::source, c.input[0]);
        add(dnnl3::gradient_of_destination, c.dy);
        add(dnnl3::gradient_of_source, c.dx[0]);
        check(dnnl.primitive_create(&primitive_, descriptor), "dnnl_primitive_create");
        dnnl.descriptor_destroy(descriptor);
      }
    } else {
      add(dnnl3::source, c.input[0]);
      add(dnnl3::destination, c.y);
      check(dnnl.primitive_create(&primitive_, forward), "dnnl_primitive_create");
    }
    dnnl.descriptor_destroy(forward);
  }
  ~Primitive() {
    const Library& dnnl = library();
    if (primitive_ != nullptr) dnnl.primitive_destroy(primitive_);
    for (int k = 0; k < count_; ++k) dnnl.memory_destroy(arguments_[k].memory);
    dnnl.memory_desc_destroy(memory_);
  }
  Primitive(const Primitive&) = delete;
  Primitive& operator=(const Primitive&) = delete;

  bool supported() const { return supported_; }
  void run() const {
    omp_set_num_threads(threads_);
    library().primitive_execute(primitive_, library().stream, count_, arguments_);
    library().stream_wait(library().stream);
  }

 private:
  void add(int which, const void* data) {
    dnnl3::Argument& next = arguments_[count_];
    next.which = which;
    check(library().memory_create(&next.memory, memory_, library().engine, const_cast<void*>(data)),
          "dnnl_memory_create");
    ++count_;
  }

  int threads_;
  bool supported_ = false;
  dnnl3::Handle memory_ = nullptr, primitive_ = nullptr;
  dnnl3::Argument arguments_[3] = {};
  int count_ = 0;
};

class OneDnn3 final : public Peer {
 public:
  std::string name() const override { return "oneDNN " + library().number(2); }
  std::string version() const override { return library().number(); }
  std::string absent() const override { return library().reason(); }
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
};

}  // namespace

void add_onednn3(Peers& peers) { peers.push_back(std::make_unique<OneDnn3>()); }

}  // namespace ogee::bench
