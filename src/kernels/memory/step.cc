// The memory's step by SIMD. Vectors run along the locations, whose last few are masked.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/memory/step.cc"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/memory/step.h"
#include "kernels/recurrent/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {
namespace {

using kernels::memory::Backward;
using kernels::memory::epsilon;
using kernels::memory::Forward;
using kernels::memory::Shape;

// f(place) for all vectors of n numbers.
template <class D, class F>
HWY_INLINE void each(std::size_t n, F f) {
  for_vectors<D>(1, n, [&](std::ptrdiff_t, auto at) HWY_ATTR { f(at); });
}
template <class D>
HWY_INLINE double total(Lane<D> v) {
  return hn::GetLane(hn::SumOfLanes(D(), v.v));
}
template <class D>
HWY_INLINE Lane<D> larger(Lane<D> a, Lane<D> b) {
  return {hn::Max(a.v, b.v)};
}
template <class D>
HWY_INLINE Lane<D> all(double value) {
  return Lane<D>::constant(value);
}
template <class T>
HWY_ATTR double largest(const T* row, std::size_t n) {
  using D = hn::ScalableTag<T>;
  // The numbers are weights or bounded products: none lies below.
  Lane<D> most = all<D>(-std::numeric_limits<float>::max());
  const std::size_t lanes = hn::Lanes(D());
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) most = larger(most, read(row, Place<D, true>{i, lanes}));
  double found = hn::GetLane(hn::MaxOfLanes(D(), most.v));
  for (; i < n; ++i) found = std::max(found, static_cast<double>(row[i]));
  return found;
}

// What a head asks for, out of its part of the interface.
template <class T>
struct Head {
  const T* key;           // the numbers as they were given
  T *keys, *erase, *add;  // bounded
  double strength, gate, shift[3], sharpness;
  double given_strength, given_sharpness;
  double key_scale;  // one over the key's norm

  const T* given_erase(const Shape& s) const { return key + s.width + 6; }
  const T* given_add(const Shape& s) const { return key + 2 * s.width + 6; }
};

template <class T>
HWY_ATTR Head<T> head_of(const Shape& s, std::size_t h, const T* interface, T* bounded) {
  using D = hn::ScalableTag<T>;
  Head<T> head;
  head.key = interface + s.part(h);
  head.keys = bounded + 3 * h * s.width;
  head.erase = head.keys + s.width;
  head.add = head.erase + s.width;
  const T* scalars = head.key + s.width;
  head.given_strength = scalars[0];
  head.strength = softplus(head.given_strength);
  head.gate = sigmoid(static_cast<double>(scalars[1]));
  const double most = std::max({scalars[2], scalars[3], scalars[4]});
  double sum = 0;
  for (std::size_t i = 0; i < 3; ++i) sum += head.shift[i] = std::exp(static_cast<double>(scalars[2 + i]) - most);
  for (double& share : head.shift) share /= sum;
  head.given_sharpness = scalars[5];
  head.sharpness = 1 + softplus(head.given_sharpness);
  each<D>(s.width, [&](auto at) HWY_ATTR { write(tanh(read(head.key, at)), head.keys, at); });
  Lane<D> squares = all<D>(0);
  each<D>(s.width, [&](auto at) HWY_ATTR {
    const Lane<D> k = read(head.keys, at);
    squares = fused(k, k, squares);
  });
  head.key_scale = 1 / std::sqrt(total(squares) + epsilon);
  if (h >= s.reads) {
    each<D>(s.width, [&](auto at) HWY_ATTR {
      write(sigmoid(read(head.given_erase(s), at)), head.erase, at);
      write(tanh(read(head.given_add(s), at)), head.add, at);
    });
  }
  return head;
}

// Room for an example: rows of locations with one more at either end, where a circle closes.
template <class T>
struct Room {
  explicit Room(const Shape& s, std::size_t rows)
      : stride(s.locations + 2 + 64 / sizeof(T)), bounded(3 * s.heads() * s.width), memory(rows * stride) {}
  T* row(std::size_t i) { return memory.data() + i * stride + 1; }
  std::size_t stride;
  std::vector<T> bounded, memory;
};
template <class T>
void close_circle(T* row, std::size_t n) {
  row[-1] = row[n - 1];
  row[n] = row[0];
}

