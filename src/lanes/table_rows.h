// Tables of polynomials turned, for vectors that cannot hold them: an interval's coefficients beside one another.
#pragma once

#include <cstddef>

namespace ogee {

// Whether an interval's middle is in the table, too.
template <class Table>
concept Centred = requires {
  Table::centre;
};

// A row holds the coefficients, then the centre; it is padded, so that its address is a shift away, with zeros.
template <class Table>
struct TableRows {
  static constexpr std::size_t columns = Table::size + (Centred<Table> ? 1 : 0);
  static constexpr std::size_t stride = columns <= 4 ? 4 : columns <= 8 ? 8 : 16;
  struct Values {
    alignas(64) float of[32 * stride];
  };
  static constexpr Values turned() {
    Values rows{};
    for (std::size_t k = 0; k < 32; ++k) {
      for (std::size_t i = 0; i < Table::size; ++i) rows.of[k * stride + i] = Table::c[i][k];
      if constexpr (Centred<Table>) rows.of[k * stride + Table::size] = Table::centre[k];
    }
    return rows;
  }
  static constexpr Values values = turned();
};

}  // namespace ogee
