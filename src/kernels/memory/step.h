// One time step of a neural Turing machine's memory (Graves, Wayne, Danihelka 2014): where the heads look, what they
// read, what they write; forward and backward, an example of the batch at a time.
//
// An example's arrays, without gaps, all of T:
//   memory     [width][locations]   the locations lie side by side, so that every loop over them is one over vectors
//   weights    [heads][locations]   of the reading heads, then of the writing ones
//   reads      [reads][width]
//   interface  for every head a key (width), strength, gate, shift (3: back, stay, on), sharpness; of a writing one
//              also what to erase (width) and to add (width)
//   kept       [3*heads + 1][locations]  for backward: similarities, weights by content, weights before sharpening, of
//              each head; then one over the norms of the memory's rows
#pragma once

#include <cstddef>

namespace ogee::kernels::memory {

struct Shape {
  std::size_t locations, width, reads, writes;

  std::size_t heads() const { return reads + writes; }
  std::size_t cells() const { return locations * width; }
  std::size_t interface() const { return heads() * (width + 6) + writes * 2 * width; }
  std::size_t kept() const { return (3 * heads() + 1) * locations; }
  // Where a head's part of the interface begins.
  std::size_t part(std::size_t head) const {
    return head * (width + 6) + (head > reads ? head - reads : 0) * 2 * width;
  }
};

// Added to the squares of norms, so that an empty location is like nothing at all.
inline constexpr double epsilon = 1e-6;

// Of several examples, one after another.
template <class T>
struct Forward {
  Shape shape;
  std::size_t examples;
  const T *interface, *memory, *weights;
  T *new_memory, *new_weights, *reads;
  T* kept;
};
template <class T>
void forward(const Forward<T>& step);

template <class T>
struct Backward {
  Shape shape;
  std::size_t examples;
  const T *interface, *memory, *weights, *new_weights, *kept;
  const T *d_new_memory, *d_new_weights, *d_reads;  // null: zeros
  T *d_interface, *d_memory, *d_weights;            // are written over
};
template <class T>
void backward(const Backward<T>& step);

}  // namespace ogee::kernels::memory
