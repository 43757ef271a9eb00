// The library that multiplies LibTorch's matrices, where it needs to be told how it is used here.
#pragma once

namespace ogee::lab {

// OpenBLAS built without threads shares buffers between its callers without locking them: called from two threads at
// once it returns, now and then, wrong products. (Its builds with threads, and the reference BLAS, are safe.)
bool blas_is_safe();

// While one lives, OpenBLAS multiplies each product on the caller's own thread: runs go side by side on all cores
// already, threads of its own would wait for each other by spinning, and how it cuts a product among them changes the
// last bits. LibTorch's number of threads does not reach it. Nothing happens with other libraries. Several may live at
// a time, in any threads; the last one gives back what was.
class OneBlasThread {
 public:
  OneBlasThread();
  ~OneBlasThread();
  OneBlasThread(const OneBlasThread&) = delete;
  OneBlasThread& operator=(const OneBlasThread&) = delete;
};

}  // namespace ogee::lab
