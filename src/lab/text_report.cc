#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "lab/report.h"
#include "monitor/show/style.h"

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;

// `format` of the number, or a dash for none.
std::string show(const Json& value, const char* format, double scale = 1) {
  if (!value.is_number()) return "-";
  return fmt::format(fmt::runtime(format), scale * value.get<double>());
}

std::string wrapped(const std::string& text, std::size_t indent = 0) {
  return monitor::show::wrap(text, {.width = text_width}, indent, std::string(indent, ' '));
}

std::vector<std::string> cells(const Json& arm, bool share) {
  const double scale = share ? 100 : 1;
  const char* format = share ? "{:.2f}" : "{:.4g}";
  const Json& error = arm["test_error"];
  const bool interval = error["low"].is_number();
  return {arm["activation"].get<std::string>(),
          show(error["mean"], format, scale),
          interval ? "[" + show(error["low"], format, scale) + ", " + show(error["high"], format, scale) + "]" : "",
          show(arm["ms_per_step"], "{:.2f}"),
          show(arm["memory_mib"], "{:.3g}"),
          show(arm["dead"], "{:.1f}", 100),
          show(arm["saturated"], "{:.1f}", 100),
          show(arm["gradient_ratio"]["start"], "{:.1e}"),
          show(arm["learning_rate"], "{:g}"),
          show(arm["probability_best"], "{:.2f}"),
          arm["verdict"].get<std::string>()};
}

// A model of the user's own has no depth and width that we know.
std::string model_in_words(const Json& experiment) {
  const auto model = experiment["model"].get<std::string>();
  if (!experiment.contains("depth")) return model;
  return fmt::format("{}, depth {}, width {}", model, experiment["depth"].get<int>(), experiment["width"].get<int>());
}

}  // namespace

std::string text_report(const Json& results) {
  const bool share = results["share"].get<bool>();
  const Json& data = results["data"];
  const Json& experiment = results["experiment"];
  std::string text = fmt::format(
      "{}: {} examples to train, {} to validate, {} to test; {}; {} epochs of batch {}, {} "
      "seed{}\n\n",
      data["name"].get<std::string>(), data["train"].get<int>(), data["validation"].get<int>(), data["test"].get<int>(),
      model_in_words(experiment), experiment["epochs"].get<int>(), experiment["batch"].get<int>(),
      experiment["seeds"].get<int>(), experiment["seeds"].get<int>() == 1 ? "" : "s");

  std::vector<std::vector<std::string>> rows{{"activation", results["metric"].get<std::string>() + (share ? " %" : ""),
                                              "95 %", "ms/step", "MiB", "dead %", "sat. %", "grad ratio", "rate",
                                              "best", "verdict"}};
  for (const Json& arm : results["arms"]) rows.push_back(cells(arm, share));
  std::vector<std::size_t> widths(rows[0].size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::size_t total = 2 * (widths.size() - 1);
  for (const std::size_t each : widths) total += each;
  if (total > text_width && widths[0] > 12) {  // long attributes give way
    widths[0] = std::max<std::size_t>(12, widths[0] - std::min(widths[0], total - text_width));
    for (auto& row : rows)
      if (row[0].size() > widths[0]) row[0] = row[0].substr(0, widths[0] - 2) + "..";
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool left = i == 0 || i + 1 == row.size();
      line += (i ? "  " : "") +
              (left ? fmt::format("{:<{}}", row[i], widths[i]) : fmt::format("{:>{}}", row[i], widths[i]));
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  text +=
      "\nMiB: of a training step at its peak; sat.: slopes below 5 % of the largest; grad ratio: gradient norm at the "
      "first\nactivation over the last, before training; best: probability of its true mean being the lowest\n\n";
  bool further = false;
  for (const Json& arm : results["arms"]) {
    if (!arm.contains("further")) continue;
    if (!further) text += "Also on the test part:\n";
    further = true;
    std::string line = arm["activation"].get<std::string>() + ":";
    for (const auto& [name, value] : arm["further"].items())
      line += fmt::format(" {} {},", name, show(value, "{:.4f}"));
    line.pop_back();
    text += wrapped(line, 2);
  }
  if (further) text += "\n";
  bool watched = false;
  for (const Json& arm : results["arms"]) {
    for (const Json& finding : arm["watched"]) {
      if (!watched) text += "What the monitor saw in training:\n";
      watched = true;
      text += wrapped(fmt::format("{}, {} of {} runs: {}: {}", arm["activation"].get<std::string>(),
                                  finding["runs"].get<int>(), finding["of"].get<int>(),
                                  finding["rule"].get<std::string>(), finding["evidence"].get<std::string>()),
                      2);
    }
  }
  if (watched) text += "\n";
  if (!results["complete"].get<bool>())
    text += fmt::format("So far, {} of {} runs:\n", results["runs_done"].get<int>(), results["runs_wanted"].get<int>());
  text += wrapped(results["recommendation"]["text"].get<std::string>());
  const Json& rules = results["recommendation"]["rules"];
  if (!rules.empty()) text += "\nThe rules of thumb, and what these runs show of them:\n";
  for (const Json& rule : rules)
    text += wrapped(fmt::format("- {}: {}", rule["rule"].get<std::string>(), rule["text"].get<std::string>()));
  if (!results["remarks"].empty()) text += "\n";
  for (const Json& remark : results["remarks"]) text += wrapped("- " + remark.get<std::string>());
  if (results["environment"].contains("note"))
    text += wrapped("- " + results["environment"]["note"].get<std::string>());
  return text;
}

}  // namespace ogee::lab
