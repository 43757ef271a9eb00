#include "monitor/show/style.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace ogee::monitor::show {
namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

bool locale_has_unicode() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = variable(name);
    if (!value) continue;
    return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
  }
  return false;
}

// The byte at which the given column starts.
std::size_t byte_of(std::string_view text, std::size_t column) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (continues(text[at])) continue;
    if (column-- == 0) break;
  }
  return at;
}

}  // namespace

Style style_for(int descriptor) {
  Style style;
  style.unicode = locale_has_unicode();
  if (!isatty(descriptor)) return style;
  const char* terminal = variable("TERM");
  style.colour = !variable("NO_COLOR") && terminal && std::strcmp(terminal, "dumb") != 0;
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.width = std::max<std::size_t>(size.ws_col, 20);
    style.rows = size.ws_row;
  }
  return style;
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string clip(std::string_view text, std::size_t width, const Style& style, bool middle) {
  const std::size_t all = columns(text);
  if (all <= width) return std::string(text);
  const std::string dots = style.unicode ? "…" : "..";
  const std::size_t taken = columns(dots);
  if (width <= taken) return std::string(text.substr(0, byte_of(text, width)));
  const std::size_t tail = middle ? (width - taken) / 2 : 0;
  const std::size_t head = width - taken - tail;
  return std::string(text.substr(0, byte_of(text, head))) + dots + std::string(text.substr(byte_of(text, all - tail)));
}

std::string pad(std::string_view text, std::size_t width, bool right) {
  const std::size_t taken = columns(text);
  const std::string space(width > taken ? width - taken : 0, ' ');
  return right ? space + std::string(text) : std::string(text) + space;
}

std::string wrap(std::string_view text, const Style& style, std::size_t indent, std::string_view first) {
  const std::size_t width = std::max(style.width, indent + 20);
  std::string result, line(first);
  bool empty = true;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find_first_of(" \n", at), text.size());
    const std::string_view word = text.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    if (!empty && columns(line) + 1 + columns(word) > width) {
      result += line + "\n";
      line.assign(indent, ' ');
      empty = true;
    }
    line += (empty ? "" : " ") + std::string(word);
    empty = false;
  }
  return result + line + "\n";
}

std::string printable(std::string_view text, const Style& style) {
  std::string result;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20 || code == 0x7f)
      result += c == '\n' ? '\n' : '?';
    else if (code < 0x80 || style.unicode)
      result += c;
    else if (!continues(c))
      result += '?';
  }
  return result;
}

std::string number(double value) {
  if (std::isnan(value)) return "-";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  const double size = std::abs(value);
  if (size == 0) return "0";
  if (size < 1e-3 || size >= 99999.5) return fmt::format("{:.1e}", value);
  if (size >= 999.5) return fmt::format("{:.0f}", value);
  return fmt::format("{:.3g}", value);
}

std::string percent(double share) {
  if (std::isnan(share)) return "-";
  const double value = 100 * share;
  if (value == 0) return "0";
  if (value < 0.1) return "<0.1 %";
  if (value < 10) return fmt::format("{:.1f} %", value);
  // Not to be mistaken for all of them.
  if (share < 1 && value >= 99.5) return ">99 %";
  return fmt::format("{:.0f} %", value);
}

std::string grouped(long long value) {
  std::string digits = std::to_string(value);
  for (int at = static_cast<int>(digits.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

}  // namespace ogee::monitor::show
