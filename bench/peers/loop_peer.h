// A peer that is a table of loops over floats.
#pragma once

#include <cstring>
#include <string>
#include <utility>

#include "bench/speed/peers.h"
#include "bench/peers/loops.h"
#include "bench/speed/split.h"

namespace ogee::bench {

class LoopPeer final : public Peer {
 public:
  using Choose = NamedLoops (*)(Width width);

  // `choose` gives the loops for AVX2 or AVX-512.
  LoopPeer(std::string name, std::string version, Choose choose)
      : name_(std::move(name)), version_(std::move(version)), choose_(choose) {}

  std::string name() const override { return name_; }
  std::string version() const override { return version_ + (peers_width() == Width::avx512 ? ", AVX-512" : ", AVX2"); }
  std::string absent() const override {
    return peers_width() == Width::none ? "its loops here are for AVX2 and AVX-512 alone" : "";
  }
  std::optional<Work> prepare(const Case& c) const override {
    if (c.type != Type::float32 || c.direction == Direction::training || !has_default_parameters(*c.activation)) {
      return std::nullopt;
    }
    const NamedLoops all = choose_(peers_width());
    for (std::size_t k = 0; k < all.count; ++k) {
      if (c.spec().name != all.loops[k].function) continue;
      const bool backward = c.direction == Direction::backward;
      const FloatLoop loop = backward ? all.loops[k].backward : all.loops[k].forward;
      if (loop == nullptr) return std::nullopt;
      const auto* x = static_cast<const float*>(c.input[0]);
      const auto* dy = static_cast<const float*>(c.dy);
      auto* to = static_cast<float*>(backward ? c.dx[0] : c.y);
      return Work{[=, n = c.elements, threads = c.threads] {
        in_parts(n, threads,
                 [&](std::size_t begin, std::size_t count) { loop(x + begin, dy + begin, to + begin, count); });
      }};
    }
    return std::nullopt;
  }

 private:
  std::string name_, version_;
  Choose choose_;
};

}  // namespace ogee::bench
