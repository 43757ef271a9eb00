// Feed-forward blocks whose activation is mostly zero, over plain arrays: products that read only the weights of units
// that are active. Sources: Mirzadeh et al. 2023, 2310.04564 (ReLU); Song et al. 2024, 2406.05955 (dReLU); Liu et al.
// 2023, 2310.17157 (rows of one unit contiguous).
//
//   const auto active = ogee::sparse::Active::nonzero<float>(h, tokens, units);    // which units of which tokens
//   const auto values = active.gather<float>(h);
//   ogee::sparse::rows_sum<float>(active, values, down, dim, {}, y);               // y = h*down
//
// Weights are [units, dim], row by row, so that the row of one unit is contiguous: nn::Linear's own layout for the
// matrices into the hidden layer, and the transposed one for the matrix out of it. They are float, double or bfloat16;
// everything else is Wide<W>: float, or double for double. bfloat16 weights are widened in registers. Spans need no
// alignment, and sizes may be any.
//
// A product of a zero activation and a weight is skipped, so it counts as 0 even where the weight is infinite or NaN (a
// dense product gives NaN there). A NaN activation is active.
//
// The sum of a token is taken in the order of its units, one fused multiply-add after the other: it has the same bits
// whatever else is in the batch, on any number of threads and on every SIMD target; it differs from the exact one by at
// most n*eps/(1 - n*eps) * sum|h*w|, n the number of active units. The order of a dot product depends on the SIMD
// target alone; the same bound holds, n = dim.
//
// Errors: ogee::Error where sizes do not agree. Nothing here prints, and all of it may be called from several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "ogee/ogee.h"

namespace ogee::sparse {

template <class W>
using Wide = std::conditional_t<std::is_same_v<W, double>, double, float>;

// Which units of which tokens are not zero. A pair is an active unit of a token; pairs are numbered token by token,
// units ascending, and whatever belongs to pairs ("values") is an array in that order.
class Active {
 public:
  Active() = default;
  // Active where z > 0 or z is NaN: before the activation. z: [tokens, units]. A: float or double.
  template <class A>
  static Active positive(std::span<const A> z, std::size_t tokens, std::size_t units);
  // Active where h != 0 (or NaN): behind the activation.
  template <class A>
  static Active nonzero(std::span<const A> h, std::size_t tokens, std::size_t units);
  // Every unit of every token.
  static Active all(std::size_t tokens, std::size_t units);

  std::size_t tokens() const { return begin_.size() - 1; }
  std::size_t units() const { return units_; }
  std::size_t pairs() const { return index_.size(); }
  // Units that are active for one token at least: the rows of weights that have to be read.
  std::size_t rows() const { return rows_; }
  // A token's active units, ascending, and where its pairs begin.
  std::span<const std::uint32_t> of(std::size_t token) const {
    return std::span(index_).subspan(begin_[token], begin_[token + 1] - begin_[token]);
  }
  std::size_t first(std::size_t token) const { return begin_[token]; }
  const std::vector<std::size_t>& begin() const { return begin_; }
  const std::vector<std::uint32_t>& index() const { return index_; }

  // The pairs' elements of a [tokens, units] array, and back (zeros elsewhere).
  template <class A>
  std::vector<A> gather(std::span<const A> dense) const;
  template <class A>
  void scatter(std::span<const A> values, std::span<A> dense) const;
  // The pairs that `keep` names (one element each), in the same order.
  Active only(std::span<const std::uint8_t> keep) const;
  // Units and tokens exchanged; pair k of the result is pair from[k] of this one.
  Active transposed(std::vector<std::size_t>& from) const;

