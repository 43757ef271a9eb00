#include "lab/blas.h"

#include <dlfcn.h>

#include <mutex>

namespace ogee::lab {
namespace {

std::mutex mutex;
int alive = 0, before = 0;

template <class Function>
Function* find(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace

bool blas_is_safe() {
  auto* const kind = find<int()>("openblas_get_parallel");
  return !kind || kind() != 0;
}

OneBlasThread::OneBlasThread() {
  const std::lock_guard lock(mutex);
  auto* const count = find<int()>("openblas_get_num_threads");
  auto* const set = find<void(int)>("openblas_set_num_threads");
  if (alive++ > 0 || !count || !set) return;
  before = count();
  set(1);
}

OneBlasThread::~OneBlasThread() {
  const std::lock_guard lock(mutex);
  if (--alive > 0 || before <= 1) return;
  if (auto* const set = find<void(int)>("openblas_set_num_threads")) set(before);
  before = 0;
}

}  // namespace ogee::lab
