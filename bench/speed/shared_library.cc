#include "bench/speed/shared_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace ogee::bench {
namespace {

std::vector<std::string> directories() {
  std::vector<std::string> result;
  if (const char* text = std::getenv("OGEE_PEERS")) {
    std::istringstream stream(text);
    for (std::string directory; std::getline(stream, directory, ':');) {
      if (!directory.empty()) result.push_back(directory);
    }
  }
  return result;
}

// Two versions of one library live in this process: each must find its own functions first. Sanitizers forbid that.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(RTLD_DEEPBIND)
constexpr int own_first = 0;
#else
constexpr int own_first = RTLD_DEEPBIND;
#endif

}  // namespace

SharedLibrary::SharedLibrary(const std::vector<std::string>& names) {
  for (const std::string& directory : directories()) {
    for (const std::string& name : names) {
      if (!std::filesystem::exists(directory + "/" + name)) continue;
      handle_ = open_in(directory, name, RTLD_NOW | RTLD_LOCAL | own_first, 0);
      if (handle_ != nullptr) return;
    }
  }
  for (const std::string& name : names) {
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | own_first);
    if (handle_ != nullptr) {
      path_ = name;
      return;
    }
  }
  if (error_.empty()) error_ = names.front() + " is neither in OGEE_PEERS nor where the system looks";
}

void* SharedLibrary::open_in(const std::string& directory, const std::string& name, int flags, int depth) {
  constexpr int deepest = 8;
  const std::string file = directory + "/" + name;
  // The dynamic linker names the first library it misses; there may be several.
  for (int attempt = 0; attempt < 32 && depth < deepest; ++attempt) {
    if (void* handle = dlopen(file.c_str(), flags)) {
      if (depth == 0) path_ = file;
      return handle;
    }
    const char* said = dlerror();
    error_ = said != nullptr ? said : file + " cannot be opened";
    const std::size_t colon = error_.find(": cannot open shared object file");
    if (colon == std::string::npos) return nullptr;
    const std::string missing = error_.substr(0, colon);
    if (missing.find('/') != std::string::npos || !std::filesystem::exists(directory + "/" + missing) ||
        open_in(directory, missing, RTLD_NOW | RTLD_GLOBAL, depth + 1) == nullptr) {
      return nullptr;
    }
  }
  return nullptr;
}

void* SharedLibrary::address(const char* name) const { return handle_ == nullptr ? nullptr : dlsym(handle_, name); }

}  // namespace ogee::bench
