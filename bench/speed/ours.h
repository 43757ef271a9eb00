// Ogee itself, as a competitor: over spans, and through its LibTorch operators where autograd records.
#pragma once

#include "bench/speed/case.h"

namespace ogee::bench {

// forward and backward over spans; training through ogee::apply and autograd.
Work our_work(const Case& c);
// backward with the gradients of all parameters (one-input functions).
Work our_backward_of_all(const Case& c);
// forward or training through LibTorch, whatever the direction says otherwise.
Work our_torch_forward(const Case& c);
Work our_training(const Case& c);

// The whole generator with its transform: fills `out`.
void our_noise(Noise kind, float* out, std::size_t n);
// LibTorch's: normal_ or uniform_ on a tensor over the same memory.
std::function<void()> libtorch_noise(Noise kind, float* out, std::size_t n);

}  // namespace ogee::bench
