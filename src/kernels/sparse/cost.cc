// When skipping pays.
#include "kernels/sparse/cost.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "ogee/sparse.h"

namespace ogee::sparse {

const Costs& default_costs(Type weights) {
  // Printed by `bench_sparse --costs --rounds 5` with OPENBLAS_CORETYPE=SKYLAKEX, one thread of an Intel Xeon (family
  // 6, model 207, AVX-512) that reads 13 GB/s, LibTorch 1.13. Constants, so that the same call takes the same way every
  // time; elsewhere other ones may be right. OpenBLAS with kernels for an older processor (its own choice where it does
  // not know this one) makes dense products up to ten times as dear: there skipping would pay more often than it is
  // done. On another processor bfloat16's dense products of large batches were four times as cheap: there it is done
  // too often.
  static constexpr Costs single{
      5000,   0.0735, 0.0347, 0.1172,
      0.1026, 0.0617, 0.1314, {0.2771, 0.3086, 0.3861, 0.3953, 0.4275, 0.5061, 0.6585, 1.096, 1.84, 3.473, 6.582}};
  static constexpr Costs half{
      5000,   0.0626, 0.0369, 0.1577,
      0.1115, 0.0544, 0.1452, {0.2101, 0.236, 0.2878, 0.3804, 0.5653, 0.939, 1.654, 3.135, 6.049, 12.18, 24.46}};
  // Not measured: twice what single precision costs.
  static constexpr Costs wide{
      5000,   0.0735, 0.0694, 0.2344,
      0.2052, 0.1234, 0.2628, {0.5542, 0.6172, 0.7722, 0.7906, 0.855, 1.012, 1.317, 2.192, 3.68, 6.946, 13.16}};
  return weights == Type::float64 ? wide : weights == Type::float32 ? single : half;
}

double sparse_cost(const Costs& costs, Type weights, const Active& active, std::size_t dim, std::size_t sums,
                   std::size_t dots, std::size_t outers) {
  const double size = weights == Type::float64 ? 8 : weights == Type::float32 ? 4 : 2;
  const auto count = [](std::size_t n) { return static_cast<double>(n); };
  const double row_bytes = count(dim) * size;
  // An outer product writes every row, zeros too.
  const double bytes = row_bytes * (count(sums + dots) * count(active.rows()) + count(outers) * count(active.units()));
  const double each = count(active.pairs()) * count(dim);
  const bool few = active.tokens() <= 16;
  const double few_cost = active.tokens() == 1 ? 0 : costs.few;
  const double multiplications = count(sums) * (few                    ? few_cost
                                                : active.tokens() < 64 ? costs.some
                                                                       : costs.sum) +
                                 count(dots) * (few ? few_cost : costs.dot);
  return costs.call + bytes * costs.byte + each * (multiplications + count(outers) * costs.outer);
}

namespace {

// Of a table for 1, 2, 4... tokens, linear between them.
double among(std::span<const double> table, std::size_t tokens) {
  const double place = std::log2(static_cast<double>(tokens));
  const auto last = table.size() - 1;
  if (place >= static_cast<double>(last)) {
    return table[last] * static_cast<double>(tokens) / static_cast<double>(std::size_t{1} << last);
  }
  const auto below = static_cast<std::size_t>(place);
  const auto power = static_cast<double>(std::size_t{1} << below);
  return table[below] + (static_cast<double>(tokens) - power) / power * (table[below + 1] - table[below]);
}

}  // namespace

double dense_cost(const Costs& costs, std::size_t tokens, std::size_t units, std::size_t dim, std::size_t products) {
  if (tokens == 0) return 0;
  return among(costs.dense, tokens) * static_cast<double>(units) * static_cast<double>(dim) *
         static_cast<double>(products);
}

bool in_place_pays(std::size_t tokens) { return tokens <= 12; }

double in_place_cost(Type weights, std::size_t tokens, std::size_t units, std::size_t dim) {
  if (tokens == 0) return 0;
  // Measured where default_costs were; the last number is for the sake of 9 to 12 tokens.
  static constexpr double single[] = {0.265, 0.284, 0.28, 0.32, 0.49};
  return among(single, tokens) * (weights == Type::float64 ? 2 : 1) * static_cast<double>(units) *
         static_cast<double>(dim);
}

}  // namespace ogee::sparse
