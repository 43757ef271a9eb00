// Intel MKL's vector mathematics, found when the program runs (OGEE_PEERS), in its high accuracy (1 ULP) and enhanced
// performance (about half of the digits) modes. Its interface as far as it is needed is declared here, after Intel's
// reference of vmsTanh and its relatives.
#include <fmt/core.h>

#include <map>
#include <string_view>
#include <utility>

#include "bench/speed/peers.h"
#include "bench/speed/shared_library.h"

namespace ogee::bench {
namespace {

constexpr std::int64_t high_accuracy = 2, enhanced_performance = 3;
constexpr int gnu_threads = 3, wide_indices_off = 0;

using Vector = void(int n, const float* x, float* y, std::int64_t mode);

// The functions that are one of MKL's as they are.
const std::map<std::string_view, const char*>& functions() {
  static const std::map<std::string_view, const char*> all = {
      {"tanh", "vmsTanh"}, {"erf", "vmsErf"}, {"normal_cdf", "vmsCdfNorm"}, {"arctan", "vmsAtan"}, {"sine", "vmsSin"}};
  return all;
}

class Library {
 public:
  Library() : file_({"libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so"}) {
    if (!file_.open()) {
      reason_ = file_.error();
      return;
    }
    set_threads_ = file_.find<void(int)>("MKL_Set_Num_Threads");
    const auto layer = file_.find<int(int)>("MKL_Set_Threading_Layer");
    const auto interface = file_.find<int(int)>("MKL_Set_Interface_Layer");
    const auto version = file_.find<void(char*, int)>("MKL_Get_Version_String");
    if (set_threads_ == nullptr || layer == nullptr || interface == nullptr || version == nullptr) {
      reason_ = file_.path() + " has none of MKL's service functions";
      return;
    }
    interface(wide_indices_off);
    layer(gnu_threads);  // the OpenMP that LibTorch and oneDNN use too
    char text[256] = {};
    version(text, sizeof(text) - 1);
    version_ = text;
    version_.erase(version_.find_last_not_of(' ') + 1);
  }
  const std::string& reason() const { return reason_; }
  const std::string& version() const { return version_; }
  void set_threads(int threads) const { set_threads_(threads); }
  Vector* function(const char* name) const { return file_.find<Vector>(name); }

 private:
  SharedLibrary file_;
  std::string reason_, version_;
  void (*set_threads_)(int) = nullptr;
};
const Library& library() {
  static const Library one;
  return one;
}

class Mkl final : public Peer {
 public:
  Mkl(std::string name, std::int64_t mode) : name_(std::move(name)), mode_(mode) {}
  std::string name() const override { return name_; }
  std::string version() const override { return library().version(); }
  std::string absent() const override { return library().reason(); }
  std::optional<Work> prepare(const Case& c) const override {
    if (c.type != Type::float32 || c.direction != Direction::forward) return std::nullopt;
    const auto found = functions().find(c.spec().name);
    if (found == functions().end()) return std::nullopt;
    // Its sine takes no frequency.
    if (parameter_or(*c.activation, "omega", 1) != 1) return std::nullopt;
    Vector* function = library().function(found->second);
    if (function == nullptr) return std::nullopt;
    library().set_threads(c.threads);
    return Work{[=, n = static_cast<int>(c.elements), x = static_cast<const float*>(c.input[0]),
                 y = static_cast<float*>(c.y), mode = mode_] { function(n, x, y, mode); }};
  }

 private:
  std::string name_;
  std::int64_t mode_;
};

}  // namespace

void add_mkl(Peers& peers) {
  peers.push_back(std::make_unique<Mkl>("MKL HA", high_accuracy));
  peers.push_back(std::make_unique<Mkl>("MKL EP", enhanced_performance));
}

}  // namespace ogee::bench
