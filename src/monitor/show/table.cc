#include "monitor/show/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

namespace ogee::monitor::show {
namespace {

constexpr std::string_view reset = "\x1b[0m";
constexpr std::string_view faint = "\x1b[2m";

std::string_view colour_of(Severity severity) {
  switch (severity) {
    case Severity::error: return "\x1b[31m";
    case Severity::warning: return "\x1b[33m";
    case Severity::note: break;
  }
  return "\x1b[36m";
}

const Snapshot* latest(const Layer& layer) {
  if (!layer.history.empty()) return &layer.history.back();
  return layer.windows > 0 ? &layer.first : nullptr;
}

double gradient_of(const Snapshot& s) { return std::isnan(s.z_gradient) ? s.y_gradient : s.z_gradient; }

double or_zero(double value) { return std::isnan(value) ? 0 : value; }

// How much there is to look at where nothing was found.
double concern(const Snapshot* s) {
  if (!s) return -1;
  return or_zero(s->left) + or_zero(s->right) + 2 * or_zero(s->silent_units) + or_zero(s->stuck_units);
}

// Numbers on a logarithmic scale as a bar of eighths.
std::string bar(double value, double low, double high, std::size_t width, const Style& style) {
  if (!(value > 0) || !std::isfinite(value)) return "";
  const double share = high > low ? (std::log(value) - std::log(low)) / (std::log(high) - std::log(low)) : 1;
  const double cells = std::max(0.125, static_cast<double>(width) * std::clamp(share, 0.0, 1.0));
  const auto whole = static_cast<std::size_t>(cells);
  if (!style.unicode) return std::string(std::max<std::size_t>(whole, 1), '#');
  static constexpr std::array<const char*, 8> eighths{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  std::string result;
  for (std::size_t i = 0; i < whole; ++i) result += "█";
  return result + eighths[static_cast<std::size_t>((cells - static_cast<double>(whole)) * 8)];
}

// The course of a number over the history: between its least and its largest, on a logarithmic scale.
std::string sparkline(const std::vector<Snapshot>& history, double Snapshot::*field, std::size_t width,
                      const Style& style) {
  static constexpr std::array<const char*, 8> blocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static constexpr std::string_view ascii = "_.-=+*%#";
  std::vector<double> values;
  for (const Snapshot& s : history)
    if (s.*field > 0 && std::isfinite(s.*field)) values.push_back(std::log(s.*field));
  if (values.size() < 2) return "";
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  // What hardly moves is drawn as level: a factor of less than 1.5 fills the height only in part.
  const double middle = (*low + *high) / 2, half = std::max((*high - *low) / 2, std::log(1.5) / 2);
  std::string result;
  const std::size_t cells = std::min(width, values.size());
  for (std::size_t i = 0; i < cells; ++i) {
    const double value = values[cells == 1 ? 0 : i * (values.size() - 1) / (cells - 1)];
    const auto level = static_cast<std::size_t>(std::clamp((value - middle + half) / (2 * half) * 7.99, 0.0, 7.99));
    result += style.unicode ? blocks[level] : std::string(1, ascii[level]);
  }
  return result;
}

struct Column {
  std::string head;
  int priority;  // columns of the largest number go first where it is narrow
  bool right;
  std::vector<std::string> cells;
  std::size_t width() const {
    std::size_t result = columns(head);
    for (const std::string& cell : cells) result = std::max(result, columns(cell));
    return result;
  }
};

std::size_t total_width(const std::vector<Column>& all) {
  std::size_t result = 2 * (all.size() - 1);
  for (const Column& column : all) result += column.width();
  return result;
}

// The dotted parts that all names begin with, which a narrow table leaves out.
std::size_t common_prefix(const std::vector<const Layer*>& shown) {
  if (shown.size() < 2) return 0;
  std::string_view prefix = shown[0]->name;
  for (const Layer* layer : shown) {
    const auto [end, other] = std::mismatch(prefix.begin(), prefix.end(), layer->name.begin(), layer->name.end());
    prefix = prefix.substr(0, static_cast<std::size_t>(end - prefix.begin()));
  }
  return prefix.rfind('.') == std::string_view::npos ? 0 : prefix.rfind('.') + 1;
}

std::vector<Column> columns_of(const std::vector<const Layer*>& shown, const Style& style) {
  double low = INFINITY, high = 0;
  for (const Layer* layer : shown) {
    const Snapshot* s = latest(*layer);
    const double g = s ? gradient_of(*s) : not_measured;
    if (g > 0 && std::isfinite(g)) low = std::min(low, g), high = std::max(high, g);
  }
  // A decade at least, so that equal gradients look equal; the least is no empty bar.
  low = std::min(low / 2, high / 20);
  std::vector<Column> all{{"layer", 0, false, {}},       {"function", 3, false, {}},  {"z mean", 6, true, {}},
                          {"z dev", 4, true, {}},        {"z in time", 9, false, {}}, {"left", 1, true, {}},
                          {"right", 1, true, {}},        {"silent", 2, true, {}},     {"gradient", 1, true, {}},
                          {"over layers", 8, false, {}}, {"update", 5, true, {}}};
  for (const Layer* layer : shown) {
    const Snapshot* s = latest(*layer);
    const Snapshot none;
    if (!s) s = &none;
    const std::string& function = layer->function.text.empty() ? layer->op : layer->function.text;
    const std::array<std::string, 11> row{printable(layer->name, style),
                                          clip(printable(function, style), 20, style),
                                          number(s->z_mean),
                                          number(s->z_deviation),
                                          sparkline(layer->history, &Snapshot::z_deviation, 12, style),
                                          percent(s->left),
                                          percent(s->right),
                                          percent(s->silent_units),
                                          number(gradient_of(*s)),
                                          bar(gradient_of(*s), low, high, 11, style),
                                          number(s->update_ratio)};
    for (std::size_t i = 0; i < row.size(); ++i) all[i].cells.push_back(row[i]);
  }
  // What nobody measured needs no column.
  std::erase_if(all, [](const Column& column) {
    return column.priority > 1 &&
           std::all_of(column.cells.begin(), column.cells.end(), [](auto& c) { return c.empty() || c == "-"; });
  });
  // Long names give way first, but keep some columns as long as there are others of little weight.
  if (total_width(all) > style.width)
    if (const std::size_t prefix = common_prefix(shown))
      for (std::size_t i = 0; i < shown.size(); ++i)
        all[0].cells[i] = (style.unicode ? "…" : "..") + printable(shown[i]->name.substr(prefix), style);
  while (total_width(all) > style.width) {
    const std::size_t names = all[0].width(), over = total_width(all) - style.width;
    const auto last = std::max_element(all.begin(), all.end(),
                                       [](const Column& a, const Column& b) { return a.priority < b.priority; });
    const std::size_t least = last->priority >= 8 ? 28 : last->priority > 0 ? 16 : 6;
    if (names > least && names - over >= least && names > over) {
      for (std::string& name : all[0].cells) name = clip(name, names - over, style, true);
      break;
    }
    if (last->priority == 0) break;
    all.erase(last);
  }
  return all;
}

// The layers' places that fit into `rows`, in order: those that findings name, the first and last of those that share
// one, then by turns the ones with most to look at and some of all depths.
std::vector<std::size_t> choose(const Record& record, const std::vector<Finding>& findings, std::size_t rows) {
  std::vector<std::size_t> all(record.layers.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  if (rows >= all.size()) return all;
  std::set<std::size_t> chosen;
  const auto take = [&](const std::string& name) {
    for (const std::size_t i : all)
      if (chosen.size() < rows && record.layers[i].name == name) chosen.insert(i);
  };
  for (const Finding& f : findings) {
    if (!f.layer.empty()) take(f.layer);
    if (!f.layers.empty()) take(f.layers.front()), take(f.layers.back());
  }
  std::vector<std::size_t> worst = all;
  std::stable_sort(worst.begin(), worst.end(), [&](std::size_t a, std::size_t b) {
    return concern(latest(record.layers[a])) > concern(latest(record.layers[b]));
  });
  const std::size_t free = rows - chosen.size();
  for (std::size_t i = 0; i < (free + 1) / 2; ++i) chosen.insert(worst[i]);
  for (std::size_t i = 0; chosen.size() < rows && i < rows; ++i) chosen.insert(i * (all.size() - 1) / (rows - 1));
  for (std::size_t i = 0; chosen.size() < rows; ++i) chosen.insert(worst[i]);
  return {chosen.begin(), chosen.end()};
}

std::string others(const Record& record, const std::vector<std::size_t>& chosen) {
  double saturated = 0, silent = 0;
  std::size_t next = 0;
  for (std::size_t i = 0; i < record.layers.size(); ++i) {
    if (next < chosen.size() && chosen[next] == i) {
      ++next;
      continue;
    }
    if (const Snapshot* s = latest(record.layers[i])) {
      saturated = std::max(saturated, or_zero(s->left) + or_zero(s->right));
      silent = std::max(silent, or_zero(s->silent_units));
    }
  }
  return fmt::format("{} more layers: saturated at most {}, silent units at most {}",
                     record.layers.size() - chosen.size(), percent(saturated), percent(silent));
}

std::string title_of(const Finding& f, bool brief = false) {
  std::string rule = f.rule;
  std::replace(rule.begin(), rule.end(), '_', ' ');
  std::string where = f.layer;
  if (f.layers.size() > 1 && brief)
    where = fmt::format("{} layers", f.layers.size());
  else if (f.layers.size() > 1)
    where = fmt::format("{} to {} ({} layers)", f.layers.front(), f.layers.back(), f.layers.size());
  else if (where.empty() && f.layers.size() == 1)
    where = f.layers.front();
  return rule + (where.empty() ? "" : ": " + where);
}

std::string_view mark_of(Severity severity, const Style& style) {
  switch (severity) {
    case Severity::error: return style.unicode ? "✗" : "X";
    case Severity::warning: return "!";
    case Severity::note: break;
  }
  return style.unicode ? "·" : "-";
}

std::string since(const Finding& f) { return f.since > 0 ? fmt::format(", since step {}", grouped(f.since)) : ""; }

std::string coloured(std::string text, std::string_view colour, const Style& style) {
  if (!style.colour) return text;
  // Not over the ends of lines, or a terminal that is cut there stays coloured.
  std::string result(colour);
  for (const char c : text) {
    if (c == '\n')
      result.append(reset).append("\n").append(colour);
    else
      result += c;
  }
  if (result.ends_with(colour)) return result.substr(0, result.size() - colour.size());
  return result.append(reset);
}

std::string brief(const Finding& f, const Style& style) {
  const std::string text =
      fmt::format("{}{}: {}", printable(title_of(f, true), style), since(f), printable(f.evidence, style));
  const std::string mark(mark_of(f.severity, style));
  std::string lines = wrap(text, style, 2, mark + " ");
  // Two lines at most.
  const std::size_t second = lines.find('\n', lines.find('\n') + 1);
  if (second != std::string::npos && second + 1 < lines.size()) {
    const std::size_t first = lines.find('\n');
    lines = lines.substr(0, first + 1) +
            clip(lines.substr(first + 1, second - first - 1) + " ....", style.width, style) + "\n";
  }
  return coloured(lines, colour_of(f.severity), style);
}

std::map<std::string, Severity> marks_of(const std::vector<Finding>& findings) {
  std::map<std::string, Severity> result;
  for (const Finding& f : findings) {
    std::vector<std::string> names = f.layers;
    names.push_back(f.layer);
    for (const std::string& name : names) {
      const auto [at, fresh] = result.try_emplace(name, f.severity);
      if (!fresh) at->second = std::max(at->second, f.severity);
    }
  }
  return result;
}

std::size_t lines_in(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

std::string summary(const Record& record, const std::vector<Finding>& findings) {
  std::string text = record.steps == 0 && record.observed_steps > 0
                         ? fmt::format("{} passes observed", grouped(record.observed_steps))
                         : fmt::format("step {}", grouped(record.steps));
  if (!record.losses.empty()) {
    const Loss& last = record.losses.back();
    text += fmt::format(", loss {}", number(last.value));
    if (last.step < record.steps) text += fmt::format(" at {}", grouped(last.step));
  }
  text += fmt::format("; {} layer{}", record.layers.size(), record.layers.size() == 1 ? "" : "s");
  const auto bad =
      std::count_if(findings.begin(), findings.end(), [](const Finding& f) { return f.severity != Severity::note; });
  text += bad == 0 ? "; nothing found" : fmt::format("; {} finding{}", bad, bad == 1 ? "" : "s");
  if (record.seconds > 0 && record.own_seconds > 0)
    text += fmt::format("; observing takes {} of the time", percent(record.own_seconds / record.seconds));
  return text;
}

std::string layers(const Record& record, const std::vector<Finding>& findings, const Style& style) {
  const auto marks = marks_of(findings);
  std::string text = clip(summary(record, findings), style.width, style) + "\n";
  std::size_t rows = SIZE_MAX;
  if (style.rows) {
    rows = style.rows > 3 ? style.rows - 2 : 1;
    if (rows < record.layers.size() && rows > 1) --rows;  // for the line on the others
  }
  const std::vector<std::size_t> chosen = choose(record, findings, rows);
  if (chosen.empty()) return text;
  std::vector<const Layer*> shown;
  for (const std::size_t i : chosen) shown.push_back(&record.layers[i]);
  const std::vector<Column> all = columns_of(shown, style);
  std::vector<std::size_t> widths;
  for (const Column& column : all) widths.push_back(column.width());
  const auto line = [&](auto&& cell) {
    std::string result;
    for (std::size_t i = 0; i < all.size(); ++i) result += (i ? "  " : "") + pad(cell(all[i]), widths[i], all[i].right);
    result.erase(result.find_last_not_of(' ') + 1);
    return clip(result, style.width, style);
  };
  text += coloured(line([](const Column& c) { return c.head; }), faint, style) + "\n";
  for (std::size_t row = 0; row < shown.size(); ++row) {
    const std::string cells = line([&](const Column& c) { return c.cells[row]; });
    const auto mark = marks.find(shown[row]->name);
    text += (mark == marks.end() ? cells : coloured(cells, colour_of(mark->second), style)) + "\n";
  }
  if (chosen.size() < record.layers.size())
    text += coloured(clip(others(record, chosen), style.width, style), faint, style) + "\n";
  return text;
}

std::string table(const Record& record, const std::vector<Finding>& findings, const Style& style) {
  // Findings get up to half of the lines.
  std::string below;
  std::size_t left = style.rows ? std::max<std::size_t>(style.rows / 2, 2) : SIZE_MAX, said = 0;
  for (const Finding& f : findings) {
    const std::string lines = brief(f, style);
    if (lines_in(lines) + (said + 1 < findings.size() ? 1 : 0) > left) break;
    left -= lines_in(lines);
    below += lines;
    ++said;
  }
  if (const std::size_t more = findings.size() - said; more > 0 && left > 0)
    below += fmt::format("  {} more finding{}\n", more, more == 1 ? "" : "s");
  Style above = style;
  if (style.rows) above.rows = style.rows > lines_in(below) + 3 ? style.rows - lines_in(below) : 3;
  return layers(record, findings, above) + below;
}

std::string table(const Record& record, std::size_t width, bool colour) {
  Style style = style_for(-1);
  style.width = width;
  style.colour = colour;
  return table(record, judge(record), style);
}

std::string report(const Record& record, const std::vector<Finding>& findings, const Style& style) {
  std::string text;
  for (const Finding& f : findings) {
    const std::string head = fmt::format("{} {}{}{}\n", mark_of(f.severity, style), printable(title_of(f), style),
                                         since(f), f.sure > 0 ? fmt::format(" ({:.0f} % sure)", 100 * f.sure) : "");
    text += coloured(head, colour_of(f.severity), style);
    for (const std::string& part : {f.evidence, f.why})
      if (!part.empty()) text += wrap(printable(part, style), style, 4, "    ");
    if (!f.advice.empty()) text += wrap(printable(f.advice, style), style, 6, style.unicode ? "    → " : "    > ");
    if (!f.command.empty()) text += "      " + printable(f.command, style) + "\n";
    if (!f.explained.empty()) text += "      see " + printable(f.explained, style) + "\n";
  }
  for (const std::string& note : record.notes) text += wrap(printable(note, style), style, 2, "- ");
  return text;
}

}  // namespace ogee::monitor::show