// By content and by the weights before, mixed.
template <class T>
HWY_ATTR void mix(const Shape& s, const Head<T>& head, const T* content, const T* before, T* mixed) {
  using D = hn::ScalableTag<T>;
  const Lane<D> gate = all<D>(head.gate), rest = all<D>(1 - head.gate);
  each<D>(s.locations,
          [&](auto at) HWY_ATTR { write(fused(gate, read(content, at), rest * read(before, at)), mixed, at); });
  close_circle(mixed, s.locations);
}

template <class T>
HWY_ATTR void address(const Shape& s, const Head<T>& head, const T* memory, const T* scales, const T* before,
                      T* similarity, T* content, T* shifted, T* weights, T* mixed) {
  using D = hn::ScalableTag<T>;
  const std::size_t n = s.locations;
  const Lane<D> key_scale = all<D>(head.key_scale);
  each<D>(n, [&](auto at) HWY_ATTR {
    Lane<D> product = all<D>(0);
    for (std::size_t m = 0; m < s.width; ++m) product = fused(all<D>(head.keys[m]), read(memory + m * n, at), product);
    write(product * key_scale * read(scales, at), similarity, at);
  });
  const Lane<D> strength = all<D>(head.strength), most = all<D>(largest(similarity, n));
  each<D>(n, [&](auto at) HWY_ATTR { write(exp(strength * (read(similarity, at) - most)), content, at); });
  Lane<D> sum = all<D>(0);
  each<D>(n, [&](auto at) HWY_ATTR { sum = sum + read(content, at); });
  const Lane<D> scale = all<D>(1 / total(sum));
  each<D>(n, [&](auto at) HWY_ATTR { write(read(content, at) * scale, content, at); });

  mix(s, head, content, before, mixed);
  const Lane<D> back = all<D>(head.shift[0]), stay = all<D>(head.shift[1]), on = all<D>(head.shift[2]);
  each<D>(n, [&](auto at) HWY_ATTR {
    const Lane<D> moved = fused(back, read(mixed + 1, at), fused(stay, read(mixed, at), on * read(mixed - 1, at)));
    // A logarithm is to follow.
    write(at_least(moved, std::numeric_limits<T>::min()), shifted, at);
  });

  // Of the largest one, so that no power underflows in all places.
  const Lane<D> unit = all<D>(1 / largest(shifted, n)), power = all<D>(head.sharpness);
  each<D>(n, [&](auto at) HWY_ATTR { write(exp(power * log(read(shifted, at) * unit)), weights, at); });
  Lane<D> powers = all<D>(0);
  each<D>(n, [&](auto at) HWY_ATTR { powers = powers + read(weights, at); });
  const Lane<D> share = all<D>(1 / total(powers));
  each<D>(n, [&](auto at) HWY_ATTR { write(read(weights, at) * share, weights, at); });
}

template <class T>
HWY_ATTR void forward_example(const Forward<T>& f, Room<T>& room) {
  using D = hn::ScalableTag<T>;
  const Shape& s = f.shape;
  const std::size_t n = s.locations;
  T* const scales = f.kept + 3 * s.heads() * n;
  each<D>(n, [&](auto at) HWY_ATTR {
    Lane<D> squares = all<D>(epsilon);
    for (std::size_t m = 0; m < s.width; ++m) {
      const Lane<D> x = read(f.memory + m * n, at);
      squares = fused(x, x, squares);
    }
    write(1.0 / sqrt(squares), scales, at);
  });
  std::vector<Head<T>> heads;
  for (std::size_t h = 0; h < s.heads(); ++h) {
    heads.push_back(head_of(s, h, f.interface, room.bounded.data()));
    T* const kept = f.kept + 3 * h * n;
    address(s, heads[h], f.memory, scales, f.weights + h * n, kept, kept + n, kept + 2 * n, f.new_weights + h * n,
            room.row(0));
  }
  for (std::size_t h = 0; h < s.reads; ++h)
    for (std::size_t m = 0; m < s.width; ++m) {
      Lane<D> sum = all<D>(0);
      each<D>(n,
              [&](auto at) HWY_ATTR { sum = fused(read(f.new_weights + h * n, at), read(f.memory + m * n, at), sum); });
      f.reads[h * s.width + m] = static_cast<T>(total(sum));
    }
  for (std::size_t m = 0; m < s.width; ++m)
    each<D>(n, [&](auto at) HWY_ATTR {
      Lane<D> x = read(f.memory + m * n, at), added = all<D>(0);
      for (std::size_t h = s.reads; h < s.heads(); ++h) {
        const Lane<D> w = read(f.new_weights + h * n, at);
        x = x * fused_minus(w, all<D>(heads[h].erase[m]), all<D>(1));
        added = fused(w, all<D>(heads[h].add[m]), added);
      }
      write(x + added, f.new_memory + m * n, at);
    });
}

