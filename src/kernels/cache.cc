#include "kernels/cache.h"

#include <unistd.h>

namespace ogee::kernels {

std::size_t cache_size() {
  static const std::size_t size = [] {
    long bytes = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
    bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
    return counted_on(bytes);
  }();
  return size;
}

}  // namespace ogee::kernels
