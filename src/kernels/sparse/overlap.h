// Units that weigh a rectified dot product by how much their input and their weights overlap:
//
//   z = max(x.w + b, 0) * J(x, w)
//
// over rows of a matrix that may be sparse, which are never made dense. With sums over all features i, w+ = max(w, 0):
//
//   Ruzicka      J = m/M,  m = sum min(x_i, w_i+),  M = sum max(x_i, w_i+)       (the weighted Jaccard coefficient)
//                As max + min = x + w+, M = X + W - m with X = sum x_i and W = sum w_i+: only m needs a sum over the
//                features that x has (x_i = 0 adds min(0, w_i+) = 0), and W is one number a unit.
//                dJ/dw_i = 1/M where 0 < w_i < x_i; -m/M^2 where w_i > 0 and w_i >= x_i; 0 where w_i <= 0
//                dJ/dx_i = 1/M where x_i < w_i+; -m/M^2 elsewhere
//   Tanimoto     J = N/D,  N = x.w,  D = |x|^2 + |w|^2 - N >= (|x|^2 + |w|^2)/2
//                dJ/dw = ((D + N) x - 2 N w)/D^2,  dJ/dx = ((D + N) w - 2 N x)/D^2
//   L1 Tanimoto  J = N/D,  D = |x|_1 + |w|_1 - N, for x in [0, 1], where D >= |x|_1
//                dJ/dw = ((D + N) x - N sign(w))/D^2,  dJ/dx = ((D + N) w - N sign(x))/D^2
//
// J = 0, with slope 0, where both are all zeros (M or D is 0). The rectifier's slope at 0 is 0.
//
// A derivative by w has a part that is the same for all features (-m/M^2, or a multiple of w_i or its sign), summed
// over rows once a unit, and one for the features that x has.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ogee::kernels::sparse {

enum class Overlap { ruzicka, tanimoto, l1_tanimoto };

// Row r holds `values` (1 where null) at the columns `column` from begin[r] on, begin[r + 1] - begin[r] of them, no
// column twice. Without `begin` rows are dense: `features` values each, one after another.
template <class T>
struct OverlapRows {
  const std::int64_t* begin = nullptr;
  const std::int64_t* column = nullptr;
  const T* values = nullptr;
  std::size_t features = 0;
};

template <class T>
struct OverlapUnits {
  Overlap overlap;
  std::size_t units = 0;
  const T* weight = nullptr;  // [features, units]: what a row needs of a feature lies in one piece
  const T* bias = nullptr;    // [units], or null
  const T* size = nullptr;    // [units], of overlap_sizes: W, |w|^2 or |w|_1
};

// The sizes of units [first, last).
template <class T>
void overlap_sizes(Overlap overlap, const T* weight, std::size_t features, std::size_t units, std::size_t first,
                   std::size_t last, T* size);
// z of rows [first, last): [rows, units].
template <class T>
void overlap_forward(const OverlapRows<T>& x, const OverlapUnits<T>& w, std::size_t first, std::size_t last, T* z);
// Adds to the gradients of the weights and biases (null: not wanted) of units [first, last), from dz [rows, units].
template <class T>
void overlap_backward_weights(const OverlapRows<T>& x, const OverlapUnits<T>& w, std::size_t rows, const T* dz,
                              std::size_t first, std::size_t last, T* dweight, T* dbias);
// The gradients of the values of rows [first, last), laid out as the values are.
template <class T>
void overlap_backward_values(const OverlapRows<T>& x, const OverlapUnits<T>& w, std::size_t first, std::size_t last,
                             const T* dz, T* dvalues);

}  // namespace ogee::kernels::sparse
