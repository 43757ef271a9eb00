// When skipping pays.
#include <algorithm>
#include <cmath>

#include "ogee/sparse.h"

namespace ogee::sparse {

const Costs& default_costs(Type weights) {
  // bench/sparse --costs prints these lines.
  static constexpr Costs single{
      5000,   0.0442, 0.0228, 0.1640,
      0.1117, 0.0473, 0.0691, {0.2323, 0.2937, 0.4241, 0.3838, 0.2980, 0.4352, 0.7162, 1.276, 2.407, 4.731, 9.332}};
  static constexpr Costs half{
      5000,   0.0475, 0.0123, 0.1770,
      0.0926, 0.0290, 0.0746, {0.1188, 0.1197, 0.1199, 0.1380, 0.1724, 0.2473, 0.3772, 0.6552, 1.221, 2.465, 5.283}};
  // Not measured: twice what single precision costs.
  static constexpr Costs wide{
      5000,   0.0442, 0.0456, 0.3280,
      0.2234, 0.0946, 0.1382, {0.4646, 0.5874, 0.8482, 0.7676, 0.5960, 0.8704, 1.4324, 2.552, 4.814, 9.462, 18.664}};
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
