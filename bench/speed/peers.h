// Everybody who is timed beside Ogee. Each lives in a file of its own in bench/peers/.
#pragma once

#include <memory>
#include <vector>

#include "bench/speed/case.h"

namespace ogee::bench {

using Peers = std::vector<std::unique_ptr<Peer>>;

// All that this program was built to know, absent ones included (Peer::absent).
const Peers& all_peers();

// Each adds what its library offers. A library that was not there when the program was built adds a peer that says so.
void add_libtorch(Peers& peers);
void add_composed(Peers& peers);
void add_onednn2(Peers& peers);
void add_onednn3(Peers& peers);
void add_sleef(Peers& peers);
void add_mkl(Peers& peers);
void add_eigen(Peers& peers);

// LibTorch's own operator as its users call it, with a result of its own at every call, not recorded by autograd.
std::optional<Work> libtorch_call(const Case& c);

// The widest vectors that peers may use: those of the target that Ogee uses.
enum class Width { none, avx2, avx512 };
Width peers_width();

}  // namespace ogee::bench
