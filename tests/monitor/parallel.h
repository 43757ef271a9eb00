// LibTorch's own threads for parts of one operator, and what runs on them.
#pragma once

namespace ogee::test {

// Calls it so many times, on all of these threads at once.
void on_libtorch_threads(int count, void (*call)());

}  // namespace ogee::test