// Gradients by a head's weights, from what it read or wrote, into `dw`; by the memory, so far; and by what to erase and
// to add, into the interface's gradient.
template <class T>
HWY_ATTR void backward_use(const Backward<T>& b, const std::vector<Head<T>>& heads, Room<T>& room) {
  using D = hn::ScalableTag<T>;
  const Shape& s = b.shape;
  const std::size_t n = s.locations;
  const auto weights = [&](std::size_t h) { return b.new_weights + h * n; };
  for (std::size_t h = 0; h < s.heads(); ++h) {
    T* const dw = room.row(h);
    if (b.d_new_weights != nullptr)
      std::copy_n(b.d_new_weights + h * n, n, dw);
    else
      std::fill_n(dw, n, T{0});
  }
  for (std::size_t m = 0; m < s.width; ++m) {
    const T *const memory = b.memory + m * n, *const given = b.d_new_memory ? b.d_new_memory + m * n : nullptr;
    T* const d_memory = b.d_memory + m * n;
    each<D>(n, [&](auto at) HWY_ATTR {
      Lane<D> d = given != nullptr ? read(given, at) : all<D>(0);
      for (std::size_t h = s.reads; h < s.heads(); ++h)
        d = d * fused_minus(read(weights(h), at), all<D>(heads[h].erase[m]), all<D>(1));
      if (b.d_reads != nullptr)
        for (std::size_t h = 0; h < s.reads; ++h) {
          const Lane<D> dr = all<D>(b.d_reads[h * s.width + m]);
          d = fused(read(weights(h), at), dr, d);
          write(fused(read(memory, at), dr, read(room.row(h), at)), room.row(h), at);
        }
      write(d, d_memory, at);
    });
    for (std::size_t h = s.reads; h < s.heads(); ++h) {
      const Head<T>& head = heads[h];
      const Lane<D> erase = all<D>(head.erase[m]), add = all<D>(head.add[m]);
      Lane<D> by_erase = all<D>(0), by_add = all<D>(0);
      if (given != nullptr)
        each<D>(n, [&](auto at) HWY_ATTR {
          const Lane<D> d = read(given, at), w = read(weights(h), at);
          Lane<D> left = d * read(memory, at);
          for (std::size_t other = s.reads; other < s.heads(); ++other)
            if (other != h)
              left = left * fused_minus(read(weights(other), at), all<D>(heads[other].erase[m]), all<D>(1));
          by_erase = fused(w, left, by_erase);
          by_add = fused(w, d, by_add);
          write(fused_minus(left, erase, fused(add, d, read(room.row(h), at))), room.row(h), at);
        });
      T* const d_erase = b.d_interface + s.part(h) + s.width + 6;
      const double e = head.erase[m], a = head.add[m];
      d_erase[m] = static_cast<T>(-total(by_erase) * e * (1 - e));
      d_erase[s.width + m] = static_cast<T>(total(by_add) * (1 - a * a));
    }
  }
}

