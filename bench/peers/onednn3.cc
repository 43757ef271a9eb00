// oneDNN 3, found when the program runs (OGEE_PEERS). Its C interface as far as it is needed is declared here, after
// its public headers dnnl.h, dnnl_common.h and dnnl_types.h (3.2 to 3.13 agree), so that building needs none of them.
#include <fmt/core.h>

#include <cstdint>
#include <stdexcept>

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

struct Api {
  using Memory = dnnl3::Handle;
  using Descriptor = dnnl3::Handle;
  using Primitive = dnnl3::Handle;
  using Argument = dnnl3::Argument;
  static constexpr int source = 1, destination = 17, gradient_of_source = 129, gradient_of_destination = 145;

  static Memory describe(Type type, std::size_t elements) {
    const dnnl3::Dims dims = {static_cast<std::int64_t>(elements)};
    Memory memory = nullptr;
    check(library().memory_desc_create(&memory, 1, dims, type == Type::float32 ? dnnl3::type_f32 : dnnl3::type_bf16,
                                       dnnl3::tag_a),
          "dnnl_memory_desc_create_with_tag");
    return memory;
  }
  static void forget(Memory memory) { library().memory_desc_destroy(memory); }
  static Descriptor forward(Memory memory, const EltwiseCall& call, bool for_backward) {
    Descriptor result = nullptr;
    const int status = library().forward_create(
        &result, library().engine, for_backward ? dnnl3::forward_training : dnnl3::forward_inference,
        dnnl3::kind_of(call.algorithm), memory, memory, call.alpha, call.beta, nullptr);
    return status == dnnl3::success ? result : nullptr;
  }
  static Descriptor backward(Memory memory, const EltwiseCall& call, Descriptor hint) {
    Descriptor result = nullptr;
    const int status = library().backward_create(&result, library().engine, dnnl3::kind_of(call.algorithm), memory,
                                                 memory, memory, call.alpha, call.beta, hint, nullptr);
    return status == dnnl3::success ? result : nullptr;
  }
  static Primitive primitive(Descriptor descriptor) {
    Primitive result = nullptr;
    check(library().primitive_create(&result, descriptor), "dnnl_primitive_create");
    return result;
  }
  static Argument argument(Memory memory, int which, void* data) {
    Argument result{which, nullptr};
    check(library().memory_create(&result.memory, memory, library().engine, data), "dnnl_memory_create");
    return result;
  }
  static void execute(Primitive primitive, int count, const Argument* arguments) {
    library().primitive_execute(primitive, library().stream, count, arguments);
    library().stream_wait(library().stream);
  }
  static void drop(Descriptor descriptor) { library().descriptor_destroy(descriptor); }
  static void drop(const Argument& argument) { library().memory_destroy(argument.memory); }
  static void drop_primitive(Primitive primitive) { library().primitive_destroy(primitive); }
};

class OneDnn3 final : public Peer {
 public:
  std::string name() const override { return "oneDNN " + library().number(2); }
  std::string version() const override { return library().number(); }
  std::string absent() const override { return library().reason(); }
  std::optional<Work> prepare(const Case& c) const override { return eltwise_work<Api>(c); }
};

}  // namespace

void add_onednn3(Peers& peers) { peers.push_back(std::make_unique<OneDnn3>()); }

}  // namespace ogee::bench
