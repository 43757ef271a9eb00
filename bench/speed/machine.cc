#include "bench/speed/machine.h"

#include <fmt/core.h>
#include <unistd.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <cstdlib>
#include <fstream>
#include <thread>

#include "ogee/ogee.h"

namespace ogee::bench {
namespace {

// The value of the first line that begins with the key and a colon.
std::string field(const char* file, const std::string& key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "unknown";
}

std::string cache_size(int level) {
  // index0 is the first-level data cache, then the instructions' one, then levels 2 and 3.
  const std::string file = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/size", level == 1 ? 0 : level);
  std::ifstream stream(file);
  std::string size;
  return std::getline(stream, size) ? size : "unknown";
}

}  // namespace

void restrict_to(const std::string& target) {
  if (target.empty()) return;
  use_target(target);
  const bool avx512 = target.starts_with("AVX3"), avx2 = target == "AVX2";
  if (avx512) return;  // what the peers take by themselves
  setenv("ATEN_CPU_CAPABILITY", avx2 ? "avx2" : "default", 1);
  setenv("DNNL_MAX_CPU_ISA", avx2 ? "AVX2" : "SSE41", 1);
  setenv("ONEDNN_MAX_CPU_ISA", avx2 ? "AVX2" : "SSE41", 1);
  setenv("MKL_ENABLE_INSTRUCTIONS", avx2 ? "AVX2" : "SSE4_2", 1);
}

void keep_freed_memory() {
#if defined(__GLIBC__)
  constexpr int most = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, most);
  mallopt(M_TRIM_THRESHOLD, most);
  mallopt(M_TOP_PAD, 1 << 26);
#endif
}

std::vector<std::pair<std::string, std::string>> describe_machine() {
  std::vector<std::pair<std::string, std::string>> result;
  std::string model = field("/proc/cpuinfo", "model name");
  const std::string family = field("/proc/cpuinfo", "cpu family"), number = field("/proc/cpuinfo", "model\t");
  if (family != "unknown") model += fmt::format(" (family {}, model {})", family, number);
  result.emplace_back("processor", model);
  result.emplace_back("threads", std::to_string(std::thread::hardware_concurrency()));
  result.emplace_back("caches", fmt::format("{} / {} / {}", cache_size(1), cache_size(2), cache_size(3)));
  result.emplace_back("target", target());
#if defined(__clang__)
  result.emplace_back("compiler",
                      fmt::format("Clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__));
#elif defined(__GNUC__)
  result.emplace_back("compiler", fmt::format("GCC {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__));
#endif
  return result;
}

}  // namespace ogee::bench
