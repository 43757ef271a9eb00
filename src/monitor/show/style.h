// How text for people is laid out: widths, colours, what characters there are.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ogee::monitor::show {

struct Style {
  std::size_t width = 100;
  bool colour = false;
  bool unicode = true;   // or ASCII alone
  std::size_t rows = 0;  // at most so many lines; 0: all
};

// For what is written to this file descriptor: a terminal's size and colours, or plain text of 100 columns. Unicode as
// LC_ALL, LC_CTYPE or LANG say; NO_COLOR and TERM=dumb are heeded.
Style style_for(int descriptor);

// Columns taken: code points, for names hold nothing wider.
std::size_t columns(std::string_view text);
// At most `width` columns; what is too long loses its middle, or its end.
std::string clip(std::string_view text, std::size_t width, const Style& style, bool middle = false);
// To exactly `width` columns.
std::string pad(std::string_view text, std::size_t width, bool right = false);
// Broken at spaces to the style's width, every line but the first after `indent` spaces, the first after `first`.
std::string wrap(std::string_view text, const Style& style, std::size_t indent, std::string_view first);
// Other characters become '?' where there is only ASCII; control characters always do.
std::string printable(std::string_view text, const Style& style);

// Three digits in at most eight columns: "0.0123", "1.2e-07", "41.3"; "-" if not measured.
std::string number(double value);
// "3.1 %", "0", "100 %", "<0.1 %".
std::string percent(double share);
// 1,234,567
std::string grouped(long long value);

}  // namespace ogee::monitor::show
