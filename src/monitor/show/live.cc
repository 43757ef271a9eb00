#include "monitor/show/live.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string_view>

#include "monitor/show/table.h"

namespace ogee::monitor::show {
namespace {

constexpr double panel_seconds = 0.25, line_seconds = 5;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

bool can_move(int descriptor) {
  const char* terminal = std::getenv("TERM");
  return isatty(descriptor) && terminal && *terminal && std::string_view(terminal) != "dumb" &&
         style_for(descriptor).rows >= 8;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> result;
  for (std::size_t end = 0; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1))
    result.push_back(text.substr(0, end));
  return result;
}

}  // namespace

Live::Live(int descriptor)
    : descriptor_(descriptor),
      form_(can_move(descriptor) ? Form::panel : Form::lines),
      style_(style_for(descriptor)),
      ask_size_(form_ == Form::panel) {}

Live::Live(int descriptor, Form form, Style style) : descriptor_(descriptor), form_(form), style_(style) {}

Live::~Live() { clear(); }

bool Live::due() const { return now() - shown_ >= (form_ == Form::panel ? panel_seconds : line_seconds); }

// In one call, so that the program's own output stands before or after, not in between.
void Live::put(const std::string& text) const {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t sent = write(descriptor_, text.data() + done, text.size() - done);
    if (sent > 0)
      done += static_cast<std::size_t>(sent);
    else if (errno != EINTR)
      return;
  }
}

// Makes room at the bottom and has the terminal scroll above it only.
void Live::reserve(std::size_t lines, std::size_t screen) {
  clear();
  put(std::string(lines, '\n') + fmt::format("\x1b"
                                             "7\x1b[1;{}r\x1b"
                                             "8\x1b[{}A",
                                             screen - lines, lines));
  height_ = lines;
  screen_ = screen;
}

void Live::clear() {
  if (height_ == 0) return;
  put(
      fmt::format("\x1b"
                  "7\x1b[r\x1b[{};1H\x1b[J\x1b"
                  "8",
                  screen_ - height_ + 1));
  height_ = 0;
}

void Live::show(const Record& record, const std::vector<Finding>& findings) {
  shown_ = now();
  if (form_ == Form::lines) {
    put(summary(record, findings) + "\n");
    return;
  }
  if (ask_size_) style_ = style_for(descriptor_);
  const std::size_t screen = std::max<std::size_t>(style_.rows, 4);
  Style inside = style_;
  inside.rows = std::min(screen / 2, screen - 3) - 1;
  const std::string text = table(record, findings, inside);
  std::vector<std::string_view> lines = lines_of(text);
  lines.resize(std::min(lines.size(), inside.rows));
  // A rule above, then the table. The panel grows when it has to and never shrinks, lest the program's lines jump.
  const std::size_t wanted = std::max(lines.size() + 1, screen == screen_ ? height_ : 0);
  if (wanted != height_ || screen != screen_) reserve(wanted, screen);
  std::string rule;
  for (std::size_t i = 0; i < style_.width; ++i) rule += style_.unicode ? "─" : "-";
  std::string drawn = fmt::format(
      "\x1b"
      "7\x1b[{};1H{}",
      screen - height_ + 1, rule);
  for (std::size_t i = 0; i + 1 < height_; ++i) {
    drawn += fmt::format("\x1b[{};1H\x1b[K", screen - height_ + 2 + i);
    if (i < lines.size()) drawn += lines[i];
  }
  put(drawn +
      "\x1b"
      "8");
}

}  // namespace ogee::monitor::show