// From the gradient by a head's weights, in `dw`, to those by its part of the interface and by the weights before; what
// is left is by the similarities' products, into `dw`, and by the scales, added to `d_scales`.
template <class T>
HWY_ATTR double backward_address(const Backward<T>& b, std::size_t h, const Head<T>& head, T* dw, T* mixed, T* moved,
                                 T* d_scales) {
  using D = hn::ScalableTag<T>;
  const Shape& s = b.shape;
  const std::size_t n = s.locations;
  const T *const weights = b.new_weights + h * n, *const before = b.weights + h * n;
  const T *const similarity = b.kept + 3 * h * n, *const content = similarity + n, *const shifted = content + n;
  const T* const scales = b.kept + 3 * s.heads() * n;
  T* const scalars = b.d_interface + s.part(h) + s.width;

  Lane<D> sum = all<D>(0);
  each<D>(n, [&](auto at) HWY_ATTR { sum = fused(read(dw, at), read(weights, at), sum); });
  const Lane<D> mean = all<D>(total(sum)), power = all<D>(head.sharpness), unit = all<D>(1 / largest(shifted, n));
  Lane<D> by_power = all<D>(0);
  each<D>(n, [&](auto at) HWY_ATTR {
    // Beyond the end of the row, where zeros are read, a logarithm would be infinite.
    const Lane<D> v = at_least(read(shifted, at), std::numeric_limits<T>::min());
    const Lane<D> d = (read(dw, at) - mean) * read(weights, at);
    by_power = fused(d, log(v * unit), by_power);
    write(power * d / v, moved, at);
  });
  close_circle(moved, n);
  mix(s, head, content, before, mixed);
  const Lane<D> back = all<D>(head.shift[0]), stay = all<D>(head.shift[1]), on = all<D>(head.shift[2]);
  Lane<D> by_back = all<D>(0), by_stay = all<D>(0), by_on = all<D>(0), by_gate = all<D>(0), by_content = all<D>(0);
  each<D>(n, [&](auto at) HWY_ATTR {
    const Lane<D> d = read(moved, at);
    by_back = fused(d, read(mixed + 1, at), by_back);
    by_stay = fused(d, read(mixed, at), by_stay);
    by_on = fused(d, read(mixed - 1, at), by_on);
    const Lane<D> by_mixed = fused(back, read(moved - 1, at), fused(stay, d, on * read(moved + 1, at)));
    const Lane<D> c = read(content, at);
    by_gate = fused(by_mixed, c - read(before, at), by_gate);
    by_content = fused(by_mixed, c, by_content);
    write(by_mixed, dw, at);
  });
  const Lane<D> gate = all<D>(head.gate), rest = all<D>(1 - head.gate), centre = all<D>(total(by_content));
  const Lane<D> strength = all<D>(head.strength), key_scale = all<D>(head.key_scale);
  Lane<D> by_strength = all<D>(0), by_norms = all<D>(0);
  each<D>(n, [&](auto at) HWY_ATTR {
    const Lane<D> by_mixed = read(dw, at), k = read(similarity, at), scale = read(scales, at);
    write(rest * by_mixed, b.d_weights + h * n, at);
    const Lane<D> d = gate * read(content, at) * (by_mixed - centre);
    by_strength = fused(d, k, by_strength);
    const Lane<D> by_similarity = strength * d, scaled = by_similarity * k;
    by_norms = by_norms + scaled;
    write(by_similarity * key_scale * scale, dw, at);
    write(fused(scaled, scale * scale, read(d_scales, at)), d_scales, at);
  });

  scalars[0] = static_cast<T>(total(by_strength) * sigmoid(head.given_strength));
  scalars[1] = static_cast<T>(total(by_gate) * head.gate * (1 - head.gate));
  const double by_shift[3] = {total(by_back), total(by_stay), total(by_on)};
  double inner = 0;
  for (std::size_t i = 0; i < 3; ++i) inner += head.shift[i] * by_shift[i];
  for (std::size_t i = 0; i < 3; ++i) scalars[2 + i] = static_cast<T>(head.shift[i] * (by_shift[i] - inner));
  scalars[5] = static_cast<T>(total(by_power) * sigmoid(head.given_sharpness));
  return total(by_norms);
}

