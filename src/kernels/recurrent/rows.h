// The contract between the driver of a recurrent cell's step (step.h), which knows gates, noise and scratch memory, and
// the SIMD kernels, which know a few rows: an activation of one gate (gates.cc), and what joins the gates (joins.cc).
#pragma once

#include <cstddef>

namespace ogee::kernels::recurrent {

// Activations with kernels of their own; all others go through the general kernels of the catalogue.
enum class Way {
  sigmoid,
  tanh,
  noisy_sigmoid,  // nan_* and nah_*, by base
  noisy_tanh,
  noisy_hard_sigmoid,
  noisy_hard_tanh,
  any,
};
inline constexpr std::size_t ways = 6;  // without the last

// Element (r, j) of an array lies at data[r*stride + j].
template <class T>
struct Array {
  T* data = nullptr;
  std::ptrdiff_t stride = 0;
};

// One activation over rows x units pre-activations.
template <class T>
struct GateRows {
  std::size_t rows, units;
  Array<const T> x;
  // Noisy ones: phi = h + (alpha - 1) v - sgn(x) c (sigmoid(p v) - 1/2)^2 e. `noise` has rows*units numbers without
  // gaps, and room for a vector more; where it is null, every number is `constant`. half_normal: e is |noise|.
  const T* p;  // one a unit
  double alpha, c;
  bool half_normal;
  const float* noise;
  double constant;
  // Results: the value, and, in backward, the slope, and the partial derivative by p unless null.
  Array<T> y, slope, by_p;
};

// The join of a cell's gates. Every array has rows x units elements; pointers that are null are not there.
template <class T>
struct LstmRows {
  std::size_t rows, units;
  Array<const T> input, forget, candidate, output, shown;  // values; shown = phi(c)
  Array<const T> input_slope, forget_slope, candidate_slope, output_slope, shown_slope;
  Array<const T> c_before;
  Array<T> c, h;
  // Backward. dh is the sum of two. The peephole's weights by gate, or null.
  Array<const T> dh, dh_more, dc, c_now;
  const T *to_input, *to_forget, *to_output;
  Array<T> d_input, d_forget, d_candidate, d_output;  // by pre-activations
  Array<T> dc_before;
  // Gradients by the values of the five activations, for their parameters.
  Array<T> by_input, by_forget, by_candidate, by_output, by_shown;
};

// GRU: a = from_x + reset*from_h, h = n + update*(h_before - n), n = phi(a). MGU: `reset` and `update` are one gate f,
// and h = h_before + f*(n - h_before).
template <class T>
struct GruRows {
  std::size_t rows, units;
  bool minimal;
  Array<const T> from_x, from_h, reset, update, candidate, h_before;
  Array<const T> reset_slope, update_slope, candidate_slope;
  Array<T> a, h;
  Array<const T> dh, dh_more;
  Array<T> d_from_x, d_from_h, d_reset, d_update;  // by pre-activations; minimal: d_reset alone
  Array<T> dh_before;                              // without what flows through the product with the weights
  Array<T> by_reset, by_update, by_candidate;
};

// For one instruction set and type.
template <class T>
struct GateTable {
  void (*forward[ways])(const GateRows<T>&);
  void (*backward[ways])(const GateRows<T>&);
};
template <class T>
struct JoinTable {
  // out = x + w*c, w one a unit: what a peephole adds.
  void (*add_peephole)(std::size_t rows, std::size_t units, Array<const T> x, const T* w, Array<const T> c,
                       Array<T> out);
  void (*lstm_cell)(const LstmRows<T>&);    // c = forget*c_before + input*candidate
  void (*lstm_output)(const LstmRows<T>&);  // h = output*shown
  void (*lstm_backward)(const LstmRows<T>&);
  void (*gru_candidate)(const GruRows<T>&);  // a
  void (*gru_output)(const GruRows<T>&);     // h
  void (*gru_backward)(const GruRows<T>&);
  // sum[j] += the sum over rows of a*b; of a where b is null.
  void (*accumulate)(std::size_t rows, std::size_t units, Array<const T> a, Array<const T> b, double* sum);
};

template <class T>
const GateTable<T>& gate_kernels();
template <class T>
const JoinTable<T>& join_kernels();

}  // namespace ogee::kernels::recurrent