 private:
  void count_rows();
  std::size_t units_ = 0, rows_ = 0;
  std::vector<std::size_t> begin_{0};
  std::vector<std::uint32_t> index_;
};

struct Options {
  // Who runs the pieces (null: the calling thread), and into how many at least the work is cut.
  const Parallel* parallel = nullptr;
  std::size_t threads = 1;
};

// y[t] = bias + the sum over the active units u of token t of values[t,u]*weights[u]. bias: [dim], or empty for 0.
// y: [tokens, dim], overwritten. Every active row is read once for as many tokens as stay in the second-level cache.
template <class W>
void rows_sum(const Active& active, std::span<const Wide<W>> values, std::span<const W> weights, std::size_t dim,
              std::span<const Wide<W>> bias, std::span<Wide<W>> y, const Options& options = {});

// values[t,u] = bias[u] + dot(weights[u], x[t]) for active pairs alone. x: [tokens, dim]; bias: [units], or empty.
template <class W>
void rows_dot(const Active& active, std::span<const Wide<W>> x, std::span<const W> weights, std::size_t dim,
              std::span<const Wide<W>> bias, std::span<Wide<W>> values, const Options& options = {});

// dw[u] = the sum over the tokens t for which u is active of values[t,u]*x[t], 0 for a unit without one: the gradient
// of either kind of weights. dw: [units, dim], overwritten; sums are taken in Wide<W> and rounded once.
template <class W>
void rows_outer(const Active& active, std::span<const Wide<W>> values, std::span<const Wide<W>> x, std::size_t dim,
                std::span<W> dw, const Options& options = {});

// ---- A whole block -------------------------------------------------------------------------------------------------

// relu: max(a,0); squared_relu: max(a,0)^2; reglu: max(a,0)*b; drelu_glu: max(a,0)*max(b,0).
enum class Unit { relu, squared_relu, reglu, drelu_glu };
Unit unit_named(std::string_view name);  // by the catalogue's names and aliases; throws Error
std::string_view name_of(Unit unit);
constexpr bool is_gated(Unit unit) { return unit == Unit::reglu || unit == Unit::drelu_glu; }

// All [units, dim]; up for gated units only. Biases may be empty; bias_in and bias_up: [units], bias_out: [dim].
template <class W>
struct Weights {
  std::span<const W> in, up, down;
  std::span<const Wide<W>> bias_in, bias_up, bias_out;
};

// y = unit(x*in^T + bias_in, x*up^T + bias_up)*down + bias_out. x, y: [tokens, dim]. The first product is taken as a
// whole, the others where they are needed: those of the gate's zeros are never computed.
template <class W>
void feed_forward(Unit unit, const Weights<W>& weights, std::span<const Wide<W>> x, std::size_t tokens, std::size_t dim,
                  std::size_t units, std::span<Wide<W>> y, const Options& options = {});

// ---- What pays -----------------------------------------------------------------------------------------------------

// What the products cost on one thread, in nanoseconds.
struct Costs {
  double call;  // whatever is done: finding the active units, going through the lists
  // A byte of a weight's row, from memory.
  double byte;
  // A multiplication, beside that: for 2 to 16 tokens (for one it is hidden behind the memory), for sums of 17 to 63
  // tokens, and for more of them by kind of product.
  double few, some, sum, dot, outer;
  // A weight in LibTorch's dense product, for batches of 1, 2, 4, ... 1024 tokens: interpolated in between,
  // proportional beyond.
  double dense[11];
};
// Measured by bench/sparse --costs, which prints them for the machine it runs on; these are those of an AMD EPYC (Zen
// 5) with OpenBLAS behind LibTorch 1.13. A slower dense product only makes the sparse way pay from less on.
const Costs& default_costs(Type weights);

// Estimates for products with `active` of that many kinds, and for dense ones. Threads speed up both alike.
double sparse_cost(const Costs& costs, Type weights, const Active& active, std::size_t dim, std::size_t sums,
                   std::size_t dots, std::size_t outers);
double dense_cost(const Costs& costs, std::size_t tokens, std::size_t units, std::size_t dim, std::size_t products);

}  // namespace ogee::sparse
