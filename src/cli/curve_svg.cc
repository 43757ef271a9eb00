#include "cli/curve_svg.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace ogee::cli {
namespace {

constexpr double width = 640, height = 420, left = 56, right = 16, top = 44, bottom = 36;

struct Line {
  const char* label;
  const char* colour;
  std::vector<double> y;
};

// A step of 1, 2 or 5 times a power of ten that gives about `count` ticks.
double tick_step(double span, int count) {
  const double raw = span / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (double m : {1.0, 2.0, 5.0}) {
    if (raw <= m * power) return m * power;
  }
  return 10 * power;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string curve_svg(const Activation& activation, double low, double high) {
  constexpr int samples = 1200;
  std::vector<double> xs;
  std::array<Line, 3> lines{
      {{"value", "#2a78d6", {}}, {"derivative", "#d9622b", {}}, {"second derivative", "#3a9a5b", {}}}};
  for (int i = 0; i <= samples; ++i) {
    const double x = low + (high - low) * i / samples;
    const std::array<double, 1> input{x};
    xs.push_back(x);
    const Exact e = exact(activation, input, 0, Mode::evaluation);
    lines[0].y.push_back(e.value);
    lines[1].y.push_back(e.derivatives[0]);
    lines[2].y.push_back(exact_second(activation, input, 0, Mode::evaluation)[0]);
  }
  double y_low = 0, y_high = 0;
  for (std::size_t k = 0; k < 2; ++k) {  // the second derivative is clipped where it is much larger than the others
    for (double y : lines[k].y) {
      if (!std::isfinite(y)) continue;
      y_low = std::min(y_low, y);
      y_high = std::max(y_high, y);
    }
  }
  const double margin = 0.06 * std::max(y_high - y_low, 1e-3);
  for (double y : lines[2].y) {
    if (!std::isfinite(y)) continue;
    y_low = std::min(y_low, std::max(y, y_low - 5 * margin));
    y_high = std::max(y_high, std::min(y, y_high + 5 * margin));
  }
  y_low -= margin;
  y_high += margin;
  const auto px = [&](double x) { return left + (x - low) / (high - low) * (width - left - right); };
  const auto py = [&](double y) { return height - bottom - (y - y_low) / (y_high - y_low) * (height - top - bottom); };

  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "font-family=\"system-ui, sans-serif\" font-size=\"12\" role=\"img\">\n"
      "<title>{2}</title>\n"
      "<style>.ink{{fill:#333}} .grid{{stroke:#8884}} .axis{{stroke:#888}} "
      "@media (prefers-color-scheme: dark) {{ .ink{{fill:#ddd}} }}</style>\n"
      "<text class=\"ink\" x=\"{3}\" y=\"18\" font-size=\"15\">{2}</text>\n",
      width, height, escaped(activation.text()), left);
  const auto add_tick = [&](bool horizontal, double at) {
    const double value = std::fabs(at) < 1e-12 ? 0 : at;
    const char* kind = value == 0 ? "axis" : "grid";
    if (horizontal) {
      svg += fmt::format(
          "<line class=\"{0}\" x1=\"{1:.1f}\" x2=\"{1:.1f}\" y1=\"{2}\" y2=\"{3}\"/><text class=\"ink\" "
          "x=\"{1:.1f}\" y=\"{4}\" text-anchor=\"middle\">{5:g}</text>\n",
          kind, px(value), top, height - bottom, height - bottom + 18, value);
    } else {
      svg += fmt::format(
          "<line class=\"{0}\" x1=\"{1}\" x2=\"{2}\" y1=\"{3:.1f}\" y2=\"{3:.1f}\"/><text class=\"ink\" "
          "x=\"{4}\" y=\"{5:.1f}\" text-anchor=\"end\">{6:g}</text>\n",
          kind, left, width - right, py(value), left - 6, py(value) + 4, value);
    }
  };
  const double x_step = tick_step(high - low, 10), y_step = tick_step(y_high - y_low, 8);
  for (double x = std::ceil(low / x_step) * x_step; x <= high + 1e-9; x += x_step) add_tick(true, x);
  for (double y = std::ceil(y_low / y_step) * y_step; y <= y_high; y += y_step) add_tick(false, y);

  double legend = left;
  for (const Line& line : lines) {
    std::string path;
    bool drawing = false;
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const double y = line.y[i];
      const bool inside = std::isfinite(y) && y >= y_low && y <= y_high;
      // A jump is a gap, not a steep line.
      const bool jump = drawing && i > 0 && std::fabs(y - line.y[i - 1]) > 0.15 * (y_high - y_low);
      if (inside) path += fmt::format("{}{:.1f},{:.1f} ", drawing && !jump ? "L" : "M", px(xs[i]), py(y));
      drawing = inside;
    }
    svg += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"/>\n", path, line.colour,
                       &line == &lines[0] ? "2.5" : "1.5");
    svg += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"32\" y2=\"32\" stroke=\"{2}\" stroke-width=\"2.5\"/>"
        "<text class=\"ink\" x=\"{3}\" y=\"36\">{4}</text>\n",
        legend, legend + 20, line.colour, legend + 26, line.label);
    legend += 48 + 7.2 * static_cast<double>(std::string_view(line.label).size());
  }
  return svg + "</svg>\n";
}

}  // namespace ogee::cli
