// What the steps of all cells share: how rows are cut into pieces that stay in the first-level cache, and how one
// activation of a piece is run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "kernels/recurrent/step.h"

namespace ogee::kernels::recurrent {

// As many rows at once as have about this many units together.
inline constexpr std::size_t piece_size = 1024;

// Buffers of one piece, one a thread and type, without gaps between rows.
template <class T>
class Scratch {
 public:
  static Scratch& of(std::size_t buffers, std::size_t rows, std::size_t units) {
    thread_local Scratch scratch;
    scratch.units_ = units;
    scratch.size_ = (rows * units + padding - 1) / padding * padding;
    if (scratch.data_.size() < buffers * scratch.size_) scratch.data_.resize(buffers * scratch.size_);
    if (scratch.noise_.size() < scratch.size_ + 2 * padding) scratch.noise_.resize(scratch.size_ + 2 * padding);
    return scratch;
  }
  Array<T> operator[](std::size_t i) { return {data_.data() + i * size_, static_cast<std::ptrdiff_t>(units_)}; }
  float* noise() { return noise_.data(); }

 private:
  static constexpr std::size_t padding = 64;  // the longest vector
  std::size_t units_ = 0, size_ = 0;
  std::vector<T> data_;
  std::vector<float> noise_;
};

template <class T>
Array<const T> constant(const Array<T>& a) {
  return {a.data, a.stride};
}

// Rows [first, first + rows) of one activation of a step.
template <class T>
class Piece {
 public:
  Piece(const Step<T>& step, std::size_t first, std::size_t rows, Scratch<T>& scratch)
      : step_(step), first_(first), rows_(rows), scratch_(scratch) {}

  void forward(std::size_t slot, Array<const T> x, Array<T> y) const;
  // Value and slope, and the partial derivative by p where by_p is there (noisy ways only). `unused` is overwritten.
  void backward(std::size_t slot, Array<const T> x, Array<T> y, Array<T> slope, Array<T> by_p, Array<T> unused) const;
  // Adds the gradients of the slot's learned parameters, given that by its value. `unused` is overwritten.
  void add_totals(std::size_t slot, Array<const T> x, Array<const T> by_value, Array<const T> by_p, double* totals,
                  Array<T> unused) const;

  const Gate<T>& gate(std::size_t slot) const { return step_.gates[slot]; }
  // Whether add_totals has anything to do.
  bool learns(std::size_t slot) const { return step_.totals != nullptr && !gate(slot).places.empty(); }
  bool wants_by_p(std::size_t slot) const { return learns(slot) && gate(slot).way != Way::any; }

 private:
  GateRows<T> rows_of(std::size_t slot, Array<const T> x, Array<T> y) const;
  Call call_of(std::size_t slot, Array<const T> x) const;
  NoiseKey key(std::size_t slot) const { return {step_.noise.seed, step_.noise.call + slot}; }

  const Step<T>& step_;
  std::size_t first_, rows_;
  Scratch<T>& scratch_;
};

// f(first row, rows) for pieces of [first, last).
template <class F>
void for_pieces(std::size_t units, std::size_t first, std::size_t last, F f) {
  const std::size_t most = std::max<std::size_t>(1, piece_size / std::max<std::size_t>(units, 1));
  for (std::size_t r = first; r < last; r += most) f(r, std::min(most, last - r));
}

}  // namespace ogee::kernels::recurrent
