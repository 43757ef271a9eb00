// Apart, as it is built without ThreadSanitizer, which does not see how OpenMP's threads wait for each other and would
// report ATen's own inline code.
#include "parallel.h"

#include <ATen/Parallel.h>

namespace ogee::test {

void on_libtorch_threads(int count, void (*call)()) {
  at::parallel_for(0, count, 1, [call](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) call();
  });
}

}  // namespace ogee::test
