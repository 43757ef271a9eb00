// Libraries that are looked for when the program runs.
#pragma once

#include <string>
#include <vector>

namespace ogee::bench {

// A library opened with dlopen: by each of the names in turn in the directories of OGEE_PEERS (separated by colons),
// then where the system looks. What it needs itself is looked for in the same directory. It is never closed.
class SharedLibrary {
 public:
  explicit SharedLibrary(const std::vector<std::string>& names);
  bool open() const { return handle_ != nullptr; }
  // The file that was opened, or why none was.
  const std::string& path() const { return path_; }
  const std::string& error() const { return error_; }

  // The function of that name, or null.
  template <class F>
  F* find(const char* name) const {
    return reinterpret_cast<F*>(address(name));
  }

 private:
  void* address(const char* name) const;
  void* open_in(const std::string& directory, const std::string& name, int flags, int depth);

  void* handle_ = nullptr;
  std::string path_, error_;
};

}  // namespace ogee::bench
