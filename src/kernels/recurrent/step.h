// One time step of a recurrent cell after the products with its weights: all activations and what joins them, forward
// and backward, a few rows of the batch at a time, so that every pre-activation is read from memory once.
//
// Backward computes the activations again from the pre-activations, and draws the same noise again: nothing but
// pre-activations and states is kept between the two.
//
// Noise: activation `slot` of a step has a stream of its own, {seed, call + slot}; element r*units + j belongs to unit
// j of row r. So the numbers do not depend on how rows are shared among threads.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/recurrent/rows.h"
#include "ogee/ogee.h"

namespace ogee::kernels::recurrent {

// The activations of a cell, in this order.
inline constexpr std::size_t input_gate = 0, forget_gate = 1, candidate = 2, output_gate = 3, cell_output = 4,
                             lstm_slots = 5;
inline constexpr std::size_t reset_gate = 0, update_gate = 1, gru_slots = 3;  // and the candidate
inline constexpr std::size_t mgu_slots = 2;                                   // the gate, the candidate
// Calls of the stream that a step uses at most.
inline constexpr std::uint64_t calls_a_step = 8;

// One activation, ready for a sequence.
template <class T>
struct Gate {
  // learned[k]: `units` values of the k-th learned parameter of the activation's spec.
  Gate(const Activation& activation, std::vector<std::vector<double>> learned);

  const Function* function;
  Way way = Way::any;
  std::vector<double> values;                // of every parameter of the spec
  std::vector<std::size_t> places;           // of the learned ones in the spec
  std::vector<std::vector<double>> learned;  // theirs, a value a unit
  std::vector<T> p;                          // noisy ways
  double alpha = 1, c = 0;
  bool half_normal = false;
  bool noisy = false;  // draws noise in training
  Noise kind = Noise::none;
  double at_evaluation = 0;

  // Whether its parameters' gradients take a second look at the pre-activations.
  bool reads_again() const { return way == Way::any && !places.empty(); }
};

// Arrays of T are rows without gaps, but for `sums` and `d_sums`, whose rows are all pre-activations of a cell.
template <class T>
struct Step {
  std::size_t units;
  const Gate<T>* gates;
  Mode mode;
  NoiseKey noise;
  const T* sums;      // LSTM: i, f, g, o. GRU: n from x, r, z, n from h. MGU: n from x, f, n from h
  const T* before;    // LSTM: the cell states of the step before; GRU, MGU: the hidden ones
  const T* peephole;  // LSTM: three times `units` weights, to i, f and o; or null
  T* c;               // LSTM; read by backward
  T* h;               // forward

  // Backward: the gradient by h is the sum of two, either may be null; so may dc, the one by c.
  const T *dh, *dh_more, *dc;
  T* d_sums;    // may be `sums`, unless a gate reads_again()
  T* d_before;  // by `before`, for GRU and MGU without what flows through the product
  // What is added to: `units` numbers for every learned parameter of every gate, and 3*units for the peephole.
  double* totals;
};

template <class T>
void lstm_forward(const Step<T>& step, std::size_t first_row, std::size_t last_row);
template <class T>
void lstm_backward(const Step<T>& step, std::size_t first_row, std::size_t last_row);
template <class T>
void gru_forward(const Step<T>& step, bool minimal, std::size_t first_row, std::size_t last_row);
template <class T>
void gru_backward(const Step<T>& step, bool minimal, std::size_t first_row, std::size_t last_row);

}  // namespace ogee::kernels::recurrent
