// Which units of which tokens are active.
#include <algorithm>
#include <numeric>
#include <string>

#include "kernels/sparse/rows.h"
#include "ogee/sparse.h"

namespace ogee::sparse {
namespace {

void check(std::size_t got, std::size_t want, const char* what) {
  if (got == want) return;
  throw Error(std::string("sparse: ") + what + " has " + std::to_string(got) + " elements; expected " +
              std::to_string(want));
}

template <class A>
void find(std::span<const A> z, std::size_t tokens, std::size_t units, bool positive, std::vector<std::size_t>& begin,
          std::vector<std::uint32_t>& index) {
  check(z.size(), tokens * units, "the activation");
  if (units > UINT32_MAX) throw Error("sparse: more than 2^32 units");
  begin.reserve(tokens + 1);
  std::size_t used = 0;
  for (std::size_t t = 0; t < tokens; ++t) {
    if (index.size() < used + units) index.resize(std::max(used + units, index.size() + index.size() / 2));
    used += kernels::sparse::scan(z.data() + t * units, units, positive, index.data() + used);
    begin.push_back(used);
  }
  index.resize(used);
}

}  // namespace

void Active::count_rows() {
  if (tokens() <= 1) {
    rows_ = pairs();
    return;
  }
  std::vector<std::uint8_t> seen(units_, 0);
  for (const std::uint32_t u : index_) seen[u] = 1;
  rows_ = std::accumulate(seen.begin(), seen.end(), std::size_t{0});
}

template <class A>
Active Active::positive(std::span<const A> z, std::size_t tokens, std::size_t units) {
  Active a;
  a.units_ = units;
  find(z, tokens, units, true, a.begin_, a.index_);
  a.count_rows();
  return a;
}

template <class A>
Active Active::nonzero(std::span<const A> h, std::size_t tokens, std::size_t units) {
  Active a;
  a.units_ = units;
  find(h, tokens, units, false, a.begin_, a.index_);
  a.count_rows();
  return a;
}

Active Active::all(std::size_t tokens, std::size_t units) {
  Active a;
  a.units_ = units;
  a.index_.resize(tokens * units);
  for (std::size_t t = 0; t < tokens; ++t) {
    const auto first = a.index_.begin() + static_cast<std::ptrdiff_t>(t * units);
    std::iota(first, first + static_cast<std::ptrdiff_t>(units), 0u);
    a.begin_.push_back((t + 1) * units);
  }
  a.rows_ = tokens == 0 ? 0 : units;
  return a;
}

template <class A>
std::vector<A> Active::gather(std::span<const A> dense) const {
  check(dense.size(), tokens() * units_, "the array to gather from");
  std::vector<A> values(pairs());
  for (std::size_t t = 0; t < tokens(); ++t) {
    const A* row = dense.data() + t * units_;
    for (std::size_t p = begin_[t]; p < begin_[t + 1]; ++p) values[p] = row[index_[p]];
  }
  return values;
}

template <class A>
void Active::scatter(std::span<const A> values, std::span<A> dense) const {
  check(values.size(), pairs(), "values");
  check(dense.size(), tokens() * units_, "the array to scatter into");
  std::fill(dense.begin(), dense.end(), A{});
  for (std::size_t t = 0; t < tokens(); ++t) {
    A* row = dense.data() + t * units_;
    for (std::size_t p = begin_[t]; p < begin_[t + 1]; ++p) row[index_[p]] = values[p];
  }
}

Active Active::only(std::span<const std::uint8_t> keep) const {
  check(keep.size(), pairs(), "keep");
  Active a;
  a.units_ = units_;
  a.begin_.reserve(begin_.size());
  a.index_.reserve(pairs());
  for (std::size_t t = 0; t < tokens(); ++t) {
    for (std::size_t p = begin_[t]; p < begin_[t + 1]; ++p) {
      if (keep[p] != 0) a.index_.push_back(index_[p]);
    }
    a.begin_.push_back(a.index_.size());
  }
  a.count_rows();
  return a;
}

Active Active::transposed(std::vector<std::size_t>& from) const {
  Active a;
  a.units_ = tokens();
  a.begin_.assign(units_ + 1, 0);
  for (const std::uint32_t u : index_) ++a.begin_[u + 1];
  std::partial_sum(a.begin_.begin(), a.begin_.end(), a.begin_.begin());
  a.index_.resize(pairs());
  from.resize(pairs());
  std::vector<std::size_t> next(a.begin_.begin(), a.begin_.end() - 1);
  for (std::size_t t = 0; t < tokens(); ++t) {
    for (std::size_t p = begin_[t]; p < begin_[t + 1]; ++p) {
      const std::size_t place = next[index_[p]]++;
      a.index_[place] = static_cast<std::uint32_t>(t);
      from[place] = p;
    }
  }
  for (std::size_t t = 0; t < tokens(); ++t) a.rows_ += begin_[t + 1] > begin_[t];
  return a;
}

#define OGEE_INSTANTIATE(A)                                                          \
  template Active Active::positive<A>(std::span<const A>, std::size_t, std::size_t); \
  template Active Active::nonzero<A>(std::span<const A>, std::size_t, std::size_t);  \
  template std::vector<A> Active::gather<A>(std::span<const A>) const;               \
  template void Active::scatter<A>(std::span<const A>, std::span<A>) const;
OGEE_INSTANTIATE(float)
OGEE_INSTANTIATE(double)
#undef OGEE_INSTANTIATE

}  // namespace ogee::sparse
