// Which of the processes that share a folder are alive, told by locks, which the kernel takes back when a process ends,
// however it ends: nothing has to be waited for, and no process number can be mistaken for another's.
#pragma once

#include <cstdint>
#include <string>

namespace ogee::lab {

class Presence {
 public:
  // `path`: a file for the locks, made if it is missing. Throws Error.
  explicit Presence(const std::string& path);
  ~Presence();
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;

  // Holds the number from now on, as long as this object lives. False if another one holds it.
  bool hold(std::int64_t number);
  // Whether another Presence, of this process or any other, holds it.
  bool held(std::int64_t number) const;

 private:
  int file_;
};

}  // namespace ogee::lab
