// One time step of additive attention (Bahdanau, Cho, Bengio 2015, 1409.0473): how well each place of a source fits a
// query, and the mean of the places' values, weighted by that.
//
//   e[t] = sum over j of score[j] phi(query[j] + key[t][j]);  w = softmax(e) over the source's places;
//   context = sum over t of w[t] value[t]
//
// Backward computes phi again from queries and keys, and draws the same noise again: of a step, only the weights are
// kept. Arrays are rows without gaps, but for contexts.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/recurrent/step.h"

namespace ogee::kernels::attention {

template <class T>
struct Step {
  std::size_t places;              // of the longest source
  std::size_t units;               // of a key
  std::size_t width;               // of a value
  std::size_t queries;             // asked of every source, one after another
  const recurrent::Gate<T>* gate;  // phi; element (row*places + t)*units + j of its noise belongs to unit j of place t
  Mode mode;
  NoiseKey noise;
  const T *keys, *values;       // [sources][places][units], [sources][places][width]
  const std::int64_t* lengths;  // [sources]: their own places, the first ones; 1 to `places`
  const T* score;               // [units]
  const T* query;               // [rows][units]
  T* weights;                   // [rows][places], 0 beyond the length; read by backward
  T* context;                   // [rows][width], every `stride`; is added to
  std::ptrdiff_t stride;

  // Backward.
  const T* d_weights;  // null: zeros
  const T* d_context;  // every `stride`
  T* d_query;          // is written over
  T* d_keys;           // is added to; or null
  double* totals;      // `units` by score, then by each learned parameter of phi; is added to; or null
};

template <class T>
void forward(const Step<T>& step, std::size_t first_source, std::size_t last_source);
template <class T>
void backward(const Step<T>& step, std::size_t first_source, std::size_t last_source);

}  // namespace ogee::kernels::attention
