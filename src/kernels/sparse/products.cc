// The products of ogee/sparse.h: sizes checked, the work cut into pieces.
#include <algorithm>
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

// bfloat16 as the kernels know it.
template <class W>
using Bits = std::conditional_t<std::is_same_v<W, bfloat16>, std::uint16_t, W>;
template <class W>
const Bits<W>* bits(std::span<const W> s) {
  return reinterpret_cast<const Bits<W>*>(s.data());
}

void run(const Options& options, std::size_t count, const std::function<void(std::size_t)>& task) {
  if (options.parallel != nullptr && count > 1) {
    (*options.parallel)(count, task);
  } else {
    for (std::size_t i = 0; i < count; ++i) task(i);
  }
}

std::size_t pieces_of(std::size_t n, std::size_t size) { return (n + size - 1) / size; }

// Few outputs: all at once, each row of weights read once from memory and kept in the second-level cache until all have
// used it; cut by columns, for threads alone. Many: blocks of outputs whose sums stay in the second-level cache.
constexpr std::size_t few = 16;
constexpr std::size_t block_outputs = 256, block_bytes = 1024;  // of a row of sums
constexpr std::size_t tile_bytes = 128 * 1024, tile_rows = 32;  // of weights

// The units that are active for a token at least.
std::vector<std::uint32_t> used_rows(const std::uint32_t* index, std::size_t pairs, std::size_t rows) {
  std::vector<std::uint8_t> seen(rows, 0);
  for (std::size_t p = 0; p < pairs; ++p) seen[index[p]] = 1;
  std::vector<std::uint32_t> used;
  for (std::size_t r = 0; r < rows; ++r) {
    if (seen[r] != 0) used.push_back(static_cast<std::uint32_t>(r));
  }
  return used;
}

template <class W, class A, class Out>
void sum_in_pieces(kernels::sparse::Sum<W, A, Out> job, std::size_t outputs, const Options& options) {
  if (outputs == 0 || job.width == 0) return;
  const std::size_t pairs = job.begin[outputs] - job.begin[0];
  std::size_t columns = job.width, together = outputs;
  job.tile = std::max<std::size_t>(job.rows, 1);
  std::vector<std::uint32_t> used;
  if (outputs <= few && options.threads > 1) {
    // Pieces of whole cache lines, none shorter than four.
    const std::size_t line = 64 / sizeof(W);
    columns = std::max(pieces_of(pieces_of(job.width, options.threads), line) * line, 4 * line);
  }
  if (outputs > few) {
    columns = block_bytes / sizeof(A);
    together = block_outputs;
    // So many rows that each output's sums are fetched for several of them.
    const double density = static_cast<double>(pairs) / (static_cast<double>(job.rows) * static_cast<double>(outputs));
    job.tile = std::max(tile_rows, static_cast<std::size_t>(4 / std::max(density, 1e-3)));
  } else if (outputs > 1 && pairs > 0) {
    used = used_rows(job.index, pairs, job.rows);
    job.used = used.data();
    job.used_end = used.data() + used.size();
    job.tile = std::max<std::size_t>(tile_bytes / (std::min(columns, job.width) * sizeof(W)), 4);
  }
  const std::size_t across = pieces_of(job.width, columns), down = pieces_of(outputs, together);
  run(options, across * down, [&](std::size_t i) {
    kernels::sparse::Sum<W, A, Out> piece = job;
    piece.from = i % across * columns;
    piece.to = std::min(piece.from + columns, job.width);
    piece.first = i / across * together;
    piece.last = std::min(piece.first + together, outputs);
    kernels::sparse::sum(piece);
  });
}

}  // namespace

template <class W>
void rows_sum(const Active& active, std::span<const Wide<W>> values, std::span<const W> weights, std::size_t dim,
              std::span<const Wide<W>> bias, std::span<Wide<W>> y, const Options& options) {
  check(values.size(), active.pairs(), "values");
  check(weights.size(), active.units() * dim, "weights");
  check(y.size(), active.tokens() * dim, "y");
  if (!bias.empty()) check(bias.size(), dim, "bias");
  sum_in_pieces<Bits<W>, Wide<W>, Wide<W>>(
      {active.begin().data(), active.index().data(), values.data(), bits(weights), active.units(), dim,
       bias.empty() ? nullptr : bias.data(), y.data(), 0, 0, 0, 0, 0, nullptr, nullptr},
      active.tokens(), options);
}

