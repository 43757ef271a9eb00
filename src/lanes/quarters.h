// Doubles less multiples of pi/2, exactly, by integers (Payne and Hanek 1983).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "lanes/turns.h"

namespace ogee::quarters {

struct Reduced {
  double rest;            // within pi/4
  std::int64_t quadrant;  // x = rest + quadrant pi/2, less whole turns
};

// 2^-36 <= |x| < infinity, in units of its last place 2^e an integer m of 53 bits. Of 2/pi those bits that m 2^e times
// them is a multiple of four quarters are dropped; of the others 190 are taken: what is left of a double is at least
// 2^-62 of a quarter, and known to 2^-75 of that.
inline Reduced reduced(double x) {
  __extension__ using Twice = unsigned __int128;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const std::uint64_t m = (bits & 0x000fffffffffffff) | 0x0010000000000000;
  const unsigned begin = static_cast<unsigned>((bits >> 52 & 0x7ff)) - 1075 + 62;  // e + 62: the word of 0 comes first
  const std::uint64_t* const from = turns::quarters + begin / 64;
  const unsigned shift = begin % 64;
  const auto word = [&](std::size_t i) { return from[i] << shift | from[i + 1] >> 1 >> (63 - shift); };
  const Twice third = Twice{m} * word(2);
  const Twice second = Twice{m} * word(1) + static_cast<std::uint64_t>(third >> 64);
  const std::uint64_t first = m * word(0) + static_cast<std::uint64_t>(second >> 64);
  // Quarters, two bits, and a fraction that is read as signed: that many quarters, and one more, less the rest.
  std::int64_t quadrant = static_cast<std::int64_t>(first >> 62);
  Twice fraction = (Twice{first} << 64 | static_cast<std::uint64_t>(second)) << 2 | (third >> 62 & 3);
  const bool beyond = fraction >> 127 != 0;
  if (beyond) {
    ++quadrant;
    fraction = -fraction;
  }
  // Its first 64 bits that count, times pi/2.
  const int zeros = std::countl_zero(static_cast<std::uint64_t>(fraction >> 64) | 1);
  const auto leading = static_cast<std::uint64_t>(fraction << zeros >> 64);
  const auto product = static_cast<std::uint64_t>(Twice{leading} * 0xc90fdaa22168c235 >> 64);
  const double scale = std::bit_cast<double>(static_cast<std::uint64_t>(1023 - 62 - zeros) << 52);
  const double rest = static_cast<double>(static_cast<std::int64_t>(product >> 1)) * scale;
  const bool negative = bits >> 63 != 0;
  return {beyond != negative ? -rest : rest, negative ? -quadrant : quadrant};
}

}  // namespace ogee::quarters
