// What a network of linear layers does with the rows of a matrix beside products and activations. Element (i, j) lies
// at data[i*stride + j]. Sums are in the same order on every instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ogee::kernels::dense {

// sum[j] of `rows` x `columns` elements.
void column_sums(std::size_t rows, std::size_t columns, const float* x, std::ptrdiff_t stride, float* sum);

// Rows over their root mean square: y = x*factor, factor = 1/sqrt(mean(x^2) + epsilon), one factor a row. y may be x.
void over_root_mean_square(std::size_t rows, std::size_t columns, float epsilon, const float* x, float* y,
                           float* factor);
// dx, given x, the factors and dy; without gaps between rows. dx may be dy.
void over_root_mean_square_backward(std::size_t rows, std::size_t columns, const float* x, const float* factor,
                                    const float* dy, float* dx);

// The mean over rows of -log softmax(x)[y], and its gradient by x; without gaps between rows, each y in [0, columns).
double cross_entropy(std::size_t rows, std::size_t columns, const float* x, const std::int64_t* y, float* dx);
// The same for long rows (a vocabulary's), where y may be below 0: such a row counts for nothing. The mean is over the
// others, NaN where there are none; dx may be null, or x itself.
double long_cross_entropy(std::size_t rows, std::size_t columns, const float* x, const std::int64_t* y, float* dx);

}  // namespace ogee::kernels::dense
