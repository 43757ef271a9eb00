#include "kernels/attention/step.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/attention/rows.h"
#include "kernels/recurrent/scratch.h"

namespace ogee::kernels::attention {
namespace {

using recurrent::Array;
using recurrent::constant;
using recurrent::for_pieces;
using recurrent::Piece;
using recurrent::Scratch;

// A query and the source that it is asked of.
template <class T>
struct Asked {
  std::size_t row, length;
  const T *keys, *values, *query;
};

// f(query) for all queries of some sources.
template <class T, class F>
void for_queries(const Step<T>& s, std::size_t first, std::size_t last, F f) {
  for (std::size_t i = first; i < last; ++i) {
    const auto length = static_cast<std::size_t>(s.lengths[i]);
    for (std::size_t row = i * s.queries; row < (i + 1) * s.queries; ++row)
      f(i, Asked<T>{row, length, s.keys + i * s.places * s.units, s.values + i * s.places * s.width,
                    s.query + row * s.units});
  }
}

// What a piece of phi's rows needs to know.
template <class T>
recurrent::Step<T> phi_of(const Step<T>& s) {
  recurrent::Step<T> phi{};
  phi.units = s.units;
  phi.gates = s.gate;
  phi.mode = s.mode;
  phi.noise = s.noise;
  phi.totals = s.totals;
  return phi;
}

template <class T>
void softmax(T* e, std::size_t count) {
  const T most = *std::max_element(e, e + count);
  double sum = 0;
  for (std::size_t t = 0; t < count; ++t) {
    e[t] = std::exp(e[t] - most);
    sum += static_cast<double>(e[t]);
  }
  for (std::size_t t = 0; t < count; ++t) e[t] = static_cast<T>(static_cast<double>(e[t]) / sum);
}

}  // namespace

template <class T>
void forward(const Step<T>& s, std::size_t first, std::size_t last) {
  const RowTable<T>& with = table<T>();
  const recurrent::Step<T> phi = phi_of(s);
  for_queries(s, first, last, [&](std::size_t, const Asked<T>& asked) {
    T* const e = s.weights + asked.row * s.places;
    for_pieces(s.units, 0, asked.length, [&](std::size_t t, std::size_t rows) {
      constexpr std::size_t Z = 0, Y = 1, buffers = 2;
      Scratch<T>& scratch = Scratch<T>::of(buffers, rows, s.units);
      with.add_row(rows, s.units, asked.keys + t * s.units, asked.query, scratch[Z].data);
      Piece<T>(phi, asked.row * s.places + t, rows, scratch).forward(0, constant(scratch[Z]), scratch[Y]);
      with.dots(rows, s.units, scratch[Y].data, s.score, e + t);
    });
    softmax(e, asked.length);
    std::fill(e + asked.length, e + s.places, T{0});
    with.add_weighted(asked.length, s.width, e, asked.values,
                      s.context + static_cast<std::ptrdiff_t>(asked.row) * s.stride);
  });
}

template <class T>
void backward(const Step<T>& s, std::size_t first, std::size_t last) {
  const RowTable<T>& with = table<T>();
  const recurrent::Step<T> phi = phi_of(s);
  thread_local std::vector<T> de, sum;
  for_queries(s, first, last, [&](std::size_t source, const Asked<T>& asked) {
    const T* const w = s.weights + asked.row * s.places;
    de.resize(asked.length);
    with.dots(asked.length, s.width, asked.values, s.d_context + static_cast<std::ptrdiff_t>(asked.row) * s.stride,
              de.data());
    if (s.d_weights != nullptr)
      for (std::size_t t = 0; t < asked.length; ++t) de[t] += s.d_weights[asked.row * s.places + t];
    double mean = 0;
    for (std::size_t t = 0; t < asked.length; ++t) mean += static_cast<double>(w[t]) * static_cast<double>(de[t]);
    for (std::size_t t = 0; t < asked.length; ++t) de[t] = w[t] * (de[t] - static_cast<T>(mean));

    T* const d_query = s.d_query + asked.row * s.units;
    std::fill_n(d_query, s.units, T{0});
    sum.assign(s.units, T{0});
    for_pieces(s.units, 0, asked.length, [&](std::size_t t, std::size_t rows) {
      constexpr std::size_t Z = 0, Y = 1, Slope = 2, ByP = 3, ByValue = 4, Unused = 5, buffers = 6;
      Scratch<T>& scratch = Scratch<T>::of(buffers, rows, s.units);
      const Piece<T> piece(phi, asked.row * s.places + t, rows, scratch);
      with.add_row(rows, s.units, asked.keys + t * s.units, asked.query, scratch[Z].data);
      piece.backward(0, constant(scratch[Z]), scratch[Y], scratch[Slope],
                     piece.wants_by_p(0) ? scratch[ByP] : Array<T>{}, scratch[Unused]);
      if (s.totals != nullptr) with.add_weighted(rows, s.units, de.data() + t, scratch[Y].data, sum.data());
      T* const dx = s.d_keys == nullptr ? nullptr : s.d_keys + (source * s.places + t) * s.units;
      with.spread(rows, s.units, de.data() + t, s.score, scratch[Slope].data, scratch[ByValue].data, dx, d_query);
      if (piece.learns(0))
        piece.add_totals(0, constant(scratch[Z]), constant(scratch[ByValue]), constant(scratch[ByP]),
                         s.totals + s.units, scratch[Unused]);
    });
    if (s.totals != nullptr)
      for (std::size_t j = 0; j < s.units; ++j) s.totals[j] += static_cast<double>(sum[j]);
  });
}

template void forward<float>(const Step<float>&, std::size_t, std::size_t);
template void forward<double>(const Step<double>&, std::size_t, std::size_t);
template void backward<float>(const Step<float>&, std::size_t, std::size_t);
template void backward<double>(const Step<double>&, std::size_t, std::size_t);

}  // namespace ogee::kernels::attention
