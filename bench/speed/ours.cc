#include "bench/speed/ours.h"

#include <memory>
#include <vector>

#include "kernels/noise.h"

namespace ogee::bench {
namespace {

constexpr NoiseKey key{20, 26};

RunOptions options_of(const Case& c) {
  RunOptions options;
  options.mode = Mode::training;
  options.noise = key;
  options.threads = c.threads;
  return options;
}

template <Element T>
std::span<const T> in(const Case& c, const void* p) {
  return {static_cast<const T*>(p), c.elements};
}
template <Element T>
std::span<T> out(const Case& c, void* p) {
  return {static_cast<T*>(p), c.elements};
}

template <Element T>
std::function<void()> run_of(const Case& c, bool all) {
  return [c, f = *c.activation, options = options_of(c), all] {
    const bool two = f.spec().inputs == 2;
    const auto a = in<T>(c, c.input[0]), b = in<T>(c, c.input[1]), dy = in<T>(c, c.dy);
    if (c.direction == Direction::forward) {
      two ? forward<T>(f, a, b, out<T>(c, c.y), options) : forward<T>(f, a, out<T>(c, c.y), options);
    } else if (all) {
      backward_all<T>(f, a, dy, out<T>(c, c.dx[0]), options);
    } else if (two) {
      backward<T>(f, a, b, dy, out<T>(c, c.dx[0]), out<T>(c, c.dx[1]), options);
    } else {
      backward<T>(f, a, dy, out<T>(c, c.dx[0]), options);
    }
  };
}

Work span_work(const Case& c, bool all) {
  Work work;
  switch (c.type) {
    case Type::float32: work.run = run_of<float>(c, all); break;
    case Type::float64: work.run = run_of<double>(c, all); break;
    case Type::bfloat16: work.run = run_of<bfloat16>(c, all); break;
    case Type::float16: work.run = run_of<float16>(c, all); break;
  }
  if (c.spec().noise != Noise::none) {
    auto noise = std::make_shared<std::vector<float>>();
    work.noise = [noise, c, kind = c.spec().noise](std::size_t i) {
      if (noise->empty()) {
        noise->resize(c.elements);
        kernels::fill_noise(kind, key, 0, c.elements, noise->data());
      }
      return static_cast<double>((*noise)[i]);
    };
  }
  return work;
}

}  // namespace

Work our_work(const Case& c) { return c.direction == Direction::training ? our_training(c) : span_work(c, false); }

Work our_backward_of_all(const Case& c) { return span_work(c, true); }

void our_noise(Noise kind, float* out, std::size_t n) { kernels::fill_noise(kind, key, 0, n, out); }

}  // namespace ogee::bench
