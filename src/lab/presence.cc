#include "lab/presence.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

// A lock of an open file, not of a process: two laboratories in one process see each other, too.
struct flock lock_of(std::int64_t number, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = number;
  lock.l_len = 1;
  return lock;
}

}  // namespace

Presence::Presence(const std::string& path) : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
  if (file_ < 0) throw Error(fmt::format("{}: cannot be written: {}", path, std::strerror(errno)));
}

Presence::~Presence() { ::close(file_); }

bool Presence::hold(std::int64_t number) {
  struct flock lock = lock_of(number, F_WRLCK);
  return fcntl(file_, F_OFD_SETLK, &lock) == 0;
}

bool Presence::held(std::int64_t number) const {
  struct flock lock = lock_of(number, F_WRLCK);
  return fcntl(file_, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace ogee::lab