template <class T>
HWY_ATTR void backward_example(const Backward<T>& b, Room<T>& room) {
  using D = hn::ScalableTag<T>;
  const Shape& s = b.shape;
  const std::size_t n = s.locations, count = s.heads();
  std::vector<Head<T>> heads;
  for (std::size_t h = 0; h < count; ++h) heads.push_back(head_of(s, h, b.interface, room.bounded.data()));
  backward_use(b, heads, room);
  T *const d_scales = room.row(count), *const mixed = room.row(count + 1), *const moved = room.row(count + 2);
  std::fill_n(d_scales, n, T{0});
  std::vector<double> by_norms;
  for (std::size_t h = 0; h < count; ++h)
    by_norms.push_back(backward_address(b, h, heads[h], room.row(h), mixed, moved, d_scales));
  for (std::size_t m = 0; m < s.width; ++m) {
    const T* const memory = b.memory + m * n;
    T* const d_memory = b.d_memory + m * n;
    each<D>(n, [&](auto at) HWY_ATTR {
      Lane<D> d = fused_minus(read(d_scales, at), read(memory, at), read(d_memory, at));
      for (std::size_t h = 0; h < count; ++h) d = fused(read(room.row(h), at), all<D>(heads[h].keys[m]), d);
      write(d, d_memory, at);
    });
    for (std::size_t h = 0; h < count; ++h) {
      Lane<D> sum = all<D>(0);
      each<D>(n, [&](auto at) HWY_ATTR { sum = fused(read(room.row(h), at), read(memory, at), sum); });
      const double k = heads[h].keys[m], scale = heads[h].key_scale;
      b.d_interface[s.part(h) + m] = static_cast<T>((total(sum) - k * scale * scale * by_norms[h]) * (1 - k * k));
    }
  }
}

template <class T>
void forward_all(const Forward<T>& step) {
  Forward<T> f = step;
  const Shape& s = f.shape;
  Room<T> room(s, 1);
  for (std::size_t i = 0; i < step.examples; ++i) {
    forward_example(f, room);
    f.interface += s.interface();
    f.memory += s.cells();
    f.new_memory += s.cells();
    f.weights += s.heads() * s.locations;
    f.new_weights += s.heads() * s.locations;
    f.reads += s.reads * s.width;
    f.kept += s.kept();
  }
}

template <class T>
void backward_all(const Backward<T>& step) {
  Backward<T> b = step;
  const Shape& s = b.shape;
  Room<T> room(s, s.heads() + 3);
  for (std::size_t i = 0; i < step.examples; ++i) {
    backward_example(b, room);
    b.interface += s.interface();
    b.d_interface += s.interface();
    b.memory += s.cells();
    b.d_memory += s.cells();
    if (b.d_new_memory != nullptr) b.d_new_memory += s.cells();
    for (const T** row : {&b.weights, &b.new_weights}) *row += s.heads() * s.locations;
    b.d_weights += s.heads() * s.locations;
    if (b.d_new_weights != nullptr) b.d_new_weights += s.heads() * s.locations;
    if (b.d_reads != nullptr) b.d_reads += s.reads * s.width;
    b.kept += s.kept();
  }
}

}  // namespace

void memory_forward_float(const Forward<float>& step) { forward_all(step); }
void memory_forward_double(const Forward<double>& step) { forward_all(step); }
void memory_backward_float(const Backward<float>& step) { backward_all(step); }
void memory_backward_double(const Backward<double>& step) { backward_all(step); }

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee {
HWY_EXPORT(memory_forward_float);
HWY_EXPORT(memory_forward_double);
HWY_EXPORT(memory_backward_float);
HWY_EXPORT(memory_backward_double);

namespace kernels::memory {
template <>
void forward<float>(const Forward<float>& step) {
  HWY_DYNAMIC_DISPATCH(memory_forward_float)(step);
}
template <>
void forward<double>(const Forward<double>& step) {
  HWY_DYNAMIC_DISPATCH(memory_forward_double)(step);
}
template <>
void backward<float>(const Backward<float>& step) {
  HWY_DYNAMIC_DISPATCH(memory_backward_float)(step);
}
template <>
void backward<double>(const Backward<double>& step) {
  HWY_DYNAMIC_DISPATCH(memory_backward_double)(step);
}
}  // namespace kernels::memory
}  // namespace ogee
#endif
