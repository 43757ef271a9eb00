// A whole feed-forward block over spans.
#include <string>

#include "ogee/sparse.h"

namespace ogee::sparse {
namespace {

struct Named {
  Unit unit;
  std::string_view name;
};
// The catalogue's names come first, then its aliases.
constexpr Named units_known[] = {{Unit::relu, "relu"},          {Unit::squared_relu, "squared_relu"},
                                 {Unit::reglu, "reglu"},        {Unit::drelu_glu, "drelu_glu"},
                                 {Unit::squared_relu, "relu2"}, {Unit::squared_relu, "relu_squared"}};

}  // namespace

Unit unit_named(std::string_view name) {
  for (const Named& known : units_known) {
    if (known.name == name) return known.unit;
  }
  throw Error("no sparse block for '" + std::string(name) + "'; there are relu, squared_relu, reglu and drelu_glu");
}

std::string_view name_of(Unit unit) { return units_known[static_cast<std::size_t>(unit)].name; }

template <class W>
void feed_forward(Unit unit, const Weights<W>& weights, std::span<const Wide<W>> x, std::size_t tokens, std::size_t dim,
                  std::size_t units, std::span<Wide<W>> y, const Options& options) {
  using A = Wide<W>;
  const Active everything = Active::all(tokens, units);
  std::vector<A> gate(tokens * units);
  rows_dot<W>(everything, x, weights.in, dim, weights.bias_in, gate, options);
  Active active = Active::positive<A>(gate, tokens, units);
  std::vector<A> values = active.gather<A>(gate);
  if (unit == Unit::squared_relu) {
    for (A& v : values) v *= v;
  } else if (is_gated(unit)) {
    std::vector<A> up(active.pairs());
    rows_dot<W>(active, x, weights.up, dim, weights.bias_up, up, options);
    std::vector<std::uint8_t> keep(up.size());
    std::size_t kept = 0;
    for (std::size_t p = 0; p < up.size(); ++p) {
      // Not up <= 0, so that a NaN stays.
      keep[p] = unit == Unit::drelu_glu ? !(up[p] <= 0) : up[p] != 0;
      const A product = values[p] * up[p];
      if (keep[p] != 0) values[kept++] = product;
    }
    if (kept != up.size()) {
      active = active.only(keep);
      values.resize(kept);
    }
  }
  rows_sum<W>(active, values, weights.down, dim, weights.bias_out, y, options);
}

#define OGEE_INSTANTIATE(W)                                                                                  \
  template void feed_forward<W>(Unit, const Weights<W>&, std::span<const Wide<W>>, std::size_t, std::size_t, \
                                std::size_t, std::span<Wide<W>>, const Options&);
OGEE_INSTANTIATE(float)
OGEE_INSTANTIATE(double)
OGEE_INSTANTIATE(bfloat16)
#undef OGEE_INSTANTIATE

}  // namespace ogee::sparse