template <class W>
void rows_dot(const Active& active, std::span<const Wide<W>> x, std::span<const W> weights, std::size_t dim,
              std::span<const Wide<W>> bias, std::span<Wide<W>> values, const Options& options) {
  using A = Wide<W>;
  check(values.size(), active.pairs(), "values");
  check(weights.size(), active.units() * dim, "weights");
  check(x.size(), active.tokens() * dim, "x");
  if (!bias.empty()) check(bias.size(), active.units(), "bias");
  if (active.pairs() == 0) return;
  // The vectors must find zeros behind the last element of a token.
  std::vector<A> padded;
  const A* from = x.data();
  std::size_t stride = dim;
  if (dim % kernels::sparse::widest != 0) {
    stride = pieces_of(dim, kernels::sparse::widest) * kernels::sparse::widest;
    padded.assign(active.tokens() * stride, A{0});
    for (std::size_t t = 0; t < active.tokens(); ++t) {
      std::copy_n(x.data() + t * dim, dim, padded.data() + t * stride);
    }
    from = padded.data();
  }
  kernels::sparse::Dot<Bits<W>, A> job{active.begin().data(),
                                       active.index().data(),
                                       active.tokens(),
                                       from,
                                       stride,
                                       bits(weights),
                                       dim,
                                       bias.empty() ? nullptr : bias.data(),
                                       values.data(),
                                       0,
                                       0,
                                       active.units(),
                                       nullptr,
                                       nullptr};
  const std::size_t rows = std::max<std::size_t>(active.rows(), 1);
  std::vector<std::uint32_t> used;
  if (active.tokens() > 1) {
    used = used_rows(active.index().data(), active.pairs(), active.units());
    job.used = used.data();
    job.used_end = used.data() + used.size();
    job.tile = std::max<std::size_t>(tile_bytes / std::max<std::size_t>(dim * sizeof(W), 1), 4);
  }
  // Several pieces a thread, as the active units may lie unevenly.
  const std::size_t pieces = options.threads > 1 ? std::min(4 * options.threads, pieces_of(rows, 16)) : 1;
  const std::size_t units = pieces_of(active.units(), pieces);
  run(options, pieces, [&](std::size_t i) {
    kernels::sparse::Dot<Bits<W>, A> piece = job;
    piece.first = std::min(i * units, active.units());
    piece.last = std::min(piece.first + units, active.units());
    kernels::sparse::dot(piece);
  });
}

template <class W>
void rows_outer(const Active& active, std::span<const Wide<W>> values, std::span<const Wide<W>> x, std::size_t dim,
                std::span<W> dw, const Options& options) {
  using A = Wide<W>;
  check(values.size(), active.pairs(), "values");
  check(x.size(), active.tokens() * dim, "x");
  check(dw.size(), active.units() * dim, "dw");
  std::vector<std::size_t> from;
  const Active tokens = active.transposed(from);
  std::vector<A> moved(values.size());
  for (std::size_t p = 0; p < from.size(); ++p) moved[p] = values[from[p]];
  sum_in_pieces<A, A, Bits<W>>({tokens.begin().data(), tokens.index().data(), moved.data(), x.data(), active.tokens(),
                                dim, nullptr, reinterpret_cast<Bits<W>*>(dw.data()), 0, 0, 0, 0, 0, nullptr, nullptr},
                               active.units(), options);
}

#define OGEE_INSTANTIATE(W)                                                                                   \
  template void rows_sum<W>(const Active&, std::span<const Wide<W>>, std::span<const W>, std::size_t,         \
                            std::span<const Wide<W>>, std::span<Wide<W>>, const Options&);                    \
  template void rows_dot<W>(const Active&, std::span<const Wide<W>>, std::span<const W>, std::size_t,         \
                            std::span<const Wide<W>>, std::span<Wide<W>>, const Options&);                    \
  template void rows_outer<W>(const Active&, std::span<const Wide<W>>, std::span<const Wide<W>>, std::size_t, \
                              std::span<W>, const Options&);
OGEE_INSTANTIATE(float)
OGEE_INSTANTIATE(double)
OGEE_INSTANTIATE(bfloat16)
#undef OGEE_INSTANTIATE

}  // namespace ogee::sparse
