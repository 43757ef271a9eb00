// When skipping pays.
#include <algorithm>
#include <cmath>

#include "ogee/sparse.h"

namespace ogee::sparse {

const Costs& default_costs(Type weights) {
  // bench/sparse --costs prints these lines.
  static constexpr Costs single{5000,  0.045, 0.030,
                                0.030, 0.040, {0.16, 0.35, 0.32, 0.38, 0.51, 0.78, 1.3, 2.4, 4.8, 9.6, 19.2}};
  static constexpr Costs half{5000,  0.045, 0.040,
                              0.040, 0.040, {0.16, 0.35, 0.32, 0.38, 0.51, 0.78, 1.3, 2.4, 4.8, 9.6, 19.2}};
  static constexpr Costs wide{5000,  0.045, 0.060,
                              0.060, 0.080, {0.32, 0.70, 0.64, 0.76, 1.0, 1.6, 2.6, 4.8, 9.6, 19.2, 38.4}};
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
  return costs.call + bytes * costs.byte +
         each * (count(sums) * costs.sum + count(dots) * costs.dot + count(outers) * costs.outer);
}

double dense_cost(const Costs& costs, std::size_t tokens, std::size_t units, std::size_t dim, std::size_t products) {
  if (tokens == 0) return 0;
  constexpr int last = 10;
  const double place = std::log2(static_cast<double>(tokens));
  double each = 0;
  if (place >= last) {
    each = costs.dense[last] * static_cast<double>(tokens) / (1 << last);
  } else {
    const int below = static_cast<int>(place);
    const double part = (static_cast<double>(tokens) - (1 << below)) / (1 << below);
    each = costs.dense[below] + part * (costs.dense[below + 1] - costs.dense[below]);
  }
  return each * static_cast<double>(units) * static_cast<double>(dim) * static_cast<double>(products);
}

}  // namespace ogee::sparse
